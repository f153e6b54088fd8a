"""Images are read as their files say, and a file that breaks its format's promise is refused.

The files are written here, byte by byte as the formats are described; the arrays read are held against those written,
and against the way in which Keras reads the same files.
"""

import gzip
import hashlib
import io
import pickle
import struct
import tarfile
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

import hpt
from hpt import images
from hpt.data import leaks, prepare

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
TRAIN, TRAIN_LABELS, TEST, TEST_LABELS = NAMES


def idx(array):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.astype("uint8").tobytes()


def pixels(rows, *shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (rows, *shape), dtype="uint8")


def labels(rows):
    return np.arange(rows, dtype="uint8") % 10


def digits(folder, rows=100, test_rows=20, packed=True):
    """A folder with four files in MNIST's format; returns their arrays by name."""
    arrays = {TRAIN: pixels(rows, 28, 28), TRAIN_LABELS: labels(rows)}
    arrays |= {TEST: pixels(test_rows, 28, 28, seed=1), TEST_LABELS: labels(test_rows)[::-1]}
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        (folder / (f"{name}.gz" if packed else name)).write_bytes(gzip.compress(idx(array)) if packed else idx(array))
    return arrays


def colours(rows=20):
    """Six batches in CIFAR-10's format, by name, and the images and labels of each."""
    parts, batches = [], {}
    for i, name in enumerate([*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]):
        x, y = pixels(rows, 32, 32, 3, seed=i), labels(rows)
        planes = [np.concatenate([[y[row]], *(x[row, :, :, c].ravel() for c in range(3))]) for row in range(rows)]
        batches[name] = np.stack(planes).astype("uint8").tobytes()
        parts.append((x, y))
    return batches, parts


def archive(path, batches):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in batches.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def put(folder, batches):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in batches.items():
        (folder / name).write_bytes(content)


# --- MNIST and Fashion-MNIST ----------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_what_is_read_is_what_was_written(tmp_path, name, packed):
    written = digits(tmp_path, packed=packed)
    data = images.load(name, tmp_path).dataset
    assert data.x.dtype == np.float32 and data.x.shape == (120, 28, 28, 1)
    assert np.array_equal(data.x[..., 0], np.concatenate([written[TRAIN], written[TEST]]))
    assert np.array_equal(data.y, np.concatenate([written[TRAIN_LABELS], written[TEST_LABELS]]))
    assert len(data.class_names) == 10 and data.source


def test_the_reader_agrees_with_the_way_keras_reads_these_files(tmp_path):
    digits(tmp_path)
    with gzip.open(tmp_path / f"{TRAIN_LABELS}.gz") as file:
        y = np.frombuffer(file.read(), np.uint8, offset=8)
    with gzip.open(tmp_path / f"{TRAIN}.gz") as file:
        x = np.frombuffer(file.read(), np.uint8, offset=16).reshape(len(y), 28, 28)
    data = images.load("mnist", tmp_path).dataset
    assert np.array_equal(data.x[:100, :, :, 0], x)
    assert np.array_equal(data.y[:100], y)


def test_a_file_that_a_browser_unpacked_under_its_old_name_is_read(tmp_path):
    digits(tmp_path)
    path = tmp_path / f"{TRAIN}.gz"
    path.write_bytes(gzip.decompress(path.read_bytes()))
    assert len(images.load("mnist", tmp_path).dataset) == 120


