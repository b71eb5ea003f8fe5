"""Data sources: one for each type in a config, and one interface for all formats."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np
import pytest

from cnncli.config.document import parse_document
from cnncli.config.schema import (
    Config,
    Csv,
    FashionMNIST,
    Folder,
    Idx,
    Npz,
    NpzKeys,
    Parquet,
    Source,
)
from cnncli.data.dataset import load_split, load_splits
from cnncli.data.formats.idx_folder import IdxFolder
from cnncli.data.formats.npz_file import NpzFile
from cnncli.data.images import Images
from cnncli.data.source import DataInfo
from cnncli.data.sources import (
    EMBEDDED_FOLDER,
    FASHION_MNIST_CLASSES,
    SOURCES,
    find_source,
    kind_at,
    source_at,
)
from cnncli.data.transposed import Transposed
from cnncli.errors import DataError
from tests.builders import CONFIG, NAMES, dataset, idx

if TYPE_CHECKING:
    from cnncli.data.source import Pool

CLASSES = ("cat", "dog", "owl")


class Coloured:
    """Six coloured images to train on, three to test, of one pixel each."""

    def describe(self) -> DataInfo:
        place = Path("coloured")
        return DataInfo(self, place, place / "labels.csv", CLASSES, (1, 1, 3), 6, 3)

    def load(self, pool: Pool) -> Images:
        count = 6 if pool == "train" else 3
        pixels = np.arange(3 * count, dtype=np.uint8).reshape(count, 1, 1, 3)
        labels = np.arange(count, dtype=np.uint8) % 3
        return Images(pixels, labels, np.arange(count))


def config(train: int, validation: int) -> Config:
    text = CONFIG.replace("train: 20", f"train: {train}")
    text = text.replace("validation: 10", f"validation: {validation}")
    return Config.model_validate(parse_document(text, "good.yaml").value)


def test_every_type_of_a_config_has_a_source() -> None:
    union, *_ = get_args(Source)
    assert set(SOURCES) == set(get_args(union))


def test_fashion_mnist_is_in_the_package_or_in_a_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    embedded = IdxFolder(EMBEDDED_FOLDER, FASHION_MNIST_CLASSES)
    assert find_source(FashionMNIST()) == embedded
    elsewhere = IdxFolder(Path("/home/ann/clothing"), FASHION_MNIST_CLASSES)
    assert find_source(FashionMNIST(path="~/clothing")) == elsewhere
    package = IdxFolder(
        Path("/usr/share/datasets/fashion-mnist"), FASHION_MNIST_CLASSES
    )
    assert find_source(FashionMNIST(path="debian")) == package
    beside = IdxFolder(Path("debian"), FASHION_MNIST_CLASSES)
    assert find_source(FashionMNIST(path="./debian")) == beside


def test_a_home_that_is_not_there_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        find_source(Idx(path="~nobody-here/x", classes=CLASSES))
    assert str(caught.value) == (
        "~nobody-here/x: there is no user with such a home folder; write the path "
        "without '~'"
    )


def test_an_idx_folder_is_described(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    dataset("data")
    source = find_source(Idx(path="data", classes=CLASSES))
    labels = Path("data/train-labels-idx1-ubyte")
    expected = DataInfo(source, Path("data"), labels, CLASSES, (4, 4, 1), 30, 12)
    assert source.describe() == expected
    assert source.load("train").pixels.shape == (30, 4, 4, 1)
    assert source.load("test").pixels.shape == (12, 4, 4, 1)


def test_images_of_any_source_are_split() -> None:
    data = Coloured().describe()
    splits = load_splits(config(3, 2), data)
    assert splits.train.pixels.shape == (3, 1, 1, 3)
    assert splits.validation.labels.tolist() == [0, 1]
    assert splits.test.pixels.shape == (3, 1, 1, 3)
    assert splits.normalization.deviation == (255.0, 255.0, 255.0)
    validation, fingerprints = load_split(config(3, 2), data, "validation")
    assert np.array_equal(validation.pixels, splits.validation.pixels)
    assert fingerprints == {"train": splits.fingerprints["train"]}


def test_one_training_image_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        load_splits(config(1, 2), Coloured().describe())
    assert str(caught.value) == (
        "coloured/labels.csv: data.split.train takes one image alone, so there is "
        "nothing to tell apart; 1 is one image, 1.0 are all"
    )


@pytest.mark.parametrize("kind", ["idx", "npz", "csv"])
def test_images_are_set_upright(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pixels = np.arange(2 * 2 * 3, dtype=np.uint8).reshape(2, 2, 3)
    Path("d").mkdir()
    for first, second in (NAMES[:2], NAMES[2:]):
        Path("d", first).write_bytes(idx((2, 2, 3), pixels.tobytes()))
        Path("d", second).write_bytes(idx((2,), b"\0\1"))
    np.savez("d.npz", x=pixels, y=[0, 1])
    np.savetxt("d.csv", np.column_stack([[0, 1], pixels.reshape(2, 6)]), delimiter=",")
    sources: dict[str, tuple[Idx | Npz | Csv, Path]] = {
        "idx": (Idx(path="d", classes=("a", "b"), transpose=True), Path("d")),
        "npz": (Npz(path="d.npz", transpose=True), Path("d.npz")),
        "csv": (
            Csv(path="d.csv", image_shape=(2, 3, 1), transpose=True),
            Path("d.csv"),
        ),
    }
    config, place = sources[kind]
    data = find_source(config).describe()
    assert (data.place, data.image_shape, data.num_train) == (place, (3, 2, 1), 2)
    images = data.source.load("train")
    assert np.array_equal(np.asarray(images.pixels)[..., 0], pixels.transpose(0, 2, 1))
    assert np.asarray(images.pixels).flags.c_contiguous


@pytest.mark.parametrize(
    ("files", "place", "kind"),
    [
        ({"a": b"PK\3\4 and more"}, "a", Npz),
        ({"a": b"PAR1 and more"}, "a", Parquet),
        ({"a": b"label,pixel1"}, "a", Csv),
        ({"a": gzip.compress(b"0,0,0,0,0")}, "a", Csv),
        ({"a": b""}, "a", Csv),
        ({"a": gzip.compress(b"\0\0\x08\3")}, "a", Idx),
        ({"d/train.csv": b"", "d/README": b""}, "d", Csv),
        ({"d/train.CSV.gz": b""}, "d", Csv),
        ({"d/train-0.parquet": b"", "d/x.csv": b""}, "d", Parquet),
        ({"d/train-images-idx3-ubyte": b"", "d/train.csv": b""}, "d", Idx),
        ({"d/README": b""}, "d", Idx),
        ({"d/README": b"", "d/a.JPG": b""}, "d", Folder),
        ({}, "d", Idx),
        ({}, "d/*.parquet", Parquet),
    ],
)
def test_the_kind_of_data_is_told_by_content(
    files: dict[str, bytes],
    place: str,
    kind: type,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in files.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(content)
    assert kind_at(Path(place)) is kind


def test_what_is_said_of_a_model_s_own_data_holds_for_other_data(
    tmp_path: Path,
) -> None:
    place = tmp_path / "d.npz"
    np.savez(place, x=np.zeros((2, 2, 2)), y=[0, 1])
    keys = NpzKeys(x_train="x")
    own = Npz(path="elsewhere.npz", keys=keys, transpose=True)
    assert source_at(place, CLASSES, own) == Transposed(NpzFile(place, CLASSES, keys))
    others = NpzFile(place, CLASSES, NpzKeys())
    assert source_at(place, CLASSES, FashionMNIST()) == others
    assert source_at(place, CLASSES) == others
