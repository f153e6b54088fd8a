"""A reader's own table: read by its schema, learned from training rows only, and clear about what it can't read."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import hpt
from hpt import Task
from hpt.data import Arrays, Column, Dataset, Fold, column_transformer, holdout, leaks, prepare
from hpt.tables import copies, encode, read, target_of

ROWS = 160
NUMBERS, NAMES = ["area", "rooms", "debt"], ["city", "lift", "grade"]
LEFT_OUT = ["id", "sold", "seen", "country", "empty", "flat"]


def houses():
    """A small mixed frame with all the nasties: holes everywhere, and columns that no network learns from."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "id": [f"house-{i}" for i in range(ROWS)],
            "area": rng.normal(1e9, 20, ROWS),  # large beside its spread: float32 would lose it
            "rooms": pd.array(rng.integers(1, 6, ROWS), dtype="Int64"),
            "debt": np.where(np.arange(ROWS) % 2, rng.exponential(9, ROWS), np.nan),
            "city": rng.choice(["Rome", "Paris", "Oslo"], ROWS),
            "lift": rng.random(ROWS) < 0.5,
            "grade": pd.Categorical(rng.choice(["low", "high"], ROWS), ["low", "mid", "high"]),
            "sold": pd.date_range("2020-01-01", periods=ROWS)[::-1],
            "seen": [f"2021-03-{1 + i % 28:02}" for i in range(ROWS)],
            "country": "Utopia",
            "empty": np.nan,
            "flat": 3.5,
        }
    )
    frame["price"] = frame.area - 1e9 + 10 * frame.rooms.astype(float) + 50 * (frame.city == "Rome")
    frame["lift"] = frame.lift.astype(object)
    frame.loc[::7, "area"] = np.nan
    frame.loc[::9, "rooms"] = pd.NA
    frame.loc[::11, ["city", "lift"]] = None
    frame.loc[3, "price"] = np.nan
    return frame


def task(**kwargs):
    return Task.from_frame(houses(), "price", name="houses", problem="regression", drop=LEFT_OUT, **kwargs)


# --- what is learned, and from which rows -----------------------------------------------------------


def sklearns(frame, train):
    """What a reader would write with scikit-learn for the frame itself, fitted on some of its rows."""
    categories = [["Oslo", "Paris", "Rome"], [False, True], ["low", "high"]]
    frame = frame[[*NUMBERS, *NAMES]].astype({"rooms": "float64"})
    frame[NAMES] = frame[NAMES].astype(object).where(frame[NAMES].notna(), np.nan)
    encoder = OneHotEncoder(categories=categories, handle_unknown="ignore", sparse_output=False)
    return make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), NUMBERS),
        (make_pipeline(SimpleImputer(strategy="most_frequent"), encoder), NAMES),
    ).fit(frame.iloc[train]), frame


def test_every_fold_is_sklearns_column_transformer_fitted_on_its_training_rows():
    mixed, known = task(folds=3), houses().dropna(subset="price")
    assert mixed.shape == hpt.networks.Shape((3 + 3 + 2 + 2,), 1, "regression")
    for number, fold in enumerate(mixed.split.folds):
        expected, frame = sklearns(known, fold.train)
        arrays = mixed.arrays(number)
        assert arrays.x_train.dtype == "float32"
        # float32 rounds at 6e-8 of values up to about 10
        assert np.allclose(arrays.x_train, expected.transform(frame.iloc[fold.train]), atol=1e-6)
        assert np.allclose(arrays.x_validation, expected.transform(frame.iloc[fold.validation]), atol=1e-6)
        assert np.allclose(arrays.restore(arrays.y_validation), known.price.iloc[fold.validation], rtol=1e-5)


def _fitted_on_everything(dataset, fold):
    """The leak: imputed and scaled before the split."""
    transformer = column_transformer(dataset.columns).fit(dataset.x)
    own = prepare(dataset, fold)
    x = transformer.transform(dataset.x)
    return Arrays(x[fold.train], own.y_train, x[fold.validation], own.y_validation, own.transform, own.restore)