SPOILED = {
    "a magic number of another format": (
        TRAIN,
        lambda raw: b"\x00\x00\x0d\x03" + raw[4:],
        "magic number 2051.*got 3331",
    ),
    "labels where images should be": (TRAIN, lambda raw: idx(labels(100)), "magic number 2051.*got 2049"),
    "images where labels should be": (TEST_LABELS, lambda raw: idx(pixels(9, 28, 28)), "magic number 2049.*got 2051"),
    "a page that says sorry": (TRAIN, lambda raw: b"<html>", "another file"),
    "an empty file": (TRAIN_LABELS, lambda raw: b"", "file of 0 bytes"),
    "a header that stops": (TRAIN, lambda raw: raw[:10], "16 bytes of header, got 2051 in a file of 10 bytes"),
    "a last pixel that is missing": (
        TRAIN,
        lambda raw: raw[:-1],
        "100 × 28 × 28 values, 78416 bytes .* got 78415 bytes",
    ),
    "a byte too many": (TEST_LABELS, lambda raw: raw + b"\x00", "28 bytes with the header, got 29"),
    "a label too few": (TRAIN_LABELS, lambda raw: idx(labels(99)), "holds 100 images but .* 99 labels"),
    "a class that is not there": (
        TEST_LABELS,
        lambda raw: raw[:-1] + b"\x0a",
        "labels from 0 to 9, got 10 for image 19",
    ),
    "images of another size": (TEST, lambda raw: idx(pixels(20, 14, 56)), "images of 28 × 28 × 1, got 14 × 56 × 1"),
    "no images": (TRAIN, lambda raw: idx(pixels(0, 28, 28)), "holds 0 images"),
    "a packed file that stops": (TRAIN, lambda raw: gzip.compress(raw)[:-9], "cut off or damaged .*delete it"),
    "a packed file that is spoiled": (TRAIN, lambda raw: b"\x1f\x8b" + raw, "cut off or damaged"),
}


@pytest.mark.parametrize("what", SPOILED)
def test_a_spoiled_file_is_refused_with_what_was_expected_and_what_came(tmp_path, what):
    name, spoil, message = SPOILED[what]
    written = digits(tmp_path, packed=False)
    (tmp_path / name).write_bytes(spoil(idx(written[name])))
    with pytest.raises(hpt.InvalidInput, match=message) as caught:
        images.load("mnist", tmp_path)
    assert name in str(caught.value)


def test_a_missing_file_is_named_with_its_folder_its_address_and_the_way_to_get_it(tmp_path):
    digits(tmp_path)
    (tmp_path / f"{TEST}.gz").unlink()
    with pytest.raises(hpt.InvalidInput) as caught:
        images.load("fashion_mnist", tmp_path)
    address = f"https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/{TEST}.gz"
    for part in (f"{TEST}.gz", str(tmp_path), address, "download=True"):
        assert part in str(caught.value)


def test_a_file_of_the_other_dataset_with_the_same_name_is_refused(tmp_path, monkeypatch):
    digits(tmp_path)
    publish(monkeypatch, "mnist", tmp_path)
    assert len(images.load("mnist", tmp_path).dataset) == 120
    with pytest.raises(hpt.InvalidInput, match="is a file of 'mnist': give each dataset a folder of its own"):
        images.load("fashion_mnist", tmp_path)


# --- CIFAR-10 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["folder", "subfolder", "archive"])
def test_colour_images_are_read_from_wherever_they_lie(tmp_path, where):
    batches, parts = colours()
    if where == "archive":
        archive(tmp_path / "cifar-10-binary.tar.gz", batches)
    else:
        put(tmp_path / "cifar-10-batches-bin" if where == "subfolder" else tmp_path, batches)
    before = sorted(tmp_path.rglob("*"))
    split = images.load("cifar10", tmp_path)
    assert split.dataset.inputs == (32, 32, 3)
    assert np.array_equal(split.dataset.x, np.concatenate([x for x, _ in parts]))
    assert np.array_equal(split.dataset.y, np.concatenate([y for _, y in parts]))
    assert np.array_equal(split.test.open()[0], parts[-1][0])
    assert sorted(tmp_path.rglob("*")) == before


def test_the_order_of_an_archives_members_does_not_matter(tmp_path):
    batches, parts = colours()
    archive(tmp_path / "cifar-10-binary.tar.gz", dict(reversed(batches.items())))
    assert np.array_equal(images.load("cifar10", tmp_path).dataset.x[:20], parts[0][0])


