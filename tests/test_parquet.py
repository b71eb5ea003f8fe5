"""Parquet files: pictures and labels as the Hugging Face hub lays them out."""

from __future__ import annotations

import io
import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from cnncli.config.schema import Parquet
from cnncli.data.formats.parquet_files import ParquetFiles
from cnncli.data.sources import find_source
from cnncli.errors import DataError

if TYPE_CHECKING:
    from tests.conftest import Cli

X = np.arange(6 * 2 * 3, dtype=np.uint8).reshape(6, 2, 3) * 7
Y = [0, 1, 2, 0, 1, 2]
ANIMALS = ["owl", "cat", "dog"]
NO_PICTURE = "no picture: neither bytes nor the path of a file"
RECORD = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def png(pixels: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def records(images: Any = X) -> list[dict[str, Any]]:
    return [{"bytes": png(image), "path": "x.png"} for image in images]


def save(
    path: str = "d.parquet",
    images: Any = None,
    labels: Any = Y,
    names: Any = None,
    **more: Any,
) -> None:
    """Write a file as the hub does; ``names`` are those in its metadata."""
    images = pa.array(records() if images is None else images, RECORD)
    columns = {"image": images, "label": pa.array(labels), **more}
    table = pa.table(columns)
    if names is not None:
        label = {"names": names, "_type": "ClassLabel"}
        features = {"image": {"_type": "Image"}, "label": label}
        metadata = json.dumps({"info": {"features": features}})
        table = table.replace_schema_metadata({"huggingface": metadata})
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


def refusal(path: str = "d.parquet", **asked: Any) -> str:
    source = find_source(Parquet(path=path, **asked))
    with pytest.raises(DataError) as caught:
        source.describe().source.load("train")
    return str(caught.value)


def classes(path: str = "d.parquet", **asked: Any) -> tuple[tuple[str, ...], list[int]]:
    source = find_source(Parquet(path=path, **asked))
    return source.describe().class_names, source.load("train").labels.tolist()


@pytest.mark.parametrize("folder", ["d", "d/data"])
def test_a_folder_of_the_hub_is_read(folder: str) -> None:
    for number in range(2):
        part = slice(3 * number, 3 * number + 3)
        save(
            f"{folder}/train-0000{number}-of-00002.parquet",
            records(X[part]), Y[part], ANIMALS,
        )  # fmt: skip
    save(f"{folder}/test-00000-of-00001.parquet", records(X[:2] + 1), Y[:2], ANIMALS)
    source = find_source(Parquet(path=folder))
    data = source.describe()
    assert data.class_names == tuple(ANIMALS)
    assert (data.image_shape, data.num_train, data.num_test) == ((2, 3, 1), 6, 2)
    assert data.notes == ()
    train, test = source.load("train"), source.load("test")
    assert np.array_equal(np.asarray(train.pixels)[..., 0], X)
    assert np.array_equal(np.asarray(test.pixels)[..., 0], X[:2] + 1)
    assert (train.labels.tolist(), test.labels.tolist()) == (Y, Y[:2])
    assert train.indices.tolist() == list(range(6))


@pytest.mark.parametrize(
    ("files", "path"),
    [
        (["mnist_train.parquet", "mnist-test.parquet"], "."),
        (["train/0000.parquet", "test/0000.parquet"], "."),
        (["a/train-00000-of-00001.parquet", "a/test-1.parquet"], "a/*.parquet"),
    ],
)
def test_names_tell_what_to_train_on(files: list[str], path: str) -> None:
    save(files[0])
    save(files[1], records(X[:3]), Y[:3])
    data = find_source(Parquet(path=path)).describe()
    assert (data.num_train, data.num_test) == (6, 3)


@pytest.mark.parametrize(
    ("files", "path"),
    [
        (["a.parquet", "b.parquet"], "."),
        (["test-0.parquet"], "test-0.parquet"),
        (["train-00000-of-00002.parquet"], "train-00000-of-00002.parquet"),
        (["test-0.parquet", "test-1.parquet", "train-0.parquet"], "./te*.parquet"),
    ],
)
def test_files_of_one_kind_are_a_whole(files: list[str], path: str) -> None:
    for file in files:
        save(file)
    data = find_source(Parquet(path=path)).describe()
    wanted = [file for file in files if file != "train-0.parquet"]
    assert (data.num_train, data.num_test) == (6 * len(wanted), 0)


def test_validation_images_of_their_own_are_passed_over_and_named() -> None:
    save("train-0.parquet")
    save("validation-0.parquet")
    assert find_source(Parquet(path=".")).describe().notes[0] == (
        "validation-0.parquet: not read; validation images are taken out of the others"
    )


@pytest.mark.parametrize(
    ("names", "labels", "given", "found", "numbers"),
    [
        (ANIMALS, Y, None, ("owl", "cat", "dog"), Y),
        ({"0": "owl", "2": "dog", "1": "cat"}, Y, None, ("owl", "cat", "dog"), Y),
        (dict(zip(map(str, range(11)), "abcdefghijk", strict=True)), [10, 2] * 3, None,
         tuple("abcdefghijk"), [10, 2] * 3),
        (["2", "1", "0"], Y, None, ("2", "1", "0"), Y),
        ([5, 6, 7], Y, None, ("5", "6", "7"), Y),
        (ANIMALS, Y, ("cat", "dog", "owl"), ("cat", "dog", "owl"), [2, 0, 1] * 2),
        (ANIMALS, Y, ("a", "b", "c"), ("a", "b", "c"), Y),
        (ANIMALS, ["cat", "owl", "dog"] * 2, None, tuple(ANIMALS), [1, 0, 2] * 2),
        (None, Y, None, ("0", "1", "2"), Y),
        (None, ["7", "10", "8"] * 2, None, ("7", "8", "10"), [0, 2, 1] * 2),
        (None, ["b", "a", "c"] * 2, None, ("a", "b", "c"), [1, 0, 2] * 2),
        (None, [True, False, True] * 2, None, ("0", "1"), [1, 0, 1] * 2),
    ],
)  # fmt: skip
def test_labels_become_classes(
    names: Any,
    labels: list[Any],
    given: tuple[str, ...] | None,
    found: tuple[str, ...],
    numbers: list[int],
) -> None:
    save(labels=labels, names=names)
    assert classes(classes=given) == (found, numbers)


def test_pictures_are_bytes_or_files_beside() -> None:
    rows = records()
    Path("d/more").mkdir(parents=True)
    Path("d/more/Größe.png").write_bytes(rows[2]["bytes"])
    rows[2] = {"bytes": None, "path": "more/Größe.png"}
    rows[3] = {"bytes": rows[3]["bytes"], "path": None}
    save("d/d.parquet", rows)
    pixels = find_source(Parquet(path="d/d.parquet")).load("train").pixels
    assert np.array_equal(np.asarray(pixels)[..., 0], X)
    table = pa.table({"img": [row["bytes"] for row in records()], "class": Y})
    pq.write_table(table, "plain.parquet")
    pixels = find_source(Parquet(path="plain.parquet")).load("train").pixels
    assert np.array_equal(np.asarray(pixels)[..., 0], X)


def test_pictures_are_brought_to_the_size_that_is_said() -> None:
    colour = np.zeros((5, 4, 3), np.uint8)
    save(images=[*records(X[:5]), *records([colour])])
    source = find_source(Parquet(path="d.parquet", image_shape=(2, 2, 3)))
    assert source.describe().image_shape == (2, 2, 3)
    assert source.load("train").pixels.shape == (6, 2, 2, 3)


@pytest.mark.parametrize(
    ("image", "found"),
    [
        (np.zeros((3, 2), np.uint8), "3 x 2 x 1"),
        (np.zeros((2, 3, 3), np.uint8), "2 x 3 x 3"),
    ],
)
def test_pictures_unlike_the_first_are_refused(image: Any, found: str) -> None:
    save(images=[*records(X[:5]), *records([image])])
    assert refusal() == (
        f"d.parquet: row 5, counted from 0: {found}, but the first picture is "
        "2 x 3 x 1; say what all are brought to, with image_shape: [HEIGHT, WIDTH, "
        "CHANNELS]"
    )


def test_grey_pictures_among_coloured_ones_are_taken() -> None:
    colour = np.zeros((2, 3, 3), np.uint8)
    save(images=[*records([colour]), *records(X[1:])])
    assert find_source(Parquet(path="d.parquet")).load("train").pixels.shape[3] == 3


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (None, NO_PICTURE),
        ({"bytes": b"", "path": ""}, NO_PICTURE),
        ({"bytes": None, "path": "x.png"},
         "no bytes, and x.png: can't read the file: No such file or directory"),
        ({"bytes": b"GIF", "path": None}, "not a picture in a format that is read: "
         "PNG, JPEG, GIF, BMP, TIFF, WEBP, PPM"),
    ],
)  # fmt: skip
def test_rows_without_a_picture_are_named(row: Any, problem: str) -> None:
    save(images=[*records(X[:5]), row])
    assert refusal() == f"d.parquet: row 5, counted from 0: {problem}"