def test_no_row_outside_the_training_part_reaches_it_and_a_planted_leak_is_caught():
    data = task(folds=3).split
    for fold in data.folds:
        assert not leaks(prepare, data.dataset, fold)
        assert leaks(_fitted_on_everything, data.dataset, fold)


def test_a_category_filled_in_from_all_rows_is_a_leak_too():
    codes = np.array([[0.0], [np.nan], [0], [0], [1], [1], [1], [1], [1], [1]])
    data = Dataset("cities", codes, np.arange(10.0), columns=(Column("city", ("Oslo", "Rome")),))
    fold = Fold(np.arange(4), np.arange(4, 10))
    assert prepare(data, fold).x_train.tolist() == [[1, 0]] * 4  # the training rows know Oslo only
    assert leaks(_fitted_on_everything, data, fold)
    assert not leaks(prepare, data, fold)


def test_the_width_is_the_same_where_a_fold_lacks_a_category_or_a_whole_column():
    x = np.array([[np.nan, np.nan, 0], [np.nan, np.nan, 1], [1, 1, 1], [2, 0, 2]])
    columns = (Column("number"), Column("name", ("a", "b")), Column("other", ("a", "b", "c")))
    arrays = prepare(Dataset("gaps", x, [1.0, 2, 3, 4], columns=columns), Fold(np.array([0, 1]), np.array([2, 3])))
    assert arrays.x_train.shape == arrays.x_validation.shape == (2, 1 + 2 + 3)
    assert np.isfinite(arrays.x_train).all() and np.isfinite(arrays.x_validation).all()


def test_columns_and_inputs_must_agree():
    columns = (Column("a"), Column("b"))
    with pytest.raises(hpt.InvalidInput, match=r"has 2 columns, so its inputs have shape \(rows, 2\)"):
        Dataset("t", np.zeros((4, 3)), np.arange(4.0), columns=columns)
    with pytest.raises(hpt.InvalidInput, match="must be finite, got 1 infinite values"):
        Dataset("t", [[0, np.inf], [1, 2]], np.arange(2.0), columns=columns)
    with pytest.raises(hpt.InvalidInput, match="its targets are given"):
        Dataset("t", np.zeros((4, 2)), problem="autoencoder", columns=columns)


# --- what is said -----------------------------------------------------------------------------------


def test_what_was_guessed_and_left_out_is_printed_a_line_each(capsys):
    made = Task.from_frame(houses(), "price", name="houses")
    said = capsys.readouterr().out.splitlines()
    assert [column.name for column in made.dataset.columns] == [*NUMBERS, *NAMES]
    assert said[0] == "houses: 1 of 160 rows have no target 'price' and are left out"
    assert "holds 159 different numbers, so this is a regression" in said[1]
    assert [line.split("'")[1] for line in said[2:]] == LEFT_OUT
    reasons = ["different text in almost every row", "dates", "dates", "'Utopia' wherever", "nothing", "same number"]
    assert all(reason in line for reason, line in zip(reasons, said[2:], strict=True))


def test_nothing_is_printed_of_what_the_caller_says(capsys):
    frame = houses().dropna(subset="price")
    Task.from_frame(frame, "price", problem="regression", drop=LEFT_OUT)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("values", "problem", "names"),
    [
        (["yes", "no"] * 10, "binary", ("no", "yes")),
        ([True, False] * 10, "binary", ("False", "True")),
        ([0.0, 1.0] * 10, "binary", ("0", "1")),
        (["a", "b", "c"] * 5, "multiclass", ("a", "b", "c")),
        ([10, 9, 2] * 5, "multiclass", ("2", "9", "10")),
        (pd.Categorical(["low", "high"] * 5, ["low", "mid", "high"]), "binary", ("low", "high")),
        (list(range(20)), "regression", ()),
        ([0.5, 1.5] * 10, "regression", ()),
        (list(range(21)) * 9, "regression", ()),
    ],
)
def test_the_problem_follows_from_the_target(values, problem, names):
    found = target_of(pd.Series(values), None, "it")
    assert (found.problem, found.class_names) == (problem, names)
    if names:
        assert [names[i] for i in found.y] == [str(value).removesuffix(".0") for value in values]
        assert f"so this is a {problem} classification" in found.note
    else:
        assert found.y.tolist() == values