def test_the_first_plane_is_red_and_its_first_row_comes_first(tmp_path):
    batches, _ = colours()
    red = bytes(32 * [9]) + bytes(31 * 32 * [200])
    batches["data_batch_1.bin"] = bytes([3]) + red + bytes(1024 * [100]) + bytes(1024 * [50])
    put(tmp_path, batches)
    data = images.load("cifar10", tmp_path).dataset
    assert data.class_names[data.y[0]] == "cat"
    assert np.all(data.x[0, 0] == [9, 100, 50])
    assert np.all(data.x[0, 1:] == [200, 100, 50])


def test_a_batch_that_is_cut_off_is_refused(tmp_path):
    batches, _ = colours()
    put(tmp_path, batches | {"data_batch_4.bin": batches["data_batch_4.bin"][:-1]})
    with pytest.raises(hpt.InvalidInput, match=r"data_batch_4.bin should be records of 3073 bytes.*got 61459 bytes"):
        images.load("cifar10", tmp_path)


def test_a_label_out_of_range_names_the_batch(tmp_path):
    batches, _ = colours()
    archive(tmp_path / "cifar-10-binary.tar.gz", batches | {"test_batch.bin": b"\xff" + batches["test_batch.bin"][1:]})
    with pytest.raises(hpt.InvalidInput, match=r"test_batch.bin should hold labels from 0 to 9, got 255 for image 0"):
        images.load("cifar10", tmp_path)


