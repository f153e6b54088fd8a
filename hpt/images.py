"""Images: MNIST, Fashion-MNIST and CIFAR-10, read from the files that their authors publish.

Three ideas, from top to bottom:

* a format is a promise about bytes. The readers check all of it, so that a file that was cut off, or is another
  file, is an error and not a strange accuracy;
* a download counts when its MD5 is the published one, and only then gets its name;
* the authors said which images are for testing. These stay locked, and the training images alone are divided.

Sources: LeCun, Bottou, Bengio and Haffner 1998, "Gradient-based learning applied to document recognition" (MNIST and
the IDX format); Xiao, Rasul and Vollgraf 2017 (Fashion-MNIST, same format); Krizhevsky 2009, "Learning multiple layers
of features from tiny images" (CIFAR-10).
"""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np

from hpt import networks
from hpt.data import Array, Dataset, Fold, LockedTest, Split
from hpt.domains import is_whole
from hpt.errors import InvalidInput, unknown
from hpt.seeds import derive
from hpt.tasks import Task, check_fields, small_images

Part = tuple[Array, Array]
"""Images of shape ``(rows, height, width, channels)`` and labels of shape ``(rows,)``, both as bytes."""


@dataclass(frozen=True)
class Published:
    """A dataset as its authors publish it.

    Attributes:
        address: where the files lie; it ends with a slash.
        files: the names of the files and their MD5.
        shape: of one image, ``(height, width, channels)``.
        class_names: the names of the classes, in the order of their labels.
        source: citation and licence.
        read: takes this row, a folder, and whether to download; returns the training and the test part.
    """

    address: str
    files: Mapping[str, str]
    shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    source: str
    read: Callable[[Published, Path, bool], tuple[Part, Part]]


# --- files --------------------------------------------------------------------------------------------

_DAMAGED = (EOFError, OSError, zlib.error, tarfile.TarError)
"""What Python raises for an archive that is cut off or is none."""


def _find(published: Published, folder: Path, file: str, download: bool) -> Path:
    """The path of a published file, or of the same file unpacked; fetched where it may be."""
    packed, unpacked = folder / file, folder / file.removesuffix(".gz")
    if unpacked.is_file():
        return unpacked
    if not packed.is_file():
        if not download:
            raise InvalidInput(
                f"there is no {file} in {folder}: fetch it from {published.address}{file}, or say download=True"
            )
        _fetch(published.address + file, published.files[file], packed)
    return packed


def _fetch(address: str, md5: str, target: Path) -> None:
    """Download a file. It gets its name when its checksum is right, so a file with this name is a whole one."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with urlopen(address, timeout=60) as answer, part.open("wb") as file:
            shutil.copyfileobj(answer, file)
        with part.open("rb") as file:
            came = hashlib.file_digest(file, _md5).hexdigest()
        if came != md5:
            raise InvalidInput(
                f"{address} should have MD5 {md5}, but the {part.stat().st_size} bytes that came have {came}: "
                "they are cut off, or another file. Nothing was kept; try again later"
            )
        part.replace(target)
    except (OSError, HTTPException) as error:
        raise InvalidInput(
            f"{address} could not be fetched ({error}): try again, or fetch it by other means into {target.parent}"
        ) from error
    finally:
        if part.exists():
            part.unlink()


def _md5(data: bytes = b"") -> Any:
    """MD5 against accidents, not against intent; machines with strict rules want to be told."""
    return hashlib.md5(data, usedforsecurity=False)


def _unpack(path: Path) -> bytes:
    """The content of a file. Browsers unpack some files and keep the name, so the first bytes decide, not the name."""
    raw = path.read_bytes()
    if not raw.startswith(b"\x1f\x8b"):
        return raw
    try:
        return gzip.decompress(raw)
    except _DAMAGED as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> InvalidInput:
    return InvalidInput(f"{path} is cut off or damaged ({error}): delete it and fetch it again")


# --- the IDX format of MNIST and Fashion-MNIST ----------------------------------------------------------


def _read_idx_files(published: Published, folder: Path, download: bool) -> tuple[Part, Part]:
    paths = [_find(published, folder, file, download) for file in published.files]
    for path in paths:
        _check_owner(published, path)
    train_images, train_labels, test_images, test_labels = paths
    return _idx_part(published, train_images, train_labels), _idx_part(published, test_images, test_labels)


def _check_owner(published: Published, path: Path) -> None:
    """Refuse another dataset's file: MNIST and Fashion-MNIST give their files the same names."""
    came = _md5(path.read_bytes()).hexdigest()
    for name, other in PUBLISHED.items():
        if other is not published and came in other.files.values():
            raise InvalidInput(f"{path} is a file of {name!r}: give each dataset a folder of its own")