def test_what_is_said_goes_before_the_guess():
    values = pd.Series([1, 2, 3] * 5)
    assert target_of(values, "regression", "it").problem == "regression"
    assert 'problem="regression" if not' in target_of(values, None, "it").note


def test_the_usual_choices_are_those_of_the_ready_tasks():
    numbers, classes = task(), Task.from_frame(houses(), "grade", problem="binary", drop=LEFT_OUT)
    assert (numbers.metrics, numbers.space) == (hpt.task("diabetes").metrics, hpt.task("diabetes").space)
    assert (classes.metrics, classes.space) == (hpt.task("wine").metrics, hpt.task("wine").space)
    other = task(metrics=("mae",), space=numbers.space.replace(units=hpt.Choice(8, 16)), epochs=3, scale_target=False)
    assert (other.metrics, other.epochs, other.scale_target) == (("mae",), 3, False)
    assert other.space["units"] == hpt.Choice(8, 16)


@pytest.mark.parametrize("text", [False, True])
def test_a_time_column_orders_the_rows_and_is_no_input(text):
    frame = houses().dropna(subset="price")
    if text:
        frame["sold"] = frame.sold.astype(str)
    data = Task.from_frame(frame, "price", problem="regression", time="sold", drop=LEFT_OUT, folds=2)
    assert "sold" not in [column.name for column in data.dataset.columns]
    assert np.array_equal(data.dataset.y, frame.sort_values("sold").price.astype("float32"))
    for fold in data.split.folds:
        assert data.dataset.times[fold.train].max() < data.dataset.times[fold.validation].min()


@pytest.mark.parametrize(
    ("texts", "order"),
    [
        (["2024-05-31", "2024-05-30T10:00", "2024-05"], [2, 1, 0]),
        (["2024-05-31T00:00+02:00", "2024-05-31T00:00+03:00", "2024-05-30T21:30Z"], [1, 2, 0]),
        (["2024-05-31T00:00:00.5", "2024-05-31", "2024-05-31T01:00+02:00"], [2, 1, 0]),
    ],
)
def test_dates_may_be_written_in_any_way_of_iso_8601(texts, order):
    """What says no time zone is UTC. The expected moments are Python's own, for the ways that it reads."""
    frame = pd.DataFrame({"when": texts * 20, "x": np.arange(60.0), "y": np.arange(60) % 7 + 0.5})
    data = Task.from_frame(frame, "y", problem="regression", time="when").dataset
    assert data.x[::20, 0].tolist() == order
    if "2024-05" not in texts:
        moments = [datetime.fromisoformat(text) for text in texts]
        known = sorted(m.replace(tzinfo=m.tzinfo or UTC).timestamp() for m in moments)
        assert (data.times[::20].astype("datetime64[us]").astype("int64") / 1e6).tolist() == known
    left_out = Task.from_frame(frame, "y", problem="regression").dataset
    assert [column.name for column in left_out.columns] == ["x"]


# --- new rows ---------------------------------------------------------------------------------------


def test_new_rows_are_encoded_as_the_tables_own_were():
    mixed, frame = task(), houses().dropna(subset="price")
    assert np.array_equal(mixed.encode(frame), mixed.dataset.x, equal_nan=True)
    shuffled = frame.sample(frac=1, axis="columns", random_state=0).drop(columns="price")
    assert np.array_equal(mixed.encode(shuffled), mixed.dataset.x, equal_nan=True)


def test_a_new_category_is_zeros_and_a_hole_is_filled_in():
    mixed = task()
    new = houses().head(2).assign(city=["Atlantis", None])
    codes = mixed.encode(new)[:, 3]
    assert codes[0] == -1 and np.isnan(codes[1])
    inputs = mixed.arrays().transform(mixed.encode(new))[:, 3:6]
    assert inputs[0].tolist() == [0, 0, 0] and inputs[1].sum() == 1