@pytest.mark.parametrize(
    ("made", "asked", "problem"),
    [
        ({"labels": [0, 1, None] * 2}, {}, "label: expected whole numbers or text as "
         "labels, found nothing in row 2, counted from 0"),
        ({"labels": [0, 1, 0.5] * 2}, {}, "label: expected whole numbers or text as "
         "labels, found '0.0' in row 0, counted from 0"),
        ({"labels": [0, 1, 3] * 2, "names": ANIMALS}, {}, "label: expected labels from "
         "0 to 2 for 3 classes; found 3 in row 2, counted from 0"),
        ({"labels": [-1] * 6, "names": ANIMALS}, {}, "label: expected labels from 0 to "
         "2 for 3 classes; found -1 in row 0, counted from 0"),
        ({"names": {"0": "a", "1": "b", "3": "c"}}, {}, "label: no class has the "
         "number 2"),
        ({"names": {"a": "0", "b": "1"}}, {}, "label: expected the names of classes by "
         "numbers, found 'a', 'b'"),
        ({"names": "abc"}, {}, "label: expected the names of classes as a list"),
        ({"names": ["a", "b", "a"]}, {}, "label: the names of classes 'a' is given "
         "twice"),
        ({"labels": ["cow", "cat", "owl"] * 2, "names": ANIMALS}, {},
         "label: 'cow' in row 0, counted from 0, is none of the classes 'owl', 'cat', "
         "'dog'; did you mean 'owl'?"),
    ],
)  # fmt: skip
def test_labels_that_stand_for_no_class_are_refused(
    made: dict[str, Any], asked: dict[str, Any], problem: str
) -> None:
    save(**made)
    assert refusal(**asked) == f"d.parquet: {problem}"


