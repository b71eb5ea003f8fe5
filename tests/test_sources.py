"""Data sources: one for each type in a config, and one interface for all formats."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np
import pytest

from cnncli.config.document import parse_document
from cnncli.config.schema import Config, FashionMNIST, Idx, Source
from cnncli.data.dataset import load_split, load_splits
from cnncli.data.formats.idx_folder import IdxFolder
from cnncli.data.images import Images
from cnncli.data.source import DataInfo
from cnncli.data.sources import (
    EMBEDDED_FOLDER,
    FASHION_MNIST_CLASSES,
    SOURCES,
    find_source,
)
from cnncli.errors import DataError
from tests.builders import CONFIG, dataset

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