def test_an_archive_that_is_cut_off_or_lacks_a_batch_is_refused(tmp_path):
    path = tmp_path / "cifar-10-binary.tar.gz"
    batches, _ = colours()
    archive(path, batches)
    whole = path.read_bytes()
    for length in (5, 1000, len(whole) // 2, len(whole) - 200):
        path.write_bytes(whole[:length])
        with pytest.raises(hpt.InvalidInput, match="cut off or damaged"):
            images.load("cifar10", tmp_path)
    del batches["data_batch_3.bin"]
    archive(path, batches)
    with pytest.raises(hpt.InvalidInput, match=r"should hold cifar-10-batches-bin/data_batch_3.bin"):
        images.load("cifar10", tmp_path)


def test_a_batch_that_is_missing_from_the_folder_is_asked_for_as_the_archive(tmp_path):
    batches, _ = colours()
    del batches["data_batch_3.bin"]
    put(tmp_path, batches)
    with pytest.raises(hpt.InvalidInput, match=r"no cifar-10-binary.tar.gz in .*https.*download=True"):
        images.load("cifar10", tmp_path)


class Trap:
    def __reduce__(self):
        return pytest.fail, ("a pickle was loaded",)


@pytest.mark.parametrize("where", ["cifar-10-batches-py/data_batch_1", "data_batch_1", "cifar-10-python.tar.gz"])
def test_the_pickled_version_is_refused_and_not_loaded(tmp_path, where):
    (tmp_path / where).parent.mkdir(exist_ok=True)
    (tmp_path / where).write_bytes(pickle.dumps(Trap()))
    for pointed_at in (tmp_path, tmp_path / where):
        with pytest.raises(hpt.InvalidInput, match=r"pickled.*run whatever code.*cifar-10-binary.tar.gz"):
            images.load("cifar10", pointed_at)


# --- download -------------------------------------------------------------------------------------------


def publish(monkeypatch, name, folder, address=None, **md5):
    """Let a dataset be what lies in a folder, at an address; checksums can be set by the first word of the name."""
    published = images.PUBLISHED[name]
    files = {file: hashlib.md5((folder / file).read_bytes()).hexdigest() for file in published.files}
    files |= {file: md5[file.split("-")[0]] for file in files if file.split("-")[0] in md5}
    row = replace(published, address=address or f"{folder.as_uri()}/", files=files)
    monkeypatch.setitem(images.PUBLISHED, name, row)


class Server(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class CutOff(Server):
    """Promises the whole file and closes the connection half-way."""

    def copyfile(self, source, outputfile):
        whole = source.read()
        outputfile.write(whole[: len(whole) // 2])


@pytest.fixture
def serve():
    servers = []

    def start(folder, handler=Server):
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=folder)))
        threading.Thread(target=servers[-1].serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_missing_files_are_fetched_once_and_kept_as_published(tmp_path, monkeypatch, serve):
    there, here = tmp_path / "there", tmp_path / "new" / "here"
    written = digits(there)
    publish(monkeypatch, "mnist", there, serve(there))
    data = images.load("mnist", here, download=True).dataset
    assert np.array_equal(data.x[:100, :, :, 0], written[TRAIN])
    assert sorted(path.name for path in here.iterdir()) == sorted(f"{name}.gz" for name in NAMES)
    for path in there.iterdir():
        assert (here / path.name).read_bytes() == path.read_bytes()
        path.unlink()
    assert len(images.load("mnist", here, download=True).dataset) == 120


def test_an_archive_is_fetched(tmp_path, monkeypatch):
    batches, _ = colours()
    (tmp_path / "there").mkdir()
    archive(tmp_path / "there" / "cifar-10-binary.tar.gz", batches)
    publish(monkeypatch, "cifar10", tmp_path / "there")  # a file:// address
    assert len(images.load("cifar10", tmp_path / "here", download=True).dataset) == 120


def test_a_wrong_checksum_keeps_nothing(tmp_path, monkeypatch, serve):
    digits(tmp_path / "there")
    publish(monkeypatch, "mnist", tmp_path / "there", serve(tmp_path / "there"), train="0" * 32)
    with pytest.raises(hpt.InvalidInput, match=f"{TRAIN}.gz should have MD5 0000.*Nothing was kept"):
        images.load("mnist", tmp_path / "here", download=True)
    assert list((tmp_path / "here").iterdir()) == []


def test_a_connection_that_breaks_keeps_nothing(tmp_path, monkeypatch, serve):
    digits(tmp_path / "there")
    half = (tmp_path / "there" / f"{TRAIN}.gz").stat().st_size // 2
    publish(monkeypatch, "mnist", tmp_path / "there", serve(tmp_path / "there", CutOff))
    with pytest.raises(hpt.InvalidInput, match=f"{half} bytes that came .* cut off"):
        images.load("mnist", tmp_path / "here", download=True)
    assert list((tmp_path / "here").iterdir()) == []


def test_an_address_without_the_file_is_one_line(tmp_path, monkeypatch, serve):
    digits(tmp_path / "there")
    (tmp_path / "empty").mkdir()
    publish(monkeypatch, "mnist", tmp_path / "there", serve(tmp_path / "empty"))
    with pytest.raises(hpt.InvalidInput, match=r"could not be fetched \(HTTP Error 404.*by other means into") as caught:
        images.load("mnist", tmp_path / "here", download=True)
    assert "\n" not in str(caught.value)
    (tmp_path / "file").touch()
    with pytest.raises(hpt.InvalidInput, match="could not be fetched"):
        images.load("mnist", tmp_path / "file", download=True)


# --- rows -----------------------------------------------------------------------------------------------


def test_the_official_test_images_are_the_locked_part_and_the_others_train_or_validate(tmp_path):
    written = digits(tmp_path)
    split = images.load("mnist", tmp_path, validation=0.3)
    (fold,) = split.folds
    assert sorted([*fold.train, *fold.validation]) == list(range(100))
    assert np.bincount(split.dataset.y[fold.validation]).tolist() == [3] * 10
    x, y = split.test.open()
    assert np.array_equal(x[..., 0], written[TEST]) and np.array_equal(y, written[TEST_LABELS])


def test_a_part_of_the_training_images_keeps_the_shares_of_the_classes_and_all_test_images(tmp_path):
    written = digits(tmp_path)
    split = images.load("mnist", tmp_path, rows=50)
    assert len(split.dataset) == 70 and len(split.test) == 20
    assert np.bincount(split.dataset.y[:50]).tolist() == [5] * 10
    everything = [image.tobytes() for image in written[TRAIN]]
    place = [everything.index(image.astype("uint8").tobytes()) for image in split.dataset.x[:50, :, :, 0]]
    assert place == sorted(set(place))
    assert split.dataset.y[:50].tolist() == written[TRAIN_LABELS][place].tolist()


def test_the_seed_decides_which_images_and_nothing_else_does(tmp_path):
    digits(tmp_path)
    a, again, other = (images.load("mnist", tmp_path, rows=50, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(a.dataset.x, again.dataset.x)
    assert np.array_equal(a.folds[0].train, again.folds[0].train)
    assert not np.array_equal(a.dataset.x, other.dataset.x)
    assert not np.array_equal(a.folds[0].train, other.folds[0].train)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": 101}, "from 1 to 100, the training images of 'mnist', got 101"),
        ({"rows": 0}, "got 0"),
        ({"rows": True}, "got True"),
        ({"rows": 0.5}, "got 0.5"),
        ({"rows": 5}, "can't be divided into 5 and 95 with every class in both"),
        ({"validation": 0}, "between 0 and 1, got 0"),
        ({"validation": 0.01}, "can't be divided into 99 and 1 "),
        ({"name": "cifar"}, "unknown dataset 'cifar': did you mean 'cifar10'"),
    ],
)
def test_what_cannot_be_gets_one_line(tmp_path, changes, message):
    digits(tmp_path)
    with pytest.raises((hpt.InvalidInput, hpt.UnknownName), match=message) as caught:
        images.load(**{"name": "mnist", "folder": tmp_path, **changes})
    assert "\n" not in str(caught.value)


# --- ready to be tuned ----------------------------------------------------------------------------------


def test_the_scaler_divides_every_pixel_by_255_and_lets_nothing_leak(tmp_path):
    digits(tmp_path)
    task = images.task("mnist", tmp_path)
    arrays = task.arrays()
    assert arrays.x_train.dtype == np.float32 and arrays.x_train.shape == (80, 28, 28, 1)
    assert (arrays.x_train.min(), arrays.x_train.max()) == (0, 1)
    expected = task.dataset.x[task.split.folds[0].validation].astype("float64") / 255
    assert np.allclose(arrays.x_validation, expected, rtol=1e-7, atol=0)  # half a step of float32 is 6e-8
    assert not leaks(lambda data, fold: prepare(data, fold, task.scaler), task.dataset, task.split.folds[0])


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_a_few_random_trials_tune_a_convolutional_network(tmp_path, name):
    if name == "mnist":
        digits(tmp_path)
    else:
        put(tmp_path, colours()[0])
    task = images.task(
        name, tmp_path, rows=50, epochs=1, space=hpt.search_space(filters=[8], learning_rate=[1e-3, 1e-2])
    )
    study = hpt.tune(task, "random", trials=3, seed=0)
    assert study.trials["status"].tolist() == ["complete"] * 3
    assert study.trials["accuracy"].between(0, 1).all()
    assert (study.trials["top_5_accuracy"] >= study.trials["accuracy"]).all()


def test_what_the_task_searches_lies_in_the_catalogues_ranges(tmp_path):
    digits(tmp_path)
    task = images.task("mnist", tmp_path, epochs=3)
    assert (task.epochs, task.objective.name, list(task.space)) == (
        3,
        "accuracy",
        ["filters", "kernel_size", "learning_rate"],
    )
    for key, domain in task.space.items():
        assert all(hpt.catalog.domain(key).contains(value) for value in domain.grid(5)), key
    with pytest.raises(hpt.UnknownName, match="unknown task field 'epoch': did you mean 'epochs'"):
        images.task("mnist", tmp_path, epoch=3)