@pytest.mark.parametrize(
    ("columns", "asked", "problem"),
    [
        (
            {"image": records(), "fine": Y},
            {},
            "can't tell which column has the labels; name it: "
            "data.source.parquet.label: NAME; the columns are 'image' (struct<bytes: "
            "binary, path: string>), 'fine' (int64)",
        ),
        (
            {"image": records(), "fine": Y},
            {"label": "fin"},
            "no column is called 'fin', as data.source.parquet.label says: the columns "
            "are 'image' (struct<bytes: binary, path: string>), 'fine' (int64); did "
            "you mean 'fine'?",
        ),
        (
            {"label": Y},
            {},
            "can't tell which column has the images; name it: "
            "data.source.parquet.image: NAME; the columns are 'label' (int64)",
        ),
        (
            {"a": [b"x"], "b": [b"y"], "label": [1]},
            {},
            "can't tell which column has the images; name it: "
            "data.source.parquet.image: NAME; the columns are 'a' (binary), 'b' "
            "(binary), 'label' (int64)",
        ),
        (
            {"image": [[1, 2]], "label": [1]},
            {"image": "image"},
            "expected pictures in column 'image', as bytes, alone or with a path; "
            "found list<element: int64>",
        ),
        (
            {"image": pa.array([], RECORD), "label": pa.array([], pa.int64())},
            {},
            "expected rows with pictures, found none",
        ),
    ],
)
def test_columns_that_are_not_clear_are_refused(
    columns: dict[str, Any], asked: dict[str, Any], problem: str
) -> None:
    pq.write_table(pa.table(columns), "d.parquet")
    assert refusal(**asked) == f"d.parquet: {problem}"