def _idx_part(published: Published, images: Path, labels: Path) -> Part:
    x, y = _idx(images, dimensions=3)[..., None], _idx(labels, dimensions=1)
    if x.shape[1:] != published.shape:
        raise InvalidInput(f"{images} should hold images of {_size(published.shape)}, got {_size(x.shape[1:])}")
    if len(x) != len(y):
        raise InvalidInput(f"{images} holds {len(x)} images but {labels} {len(y)} labels: they do not belong together")
    _check_labels(published, labels, y)
    return x, y


def _idx(path: Path, dimensions: int) -> Array:
    """The array in an IDX file: a magic number, the size of each dimension, then the values in C order.

    Magic number and sizes are whole numbers of four bytes, the highest byte first. The magic number's third byte is the
    type, 8 for bytes, and its fourth byte is how many dimensions there are.
    """
    raw = _unpack(path)
    magic, start = 0x0800 + dimensions, 4 + 4 * dimensions
    came = int.from_bytes(raw[:4], "big")
    if len(raw) < start or came != magic:
        raise InvalidInput(
            f"{path} should begin with magic number {magic} (IDX, bytes in {dimensions} dimensions) and "
            f"{start} bytes of header, got {came} in a file of {len(raw)} bytes: it is cut off, or another file"
        )
    sizes = tuple(int.from_bytes(raw[i : i + 4], "big") for i in range(4, start, 4))
    if len(raw) != start + math.prod(sizes):
        raise InvalidInput(
            f"{path} says it holds {_size(sizes)} values, {start + math.prod(sizes)} bytes with the header, "
            f"got {len(raw)} bytes: delete it and fetch it again"
        )
    return np.frombuffer(raw, "uint8", offset=start).reshape(sizes)


def _check_labels(published: Published, path: Path, labels: Array) -> None:
    most = len(published.class_names) - 1
    wrong = np.flatnonzero(labels > most)
    if len(wrong):
        raise InvalidInput(f"{path} should hold labels from 0 to {most}, got {labels[wrong[0]]} for image {wrong[0]}")