def test_the_same_number_is_the_same_category_whether_a_hole_made_it_a_float_or_not():
    column = Column("floor", ("1", "2"))
    assert encode([column], pd.DataFrame({"floor": [2, 1]})).ravel().tolist() == [1, 0]
    assert encode([column], pd.DataFrame({"floor": [2.0, np.nan]})).ravel()[0] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="area"), "unknown column 'area'"),
        (lambda f: f.assign(area="large"), "column 'area' holds numbers, got string values: 'large'"),
        (lambda f: f.assign(area=np.inf), "column 'area' holds 160 infinite numbers, the first in row 0"),
        (lambda f: f.assign(city=7.5), r"column 'city' holds categories \(Oslo, Paris, Rome, …\), got floating values"),
        (lambda f: f.head(0), "the frame is empty"),
        (lambda f: f.to_numpy(), "a table is a pandas DataFrame, got ndarray"),
    ],
)
def test_new_rows_that_cannot_be_get_one_line(change, message):
    with pytest.raises((hpt.InvalidInput, hpt.UnknownName), match=message):
        task().encode(change(houses()))


def test_a_task_of_arrays_has_nothing_to_encode(wine):
    with pytest.raises(hpt.InvalidInput, match="was not made from a table"):
        wine.encode(houses())


# --- what cannot be read ----------------------------------------------------------------------------


def _lone(frame):
    return frame.assign(price=["rare"] + ["a", "b"] * 79 + ["a"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: [1, 2], "a table is a pandas DataFrame, got list"),
        (lambda f: f.head(0), "the frame is empty: it has 0 rows and 13 columns"),
        (lambda f: f.rename(columns={"price": "pric"}), "unknown column 'price': did you mean 'pric'"),
        (lambda f: f.rename(columns={"area": "rooms"}), "two columns 'rooms': rename one"),
        (lambda f: f.assign(price=np.nan), "no row has a target 'price'"),
        (lambda f: f.assign(price=5), "target 'price' holds a single value, 5"),
        (lambda f: f.assign(price="a"), "target 'price' holds a single value, a"),
        (lambda f: f.assign(price=f.sold), "target 'price' holds dates"),
        (_lone, "target 'price' has 1 row of class 'rare', a class needs at least 3"),
        (lambda f: f.assign(area=f.area.where(f.index != 5, -np.inf)), "'area' holds 1 infinite numbers, .* row 5"),
        (lambda f: f.assign(price=f.price.where(f.index != 5, np.inf)), "'price' holds 1 infinite numbers"),
        (lambda f: f.assign(area="1,234"), "column 'area' holds numbers written as text, such as '1,234'.*thousands"),
        (lambda f: f.assign(area=["?"] + ["12"] * 159), "holds numbers, and others that are not, such as '?'"),
        (lambda f: f.assign(area=1j), "column 'area' holds complex values"),
        (lambda f: f.assign(area=[[1, 2]] * 160), r"column 'area' holds mixed values, such as \[1, 2\]"),
        (lambda f: f[["id", "price"]], "no column is left to learn from.*'id' is left out"),
    ],
)
def test_a_frame_that_cannot_be_read_gets_one_line(change, message):
    with pytest.raises((hpt.InvalidInput, hpt.UnknownName), match=message) as caught:
        Task.from_frame(change(houses()), "price")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"problem": "regresion"}, "did you mean 'regression'"),
        ({"problem": "autoencoder"}, "Known problems: binary, multiclass, regression"),
        ({"target": "city", "problem": "regression"}, "holds texts; a regression needs numbers"),
        ({"target": "city", "problem": "binary"}, "has 3: use 'multiclass'"),
        ({"problem": "multiclass"}, 'has 1 row of class .* or say problem="regression"'),
        ({"drop": "idd"}, "unknown column 'idd': did you mean 'id'"),
        ({"drop": ["price"]}, "is the target"),
        ({"time": "city"}, "19?.*rows have no time 'city'"),
        ({"time": "grade"}, "'grade' holds categories, not times"),
        ({"epoch": 3}, "unknown task field 'epoch': did you mean 'epochs'"),
        ({"folds": 0}, "folds is a whole number of at least 1, got 0"),
    ],
)
def test_a_call_that_cannot_be_gets_one_line(kwargs, message):
    with pytest.raises((hpt.InvalidInput, hpt.UnknownName), match=message):
        Task.from_frame(**{"frame": houses(), "target": "price", **kwargs})


