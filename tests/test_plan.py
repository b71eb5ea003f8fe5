"""Which split takes how many images, where a config leaves that open."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnncli.config.document import parse_document
from cnncli.config.schema import Config, Data, FashionMNIST, Idx, Npz, Split
from cnncli.data.dataset import load_for_testing, load_split, load_splits
from cnncli.data.images import Images
from cnncli.data.plan import plan_split
from cnncli.data.source import DataInfo
from cnncli.data.sources import find_source
from cnncli.evaluation.images import load_evaluation_images
from cnncli.experiment.load import load_experiment
from cnncli.modelfile.file import open_model
from tests.builders import CONFIG, dataset

if TYPE_CHECKING:
    from cnncli.data.source import Pool
    from tests.conftest import Cli

IDX = Idx(path="data", classes=("cat", "dog"))


@dataclass(frozen=True)
class Whole:
    """Images of one pixel each, in three classes, with no test images among them."""

    labels: tuple[int, ...]

    def describe(self) -> DataInfo:
        place = Path("whole")
        classes = ("cat", "dog", "owl")
        return DataInfo(self, place, place, classes, (1, 1, 1), len(self.labels), 0)

    def load(self, pool: Pool) -> Images:
        assert pool == "train"
        count = len(self.labels)
        pixels = np.arange(count, dtype=np.uint8).reshape(count, 1, 1, 1)
        return Images(pixels, np.array(self.labels, np.uint8), np.arange(count))


def info(num_train: int, num_test: int) -> DataInfo:
    place = Path("data")
    return DataInfo(Whole(()), place, place, (), (1, 1, 1), num_train, num_test)


def config(split: dict[str, Any], seed: int = 1) -> Config:
    value = parse_document(CONFIG, "good.yaml").value
    value["data"]["split"] = split
    return Config.model_validate({**value, "seed": seed})


@pytest.mark.parametrize(
    ("source", "sizes", "split", "expected"),
    [
        (FashionMNIST(), (60_000, 10_000), {}, ("head", 10_000, 6_000, None)),
        (FashionMNIST(), (16_000, 10_000), {}, ("head", 10_000, 6_000, None)),
        (FashionMNIST(), (15_999, 10_000), {}, ("stratified", 0.8, 0.2, None)),
        (FashionMNIST(), (16_000, 0), {"test": 10}, ("head", 10_000, 6_000, 10)),
        (FashionMNIST(), (16_000, 9), {"train": 0.5}, ("head", 0.5, 6_000, None)),
        (IDX, (60_000, 10_000), {}, ("stratified", 0.8, 0.2, None)),
        (IDX, (100, 0), {}, ("stratified", 0.8, 0.2, 0.2)),
        (IDX, (100, 0), {"test": 0.5}, ("stratified", 0.8, 0.2, 0.5)),
        (IDX, (100, 9), {"train": 0.7}, ("stratified", 0.7, 0.2, None)),
        (IDX, (100, 9), {"train": 0.9}, ("stratified", 0.9, 10, None)),
        (IDX, (100, 9), {"train": 95}, ("stratified", 95, 5, None)),
        (IDX, (100, 9), {"train": 100}, ("stratified", 100, 0.2, None)),
        (IDX, (100, 9), {"validation": 0.3}, ("stratified", 70, 0.3, None)),
        (IDX, (100, 9), {"validation": 1}, ("stratified", 0.8, 1, None)),
        (
            IDX,
            (100, 9),
            {"train": 0.9, "validation_from": "test"},
            ("stratified", 0.9, 0.2, None),
        ),
        (
            IDX,
            (100, 0),
            {"method": "head", "train": 5, "validation": 6, "test": 7},
            ("head", 5, 6, 7),
        ),
    ],
)
def test_what_is_left_open_fits_the_data(
    source: FashionMNIST | Idx,
    sizes: tuple[int, int],
    split: dict[str, Any],
    expected: tuple[str, float, float, float | None],
) -> None:
    data, said = info(*sizes), Data(source=source, split=Split(**split))
    resolved = plan_split(said, data).as_split()
    found = (resolved.method, resolved.train, resolved.validation, resolved.test)
    assert found == expected
    again = Data(source=source, split=resolved)
    assert plan_split(again, data).as_split() == resolved


def test_the_resolved_config_shows_what_was_taken(cli: Cli) -> None:
    dataset("data")
    text = CONFIG.replace("  split: {method: head, train: 20, validation: 10}\n", "")
    Path("open.yaml").write_text(text)
    result = cli("train", "open.yaml", "--dry-run")
    assert "24 training, 6 validation and 12 test images" in result.stdout
    split = load_experiment(Path("open.yaml")).config.data.split
    assert split == Split(method="stratified", train=0.8, validation=0.2)


@given(
    labels=st.lists(st.integers(0, 2), max_size=60),
    test=st.one_of(st.integers(1, 9), st.floats(0.05, 0.5)),
    seed=st.integers(0, 2**32 - 1),
    method=st.sampled_from(["head", "random", "stratified"]),
)
def test_a_whole_is_dealt_without_overlap_or_rest(
    labels: list[int], test: int | float, seed: int, method: str
) -> None:
    data = Whole((0, 1, 2) * 20 + tuple(labels)).describe()
    plan = plan_split(config({"test": test}).data, data)
    sizes = {"train": plan.num_train, "validation": plan.pool - plan.num_train}
    asked = config({"method": method, "test": test, **sizes}, seed)
    splits = load_splits(asked, data)
    parts = (splits.train, splits.validation, splits.test)
    together = np.concatenate([part.indices for part in parts])
    assert sorted(together) == list(range(data.num_train))
    for part in parts:
        # The indices are those of the file.
        assert np.asarray(part.pixels).ravel().tolist() == part.indices.tolist()
    for name, part in zip(("train", "validation", "test"), parts, strict=True):
        alone, fingerprints = load_split(asked, data, name)  # type: ignore[arg-type]
        assert np.array_equal(alone.indices, part.indices)
        assert np.array_equal(alone.pixels, part.pixels)
        assert fingerprints == splits.fingerprints


def test_test_images_keep_the_share_of_each_class() -> None:
    data = Whole((0,) * 100 + (1,) * 50 + (2,) * 10).describe()
    splits = load_splits(config({}), data)
    counts = [
        np.bincount(part.labels).tolist()
        for part in (splits.test, splits.train, splits.validation)
    ]
    assert counts == [[20, 10, 2], [64, 32, 6], [16, 8, 2]]
    assert (np.diff(splits.test.indices) > 0).all()
    assert set(splits.fingerprints) == {"train"}


def test_test_images_depend_on_the_seed_alone() -> None:
    data = Whole((0, 1, 2) * 30).describe()

    def taken(split: dict[str, Any], seed: int) -> list[int]:
        indices: list[int] = load_splits(
            config(split, seed), data
        ).test.indices.tolist()
        return indices

    usual = taken({}, 1)
    assert usual == taken({"method": "head", "train": 9, "validation": 9}, 1)
    assert usual != taken({}, 2)
    assert usual[:6] == [2, 4, 14, 18, 20, 25]


@pytest.mark.parametrize("method", ["random", "stratified"])
def test_a_split_with_a_seed_of_its_own_is_the_same_for_every_other(
    method: str,
) -> None:
    data = Whole((0, 1, 2) * 30).describe()

    def drawn(split_seed: int | None, seed: int) -> str:
        asked = config({"method": method, "seed": split_seed}, seed)
        return load_splits(asked, data).indices_digest

    assert drawn(1, 2) == drawn(1, 3) == drawn(None, 1) == drawn(1, 1)
    assert len({drawn(None, 1), drawn(None, 2), drawn(3, 1)}) == 3


def test_validation_images_may_be_the_first_test_images() -> None:
    data = Whole((0, 1, 2) * 30).describe()
    asked = config({"validation_from": "test", "validation": 5})
    splits = load_splits(asked, data)
    assert splits.validation.indices.tolist() == splits.test.indices[:5].tolist()
    alone, _ = load_split(asked, data, "validation")
    assert alone.indices.tolist() == splits.validation.indices.tolist()


def test_other_data_is_taken_whole_where_no_test_images_are_set_apart() -> None:
    assert len(load_for_testing(Whole((0, 1, 2)).describe())) == 3


def save_whole() -> None:
    """Write d.npz: 60 images in three classes, and d.yaml to train on them."""
    pixels = np.arange(60 * 4, dtype=np.uint8).reshape(60, 2, 2)
    np.savez("d.npz", x=pixels, y=np.arange(60) % 3)
    text = CONFIG.replace("{idx: {path: data, classes: [cat, dog, owl]}}", "NPZ")
    text = text.replace("NPZ", "{npz: {path: d.npz}}").replace("method: head, ", "")
    Path("d.yaml").write_text(text)


@pytest.mark.usefixtures("undrawn")
def test_a_run_is_evaluated_on_the_images_that_were_set_apart(cli: Cli) -> None:
    save_whole()
    result = cli("train", "d.yaml")
    assert result.stderr.startswith(
        "note: d.npz: y: the classes are the different labels, sorted by number: 0, 1, "
        "2\n"
    )
    run = Path("runs/d")
    cli("evaluate", str(run), "--out", "again")
    for name in ("metrics.json", "predictions.csv"):
        assert Path("again", name).read_text() == (run / name).read_text()
    asked = load_experiment(run / "config.yaml")
    assert asked.config == load_experiment(Path("d.yaml")).config
    test, _ = load_split(asked.config, asked.data, "test")
    rows = (run / "predictions.csv").read_text().splitlines()[1:]
    assert [int(row.split(",")[0]) for row in rows] == test.indices.tolist()
    refused = cli("evaluate", str(run), "--data", "d.npz", exit_code=3)
    assert refused.stderr == (
        "error: d.npz: the model was trained on some of these images; leave out --data "
        "to take those that it has not seen\n"
    )


def test_all_images_test_an_adopted_model(finished: Path, tmp_path: Path) -> None:
    pixels = np.zeros((20, 28, 28), np.uint8)
    np.savez(tmp_path / "d.npz", x=pixels, y=np.arange(20) % 10)
    saved = open_model(finished)
    source = Npz(path=str(tmp_path / "d.npz"), classes=saved.class_names)
    data = saved.config.data.model_copy(update={"source": source, "split": Split()})
    adopted = replace(
        saved,
        config=saved.config.model_copy(update={"data": data}),
        fingerprints={
            "test": load_for_testing(find_source(source).describe()).digest()
        },
    )
    images, name = load_evaluation_images(adopted, "test", None)
    assert (len(images), name) == (20, "test")
    images, name = load_evaluation_images(saved, "test", tmp_path / "d.npz")
    assert (len(images), name) == (20, "data")