def _size(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


# --- the binary version of CIFAR-10 ---------------------------------------------------------------------

_BATCHES = (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")
_UNPACKED = "cifar-10-batches-bin"
_PICKLED = {"cifar-10-python.tar.gz", "cifar-10-batches-py", "data_batch_1"}


def _read_batches(published: Published, folder: Path, download: bool) -> tuple[Part, Part]:
    (archive,) = published.files
    for place in (folder, folder / _UNPACKED):
        if all((place / name).is_file() for name in _BATCHES):
            batches = {place / name: (place / name).read_bytes() for name in _BATCHES}
            break
    else:
        if not download and not (folder / archive).is_file():
            _refuse_pickled(published, folder)
        path = _find(published, folder, archive, download)
        batches = {path / name: raw for name, raw in _members(path).items()}
    *train, test = (_batch(published, path, raw) for path, raw in batches.items())
    return (np.concatenate([x for x, _ in train]), np.concatenate([y for _, y in train])), test


def _refuse_pickled(published: Published, folder: Path) -> None:
    if folder.name in _PICKLED or any((folder / name).exists() for name in _PICKLED):
        raise InvalidInput(
            f"{folder} holds the Python version of CIFAR-10. It is pickled, and to unpickle a file is to run whatever "
            f"code is in it: fetch the binary version, {published.address}{next(iter(published.files))}"
        )


def _members(path: Path) -> dict[str, bytes]:
    """The batches in the archive, read one after the other; nothing is written to disk."""
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                folder, _, name = member.name.rpartition("/")
                content = archive.extractfile(member) if member.isfile() else None
                if folder == _UNPACKED and name in _BATCHES and content is not None:
                    found[name] = content.read()
    except _DAMAGED as error:
        raise _damaged(path, error) from error
    for name in _BATCHES:
        if name not in found:
            raise InvalidInput(f"{path} should hold {_UNPACKED}/{name}, which is not in it: fetch it again")
    return {name: found[name] for name in _BATCHES}


def _batch(published: Published, path: Path, raw: bytes) -> Part:
    """A batch is records: a byte of label, then all red pixels row by row, all green ones, all blue ones."""
    height, width, channels = published.shape
    record = 1 + height * width * channels
    if not raw or len(raw) % record:
        raise InvalidInput(
            f"{path} should be records of {record} bytes, a label and an image of {_size(published.shape)}, "
            f"got {len(raw)} bytes: it is cut off, or another file"
        )
    records = np.frombuffer(raw, "uint8").reshape(-1, record)
    _check_labels(published, path, records[:, 0])
    planes = records[:, 1:].reshape(-1, channels, height, width)
    return planes.transpose(0, 2, 3, 1), records[:, 0]


# --- what there is --------------------------------------------------------------------------------------


def _idx_files(*md5: str) -> dict[str, str]:
    """The names are the same for both; the readers rely on this order."""
    names = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
    return {f"{name}.gz": one for name, one in zip(names, md5, strict=True)}


PUBLISHED: dict[str, Published] = {
    "mnist": Published(
        address="https://ossci-datasets.s3.amazonaws.com/mnist/",
        files=_idx_files(
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "d53e105ee54ea40749a09fcbcd1e9432",
            "9fb629c4189551a2d022fa330f9573f3",
            "ec29112dd5afa0611ce80d1b7f02629c",
        ),
        shape=(28, 28, 1),
        class_names=tuple("0123456789"),
        source="MNIST, LeCun et al. 1998; copyright LeCun and Cortes, CC BY-SA 3.0",
        read=_read_idx_files,
    ),
    "fashion_mnist": Published(
        address="https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        files=_idx_files(
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
        shape=(28, 28, 1),
        class_names=(
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
        source="Fashion-MNIST, Xiao et al. 2017; copyright Zalando SE, MIT licence",
        read=_read_idx_files,
    ),
    "cifar10": Published(
        address="https://www.cs.toronto.edu/~kriz/",
        files={"cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530"},
        shape=(32, 32, 3),
        class_names=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        source="CIFAR-10, Krizhevsky 2009; no licence is stated, the author asks to be cited",
        read=_read_batches,
    ),
}
"""The datasets by name. The MD5 are torchvision's for MNIST, those of Fashion-MNIST's README, and that of CIFAR-10's
page. MNIST comes from torchvision's mirror, the other two from their authors."""


def load(
    name: str,
    folder: str | Path,
    *,
    rows: int | None = None,
    validation: float = 0.2,
    seed: int = 0,
    download: bool = False,
) -> Split:
    """Read a dataset of images, and divide its training images into train and validation.

    The official test images are the locked test part, all of them whatever ``rows`` says: they are looked at once, so
    they cost little, and a score on all 10,000 can be compared with published ones. Pixels are as published, from 0 to
    255; `unit_scaler` brings them to 0 to 1.

    Args:
        name: ``"mnist"``, ``"fashion_mnist"`` or ``"cifar10"``.
        folder: where the files lie, as published or unpacked; a folder for each dataset.
        rows: how many of the official training images to use, train and validation together; default all. Classes
            keep their shares. All of MNIST takes 220 MB, all of CIFAR-10 740 MB; 5,000 are enough to tune on a laptop.
        validation: share of the ``rows`` for validation.
        seed: of which images are used, and which of them validate.
        download: fetch the files that are not there: 12 MB for MNIST, 31 MB for Fashion-MNIST, 170 MB for CIFAR-10.

    Returns:
        A `Split` with one fold. Its dataset has ``x`` of shape ``(rows, 28, 28, 1)`` or ``(rows, 32, 32, 3)``, float32;
        first the training images in the order of the files, then the test images.

    Raises:
        UnknownName: for another name.
        InvalidInput: for a file that is missing or is not what it should be, a download that fails, or more rows than
            there are; the message says which file, what was expected and what came.
    """
    if name not in PUBLISHED:
        raise unknown("dataset", name, PUBLISHED)
    if not 0 < validation < 1:
        raise InvalidInput(f"validation is a share of the rows between 0 and 1, got {validation}")
    published = PUBLISHED[name]
    (x, y), (x_test, y_test) = published.read(published, Path(folder), download)
    if rows is not None and not (is_whole(rows) and 1 <= rows <= len(y)):
        raise InvalidInput(
            f"rows must be a whole number from 1 to {len(y)}, the training images of {name!r}, got {rows!r}"
        )
    if rows is not None and rows < len(y):  # while a pixel is a byte; the dataset makes four of it
        chosen, _ = _divided(name, y, int(rows), derive(seed, "rows"))
        x, y = x[chosen], y[chosen]
    train, held = _divided(name, y, len(y) - max(1, round(validation * len(y))), derive(seed, "validation"))
    data = Dataset(
        name,
        np.concatenate([x, x_test]),
        np.concatenate([y, y_test]),
        "multiclass",
        published.class_names,
        source=published.source,
    )
    return Split(data, (Fold(train, held),), LockedTest(data, np.arange(len(y), len(data))))


def _divided(name: str, labels: Array, size: int, seed: int) -> tuple[Array, Array]:
    """The numbers of so many rows, and of the others; each class has its share of both."""
    from sklearn.model_selection import train_test_split

    try:
        chosen, others = train_test_split(np.arange(len(labels)), train_size=size, stratify=labels, random_state=seed)
    except ValueError as error:
        raise InvalidInput(
            f"{len(labels)} images of {name!r} can't be divided into {size} and {len(labels) - size} "
            f"with every class in both: {error}"
        ) from None
    return np.sort(chosen), np.sort(others)


# --- ready to be tuned ----------------------------------------------------------------------------------


def unit_scaler() -> Any:
    """Make the scaler for images: it divides by 255 and learns nothing.

    The default scaler of `hpt.data.prepare` gives each feature its own mean and deviation. A feature here is a pixel,
    and a pixel in a corner that is nearly always black would count as much as the digit itself. One factor for all
    keeps the picture, and lets an autoencoder with sigmoid outputs reach every value.

    Returns:
        A scikit-learn ``FunctionTransformer``.

    >>> unit_scaler().fit_transform(np.array([[0, 51, 255]], dtype="float32")).round(3).tolist()
    [[0.0, 0.2..., 1.0]]
    """
    from sklearn.preprocessing import FunctionTransformer

    return FunctionTransformer(_by_255)


def _by_255(x: Array) -> Array:
    return x / np.float32(255)


def task(
    name: str,
    folder: str | Path,
    *,
    rows: int | None = None,
    validation: float = 0.2,
    seed: int = 0,
    download: bool = False,
    **changes: Any,
) -> Task:
    """Return a task that tunes a convolutional network on a dataset of images.

    It searches filters, kernel size and learning rate, with accuracy to decide. How long to train is left to the
    schedule; to search it too, with a strategy that trains in full, say ``.with_space(epochs=hpt.Int(2, 20))``.

    Args:
        name: see `load`, as for the next five.
        folder: where the files lie.
        rows: how many training images to use, default all.
        validation: share of them for validation.
        seed: of the split.
        download: fetch what is not there.
        changes: fields of `Task` to replace, such as ``epochs=3`` or ``build=hpt.networks.mlp``.

    Raises:
        UnknownName: for another name, or a change that is no field of a task.
        InvalidInput: see `load`.
    """
    check_fields(changes)
    row: dict[str, Any] = {
        "build": networks.cnn,
        "space": small_images(),
        "metrics": ("accuracy", "top_5_accuracy"),
        "epochs": 10,
        "scaler": unit_scaler,
    }
    split = load(name, folder, rows=rows, validation=validation, seed=seed, download=download)
    return Task(name=name, split=split, **{**row, **changes})