@pytest.mark.parametrize(
    ("rows", "different", "kept"), [(100, 20, True), (30, 20, True), (100, 51, False), (100, 50, True)]
)
def test_a_column_of_too_many_texts_for_its_rows_is_left_out(rows, different, kept):
    frame = pd.DataFrame({"text": [f"t{i % different}" for i in range(rows)], "x": np.arange(rows) / 2})
    data, notes = read(frame.assign(y=np.arange(rows) % 7 + 0.5), "y", problem="regression", name="t")
    assert [column.name for column in data.columns] == ["text"] * kept + ["x"]
    said = f"t: column 'text' is left out, it holds {different} different texts in {rows} rows: join the rare ones"
    assert notes == [said] * (not kept)


def test_a_column_of_more_than_a_thousand_texts_is_left_out_however_many_rows_there_are():
    frame = pd.DataFrame({"text": [f"t{i % 1001}" for i in range(5005)], "x": np.arange(5005) / 2})
    _, notes = read(frame.assign(y=np.arange(5005) % 7 + 0.5), "y", problem="regression", name="t")
    assert notes == ["t: column 'text' is left out, it holds 1,001 different texts in 5,005 rows: join the rare ones"]


def test_names_of_numbers_are_read_as_categories_where_the_frame_says_so():
    frame = pd.DataFrame({"code": ["007", "008"] * 20, "y": np.arange(40.0)})
    with pytest.raises(hpt.InvalidInput, match=r"or names with astype\('category'\)"):
        Task.from_frame(frame, "y")
    made = Task.from_frame(frame.astype({"code": "category"}), "y", problem="regression")
    assert made.dataset.columns == (Column("code", ("007", "008")),)


# --- leaks ------------------------------------------------------------------------------------------

RNG = np.random.default_rng(0)
CLASSES = RNG.integers(0, 3, 60)
PRICES = RNG.normal(size=60)
SHUFFLED = RNG.permutation(60)
HOLED = np.where(np.arange(60) % 3 == 0, np.nan, CLASSES)


@pytest.mark.parametrize(
    ("column", "target", "copied"),
    [
        (CLASSES, CLASSES, True),
        (CLASSES * -7.5 + 2, CLASSES, True),  # by another name
        (np.array(["c", "a", "b"])[CLASSES], CLASSES, True),
        (np.where(np.arange(60) == 9, (CLASSES + 1) % 3, CLASSES), CLASSES, False),  # but for one row
        (CLASSES > 0, CLASSES, False),  # two classes are one
        (CLASSES * 2 + np.arange(60) % 2, CLASSES, False),  # it knows the class, and more
        (HOLED, CLASSES, True),  # wherever it says anything
        (CLASSES[SHUFFLED], CLASSES, False),
        (PRICES, PRICES, True),
        (PRICES[SHUFFLED], PRICES, False),  # each row has a value of its own in both: any such column does
        (np.arange(60), PRICES, False),
        (PRICES.round(1), PRICES.round(1) * 1.17, True),  # another currency; some prices come twice
        ([1.5, 2.5, 3.5], [1.5, 2.5, 3.5], False),  # 1 order of 6
        ([0, 1] * 6, [0, 1] * 6, False),  # 1 order of 924
        ([0, 1] * 13, [0, 1] * 13, True),
    ],
)
def test_a_column_that_says_the_same_as_the_target_is_found_and_a_coincidence_is_not(column, target, copied):
    frame = pd.DataFrame({"x": column, "other": np.arange(len(column)) % 5 / 2, "y": target})
    columns = (Column("x", ("a", "b", "c")) if isinstance(column[0], str) else Column("x"), Column("other"))
    problem = "multiclass" if set(target) <= {0, 1, 2} else "regression"
    assert copies(columns, encode(columns, frame), frame["y"].to_numpy("float64"), problem) == ["x"] * copied