def test_columns_may_be_named() -> None:
    save(other=[b"x"] * 6, coarse=[0, 0, 1] * 2)
    assert classes(image="image", label="coarse") == (("0", "1"), [0, 0, 1] * 2)


def test_files_that_differ_are_refused() -> None:
    save("train-0.parquet", names=ANIMALS)
    save("test-0.parquet", names=sorted(ANIMALS))
    assert refusal(".") == (
        "test-0.parquet: its columns for images and labels, or the names of its "
        "classes, are not those of train-0.parquet"
    )


@pytest.mark.parametrize(
    ("files", "path", "problem"),
    [
        ([], "d", "d: can't find the data: No such file or directory"),
        ([], "*.parquet", "*.parquet: no file matches"),
        ([], ".", ".: expected files that end in .parquet, found none"),
        (["a/b.parquet"], ".", ".: expected files that end in .parquet, found none; "
         "there are a/b.parquet"),
        (["test.parquet", "val.parquet"], ".", ".: no file has 'train' in its name; "
         "found test.parquet, val.parquet"),
        (["train-00000-of-00003.parquet", "train-00002-of-00003.parquet"], ".",
         ".: train-00001-of-00003.parquet is missing, beside "
         "train-00000-of-00003.parquet"),
    ],
)  # fmt: skip
def test_files_that_are_missing_are_named(
    files: list[str], path: str, problem: str
) -> None:
    for file in files:
        save(file)
    assert refusal(path) == problem


def test_other_and_damaged_files_are_refused() -> None:
    save()
    good = Path("d.parquet").read_bytes()
    Path("d.parquet").write_bytes(b"<html>")
    assert refusal() == (
        "d.parquet: not Parquet but a web page, such as a server sends instead of a "
        "file that it doesn't give; download it again"
    )
    Path("d.parquet").write_bytes(b"PK")
    assert refusal() == "d.parquet: not a Parquet file"
    Path("d.parquet").write_bytes(good[:-9])
    assert refusal().startswith("d.parquet: the Parquet data is damaged: ")
    Path("d.parquet").write_bytes(good[:4] + bytes(40) + good[44:])
    assert refusal().startswith("d.parquet: ")
    table = pq.read_table(io.BytesIO(good))
    pq.write_table(table.replace_schema_metadata({"huggingface": "{"}), "d.parquet")
    assert refusal() == "d.parquet: the metadata of the Hugging Face hub is damaged"


def test_without_pyarrow_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(name: str) -> object:
        return None if name == "pyarrow" else find_spec(name)

    monkeypatch.setattr("cnncli.data.formats.parquet_files.find_spec", find)
    assert refusal() == (
        "d.parquet: reading Parquet needs pyarrow: pip install pyarrow"
    )


def test_pictures_have_names_and_headers(cli: Cli) -> None:
    save("d.parquet")
    lines = cli("data", "d.parquet").stdout.splitlines()
    assert next(line for line in lines if line.startswith("formats")).startswith(
        "formats    PNG ("
    )
    source = ParquetFiles(Path("d.parquet"), Parquet(path="d.parquet"))
    names = source.names("train")
    assert names[1] == "d.parquet: row 1"
    assert len(names) == source.describe().num_train
