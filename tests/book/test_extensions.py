"""What the extensions write: tables, formulas, an offline page."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from bs4 import BeautifulSoup

from .small import build, page, write_book
from book_figures import is_real
from book_mathml import to_mathml
from book_tables import read_frame


def frame_of(frame: pd.DataFrame, **options: object):
    pairs = [part for pair in options.items() for part in (pair[0].replace("__", "."), pair[1])]
    with pd.option_context("display.max_colwidth", None, *pairs):
        result = read_frame(frame._repr_html_())
    assert result is not None
    return result


class TestTables:
    def test_a_plain_range_is_dropped(self) -> None:
        got = frame_of(pd.DataFrame({"name": ["a", "x<y"], "value": [1.5, 2.0]}))
        assert (got.header, got.rows, got.labelled, got.problems) == (
            ["name", "value"],
            [["a", "1.5"], ["x<y", "2.0"]],
            False,
            [],
        )

    def test_a_named_index_labels_the_rows_in_one_header_row(self) -> None:
        got = frame_of(pd.DataFrame({"value": [1, 2]}, index=pd.Index(["a", "b"], name="Dataset")))
        assert (got.header, got.labelled, got.problems) == (["Dataset", "value"], True, [])

    def test_a_named_range_is_kept(self) -> None:
        got = frame_of(pd.DataFrame({"value": [1, 2]}, index=pd.RangeIndex(2, name="Epoch")))
        assert got.header == ["Epoch", "value"]
        assert got.labelled

    @pytest.mark.parametrize(
        ("frame", "problem"),
        [
            (pd.DataFrame({"v": [1, 2]}, index=["a", "b"]), "empty header cell"),
            (pd.DataFrame({"v": [1, 2, 3]})[1:], "empty header cell"),
            (pd.DataFrame({"v": []}), "no rows"),
            (pd.DataFrame({"v": range(200)}), "cut by pandas"),
            (pd.DataFrame({("a", "b"): [1], ("a", "c"): [2]}), "MultiIndex"),
            (pd.DataFrame({"v": [1, 2]}, index=pd.MultiIndex.from_tuples([(1, 1), (1, 2)])), "MultiIndex"),
        ],
    )
    def test_what_cannot_be_read_is_refused(self, frame: pd.DataFrame, problem: str) -> None:
        assert any(problem in found for found in frame_of(frame).problems)

    def test_a_shortened_text_is_refused(self) -> None:
        html = pd.DataFrame({"v": ["word " * 30]})._repr_html_()
        got = read_frame(html)
        assert got is not None
        assert any("shortened" in problem for problem in got.problems)

    def test_other_html_is_left_alone(self) -> None:
        assert read_frame("<p>words</p>") is None


class TestMath:
    @pytest.mark.parametrize(
        ("latex", "tag"),
        [
            (r"\frac{1}{2}", "mfrac"),
            (r"\sqrt{x}", "msqrt"),
            (r"a &= b \\ c &= d", "mtable"),
            (r"\begin{align} a &= b \\ c &= d \end{align}", "mtable"),
            (r"\operatorname*{arg\,min}_{\theta} L", "munder"),
            (r"\min_\theta L", "munder"),
        ],
    )
    def test_elements(self, latex: str, tag: str) -> None:
        soup = BeautifulSoup(to_mathml(latex, display=True), "html.parser")
        assert soup.find(tag) is not None
        assert soup.math is not None and soup.math["display"] == "block"
        assert "&amp;" not in str(soup) and "\\" not in str(soup)

    def test_inline(self) -> None:
        assert 'display="inline"' in to_mathml("x", display=False)


@pytest.mark.parametrize(
    ("alt", "real"),
    [
        ("Loss over epochs, falling", True),
        ("", False),
        (None, False),
        ("figure", False),
        ("a1b2.png", False),
        ("Figure.", False),
    ],
)
def test_an_alternative_text_says_something(alt: str | None, real: bool) -> None:
    assert is_real(alt) is real


@pytest.mark.build
def test_a_page_with_everything(tmp_path: Path) -> None:
    text = """\
    {numref}`tab-one` and {ref}`the words <tab-one>`; $x^2$ and {eq}`eq-y`.

    $$
    y = \\sum_i x_i
    $$ (eq-y)

    ```{code-cell} ipython3
    ---
    table: {name: tab-one, caption: "The $x$ of `y`", markup: true}
    ---
    import pandas as pd
    pd.DataFrame({"n": [1, 22], "t": ["`relu`", "b"]}, index=pd.Index(["r", "s"], name="Row"))
    ```

    ```{exercise} Try
    :label: ex-one

    Do.
    ```

    ```{solution-start} ex-one
    :label: sol-one
    :class: dropdown
    ```

    ```{code-cell} ipython3
    1 + 1
    ```

    ```{solution-end}
    ```
    """
    write_book(tmp_path, text)
    result = build(tmp_path)
    assert result.code == 0, result.log
    soup = BeautifulSoup(page(tmp_path), "html.parser")

    table = soup.find("table", id="tab-one")
    assert table is not None and table.caption is not None
    assert "Table 1" in table.caption.get_text()
    assert table.caption.find("math") is not None and table.caption.find("code") is not None
    assert [th.get_text(strip=True) for th in table.find_all("th", scope="col")] == ["Row", "n", "t"]
    assert [th.get_text(strip=True) for th in table.find_all("th", scope="row")] == ["r", "s"]
    assert table.find("td").code is None and table.find_all("td")[1].code.get_text() == "relu"
    assert "number" in table.find("td")["class"]
    assert soup.find("a", href="#tab-one", string=None) is not None

    assert not soup.find_all("script", src=lambda src: src and "//" in src)
    assert "thebe" not in str(soup).lower()
    assert "mathjax" not in str(soup.find_all("script")).lower()
    link = soup.find("a", href="page.ipynb")
    assert link is not None
    assert (tmp_path / "_build" / "html" / "page.ipynb").is_file()
    assert soup.select_one(".solution.dropdown .cell_output") is not None