def test_a_row_that_comes_twice_makes_no_column_a_copy():
    """All of its numbers repeat where the target does."""
    frame = pd.DataFrame(RNG.normal(size=(50, 3)), columns=["a", "b", "y"])
    frame.loc[0, "a"] = np.nan
    twice = pd.concat([frame, frame.head(9)])
    columns = (Column("a"), Column("b"))
    assert copies(columns, encode(columns, twice), twice["y"].to_numpy(), "regression") == []


def test_a_leak_is_a_warning_that_names_the_column_and_the_caller():
    frame = houses().dropna(subset="price").assign(euros=lambda f: f.price)
    with pytest.warns(UserWarning, match=r"houses: column 'euros' says the same as the target 'price'.*drop") as caught:
        Task.from_frame(frame, "price", problem="regression", name="houses", drop=LEFT_OUT)
    assert [one.filename for one in caught] == [__file__]
    Task.from_frame(frame, "price", problem="regression", drop=[*LEFT_OUT, "euros"])


# --- files ------------------------------------------------------------------------------------------


def test_a_csv_is_read_as_its_frame(tmp_path):
    path = tmp_path / "houses.csv"
    houses().to_csv(path, index=False)
    made = Task.from_csv(path, "price", problem="regression", drop=LEFT_OUT)
    assert made.name == "houses"
    # The order of a pandas category is not in a file.
    assert [c.categories for c in made.dataset.columns[3:]] == [
        ("Oslo", "Paris", "Rome"),
        ("False", "True"),
        ("high", "low"),
    ]
    assert np.allclose(made.dataset.x[:, :5], task().dataset.x[:, :5], equal_nan=True)


def test_options_of_pandas_reach_it(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text("a;b\n" + "\n".join(f"{i + 1},000;{i / 2}" for i in range(30)))
    made = Task.from_csv(path, "b", problem="regression", read_csv={"sep": ";", "thousands": ","})
    assert made.dataset.x[:3, 0].tolist() == [1000, 2000, 3000]
    with pytest.raises(hpt.InvalidInput, match=r"has one column only, 'a;b': say read_csv=\{\"sep\": ';'\}"):
        Task.from_csv(path, "b")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no file"),
        (b"", "could not be read as comma-separated values"),
        (b"\x89PNG\r\n\x1a\n\x00\xff\xfe", "could not be read as comma-separated values"),
        (b"a,b\n1,2\n1,2,3,4\n", "could not be read as comma-separated values"),
        (b"a,a,y\n1,2,3\n", "'x.csv' has two columns 'a'"),
        (b"Dear reader\nhello\n", "has one column only, 'Dear reader': is it a table at all"),
    ],
)
def test_a_file_that_is_no_table_gets_one_line(tmp_path, content, message):
    if content is not None:
        (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(hpt.InvalidInput, match=message) as caught:
        Task.from_csv(tmp_path / "x.csv", "y")
    assert "\n" not in str(caught.value)


# --- from end to end --------------------------------------------------------------------------------


def test_a_mixed_table_is_tuned_and_predicts_new_rows():
    mixed = task(epochs=2)
    study = hpt.tune(mixed, "random", trials=3, seed=0)
    assert set(study.trials.status) == {"complete"}
    trained = hpt.train(mixed, epochs=30)
    x, y = mixed.split.test.open()
    predicted = trained.predict(x)
    again = trained.predict(mixed.encode(houses().dropna(subset="price")))[_rows(mixed)]
    assert np.allclose(predicted, again, rtol=1e-5)  # some processors sum other numbers of rows in another order
    assert np.corrcoef(predicted.ravel(), y)[0, 1] > 0.5  # it learned something of rows that it never saw


def _rows(mixed):
    return np.sort(np.setdiff1d(np.arange(len(mixed.dataset)), np.concatenate(_used(mixed))))


def _used(mixed):
    return [part for fold in mixed.split.folds for part in (fold.train, fold.validation)]


def test_a_class_problem_of_a_table_keeps_its_labels():
    made = Task.from_frame(houses(), "city", problem="multiclass", drop=LEFT_OUT, epochs=1)
    assert made.dataset.class_names == ("Oslo", "Paris", "Rome")
    assert hpt.train(made).predict(made.dataset.x[:5]).shape == (5, 3)
    assert len(holdout(made.dataset).test) == len(made.split.test)
