"""CSV files: the layouts of Kaggle and others, told by content or by what is said."""

from __future__ import annotations

import gzip
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnncli.config.schema import Csv
from cnncli.data.sources import find_source
from cnncli.errors import DataError

X = np.arange(6 * 4, dtype=np.uint8).reshape(6, 4) * 11
Y = np.array([0, 1, 2, 0, 1, 2])
KAGGLE = [f"pixel{number}" for number in range(4)]
GRID = ["1x1", "1x2", "2x1", "2x2"]
SORTED = "the classes are the different labels, sorted by number: 0, 1, 2"
NONE = (
    "no label column, only 4 pixel columns; without labels nothing can be trained or "
    "evaluated"
)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def frame(columns: list[Any] = KAGGLE, labels: Any = Y, place: int = 0) -> pd.DataFrame:
    table = pd.DataFrame(X, columns=columns)
    table.insert(place, "label", labels)
    return table


def save(table: pd.DataFrame, path: str = "d.csv", header: bool = True) -> None:
    table.to_csv(path, index=False, header=header)


def check(notes: str, shape: tuple[int, ...] = (2, 2, 1), **asked: Any) -> None:
    """Check that X and Y are read out of d.csv, and what is said of it."""
    source = find_source(Csv(path="d.csv", **asked))
    data = source.describe()
    assert data.image_shape == shape
    assert (data.num_train, data.num_test) == (6, 0)
    assert data.notes[0] == f"d.csv: {notes}"
    images = source.load("train")
    assert images.pixels.shape == (6, *shape)
    assert np.array_equal(np.asarray(images.pixels).reshape(6, 4), X)
    assert images.labels.tolist() == Y.tolist()
    assert images.indices.tolist() == list(range(6))


def refusal(path: str = "d.csv", **asked: Any) -> str:
    source = find_source(Csv(path=path, **asked))
    with pytest.raises(DataError) as caught:
        source.describe().source.load("train")
    return str(caught.value)


@pytest.mark.parametrize("columns", [KAGGLE, GRID, list(range(4)), [5, 3, 1, 2]])
@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_header_tells_where_the_labels_are(columns: list[Any], place: int) -> None:
    save(frame(columns, place=place))
    check(
        f"the first row is a header; column {place + 1}, 'label', has the labels of "
        "2 x 2 x 1 images"
    )


def test_without_a_header_the_labels_come_first() -> None:
    save(frame(), header=False)
    check("there is no header; column 1 has the labels of 2 x 2 x 1 images")
    assert find_source(Csv(path="d.csv")).describe().notes[1] == f"d.csv: {SORTED}"


def test_a_column_of_any_name_may_have_the_labels() -> None:
    save(frame().rename(columns={"label": "digit"}))
    notes = "the first row is a header; column 1, 'digit', has the labels of 2 x 2 x 1"
    check(f"{notes} images", label="digit")
    save(frame([5, 0, 7, 1]).rename(columns={"label": "3"}))
    check(f"{notes} images".replace("digit", "3"), label="3")


@pytest.mark.parametrize(
    "shape", [(1, 4, 1), (4, 1, 1), (2, 2, 1)], ids=["row", "column", "square"]
)
def test_the_shape_may_be_said(shape: tuple[int, ...]) -> None:
    save(frame())
    sizes = " x ".join(map(str, shape))
    check(
        "the first row is a header; column 1, 'label', has the labels of "
        f"{sizes} images",
        shape,
        image_shape=shape[:2],
    )


def test_channels_run_fastest() -> None:
    pixels = np.arange(2 * 12, dtype=np.uint8).reshape(2, 12)
    save(pd.DataFrame(pixels).assign(label=[0, 1]))
    source = find_source(Csv(path="d.csv", image_shape=(2, 2, 3)))
    assert np.array_equal(source.load("train").pixels, pixels.reshape(2, 2, 2, 3))


@pytest.mark.parametrize(
    ("rows", "has_header"),
    [
        (["label,a,b,c,d", "1,0,0,0,0"], True),
        (["label,0,1,2,3", "cat,0,0,0,0"], True),
        (["x,0,1,2,3", "cat,0,0,0,0"], True),
        (["class,0,0,7,0", "1,0,0,0,0"], True),
        (["x,5,0,7,0", "1,0,0,0,0"], True),
        (["cat,5,0,7,0", "dog,0,0,0,0"], False),
        (["1,5,0,7,0", "2,0,0,0,0"], False),
        (["1.0,5.0,0.0,7e0,0", "2,0,0,0,0"], False),
        (["0,0,0,0,0"], False),
    ],
)
def test_a_header_is_told_by_content(rows: list[str], has_header: bool) -> None:
    more = ["1,0,0,0,0", "dog,1,1,1,1"] if "cat" in "".join(rows) else ["1,0,0,0,0"]
    Path("d.csv").write_text("\n".join([*rows, *more, "3,1,1,1,1"]))
    label = rows[0].split(",")[0] if has_header else None
    data = find_source(Csv(path="d.csv", label=label)).describe()
    found = "the first row is a header" if has_header else "there is no header"
    assert data.notes[0].startswith(f"d.csv: {found};")
    assert data.num_train == len([*rows, *more]) + 1 - has_header


@pytest.mark.parametrize("first", ["0,1,2,3,4", "1,2,3,4,5", "cat,5,7,0,0"])
def test_a_header_that_can_not_be_told_is_asked_for(first: str) -> None:
    rows = ["3,0,0,0,0", "1,9,9,9,9"] if first[0].isdecimal() else []
    Path("d.csv").write_text("\n".join([first, *rows]))
    shown = ", ".join(first.split(",")[:4])
    assert refusal() == (
        f"d.csv: can't tell whether the first row, {shown}, ..., is a header; say it: "
        "data.source.csv.header: true, or false"
    )
    if rows:
        said = find_source(Csv(path="d.csv", header=False)).describe()
        assert said.num_train == 3
        name = first[0]
        said = find_source(Csv(path="d.csv", header=True, label=name)).describe()
        assert said.num_train == 2


def test_kaggle_s_folders_are_read() -> None:
    Path("d").mkdir()
    save(frame(), "d/fashion-mnist_train.csv")
    save(frame()[:3], "d/fashion-mnist_test.csv")
    Path("d/sample_submission.csv").write_text("ImageId,Label\n")
    source = find_source(Csv(path="d"))
    data = source.describe()
    assert (data.num_train, data.num_test) == (6, 3)
    assert source.load("test").labels.tolist() == [0, 1, 2]
    assert [note.partition(":")[0] for note in data.notes] == [
        "d/fashion-mnist_train.csv",
        "d/fashion-mnist_test.csv",
        "d/fashion-mnist_train.csv",
    ]


def test_test_images_without_labels_are_refused() -> None:
    Path("d").mkdir()
    save(frame(), "d/train.csv")
    save(frame().drop(columns="label"), "d/test.csv")
    assert refusal("d") == (
        f"d/test.csv: {NONE}; to test on some of the other images, give the path of "
        "train.csv itself"
    )
    assert find_source(Csv(path="d/train.csv")).describe().num_test == 0


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([], "none"),
        (["a.csv", "b.csv"], "a.csv, b.csv"),
        (["train1.csv", "train2.csv"], "train1.csv, train2.csv"),
        (["train.csv", "test1.csv", "test2.csv"], "test1.csv, test2.csv, train.csv"),
        ([f"{n}.csv" for n in range(8)], "0.csv, 1.csv, 2.csv, 3.csv, 4.csv, 5.csv, "
         "..."),
    ],
)  # fmt: skip
def test_folders_in_which_files_are_not_clear_are_refused(
    names: list[str], found: str
) -> None:
    Path("d").mkdir()
    for name in names:
        save(frame(), f"d/{name}")
    assert refusal("d") == (
        "d: expected a single CSV file, or one with 'train' in its name and perhaps "
        f"one with 'test'; found {found}"
    )


def test_a_folder_may_have_one_file_of_any_name() -> None:
    Path("d").mkdir()
    save(frame(), "d/DIGITS.CSV")
    assert find_source(Csv(path="d")).describe().num_train == 6


@pytest.mark.parametrize(
    ("labels", "classes", "names", "numbers"),
    [
        (["b", "a", "c"] * 2, None, ("a", "b", "c"), [1, 0, 2] * 2),
        (["10", "9", "8"] * 2, None, ("8", "9", "10"), [2, 1, 0] * 2),
        (["a, b", 'c "d"', "é"] * 2, None, ("a, b", 'c "d"', "é"), [0, 1, 2] * 2),
        ([0, 1, 1] * 2, ("no", "yes"), ("no", "yes"), [0, 1, 1] * 2),
        (["yes", "no", "no"] * 2, ("no", "yes"), ("no", "yes"), [1, 0, 0] * 2),
        ([2.0, 1.0, 2.0] * 2, None, ("1", "2"), [1, 0, 1] * 2),
    ],
)
@pytest.mark.parametrize("place", [0, 2, 4])
def test_labels_become_classes(
    labels: list[Any],
    classes: tuple[str, ...] | None,
    names: tuple[str, ...],
    numbers: list[int],
    place: int,
) -> None:
    save(frame(labels=labels, place=place))
    source = find_source(Csv(path="d.csv", classes=classes))
    assert source.describe().class_names == names
    images = source.load("train")
    assert images.labels.tolist() == numbers
    assert np.array_equal(np.asarray(images.pixels).reshape(6, 4), X)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text,
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.rstrip(b"\n"),
        lambda text: b"\xef\xbb\xbf" + text.replace(b"\n", b"\n\n"),
        lambda text: text.replace(b",", b", "),
        lambda text: text.replace(b"66", b'"66"'),
        gzip.compress,
    ],
    ids=["plain", "CRLF", "no end", "BOM", "blanks", "quotes", "gzip"],
)
def test_a_file_is_read_as_programs_write_it(change: Any) -> None:
    save(frame())
    Path("d.csv").write_bytes(change(Path("d.csv").read_bytes()))
    check(
        "the first row is a header; column 1, 'label', has the labels of 2 x 2 x 1 "
        "images"
    )


def test_a_file_is_read_as_numpy_writes_it() -> None:
    np.savetxt("d.csv", np.column_stack([Y, X]), delimiter=",")
    check("there is no header; column 1 has the labels of 2 x 2 x 1 images")


def test_more_rows_than_are_parsed_at_once_are_read() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2_500, 4), np.uint8)
    save(pd.DataFrame(pixels).assign(label=np.arange(2_500) % 2))
    images = find_source(Csv(path="d.csv")).load("train")
    assert np.array_equal(np.asarray(images.pixels).reshape(-1, 4), pixels)


@pytest.mark.parametrize(
    ("text", "asked", "problem"),
    [
        ("", {}, "expected rows of numbers, found none"),
        ("label,a\n\n", {}, "expected rows of numbers after the header, found none"),
        ("label,a,b,c,d\n0,1,2,3,4\n1,1,2,3\n", {},
         "expected 5 fields in line 3, as in others; found 4"),
        ("label,a,b,c,d\n0,1,2,3,4\n\n1,1,2,3,4,5\n", {},
         "expected 5 fields in line 4, as in others; found 6"),
        ("label,a,b,c,d\n0,1,2,3,4\n,1,2,3,4\n", {}, "no label in line 3"),
        ("label,a,b\n0,1,2\n1,1,2\n", {},
         "2 pixel columns beside the labels are no square image; say its size: "
         "data.source.csv.image_shape: [HEIGHT, WIDTH]"),
        ("label,a,b\n0,1,2\n1,1,2\n", {"image_shape": (2, 3)},
         "expected 6 pixel columns for images of 2 x 3 x 1, as "
         "data.source.csv.image_shape says; found 2"),
        ("a,b,c,d\n1,2,3,4\n1,2,3,4\n", {}, NONE),
        ("1,2,9,4\n1,2,9,4\n", {}, NONE),
        ("a,b,c,d\n1,2,3,4\n1,2,3,4\n", {"image_shape": (4, 1)}, NONE),
        ("id,label,a\n7,1,2\n8,0,4\n", {},
         "2 pixel columns beside the labels are no square image; say its size: "
         "data.source.csv.image_shape: [HEIGHT, WIDTH]"),
        ("kind,a,b,c,d\n7,1,2,3,4\n8,0,4,3,4\n", {},
         "can't tell which column has the labels; name it: data.source.csv.label: "
         "NAME; the columns are 'kind', 'a', 'b', 'c', 'd'"),
        ("class,label,b,c,d\n7,1,2,3,4\n8,0,4,3,4\n", {},
         "can't tell which column has the labels; name it: data.source.csv.label: "
         "NAME; the columns are 'class', 'label', 'b', 'c', 'd'"),
        ("kind,a,b,c,d\n7,1,2,3,4\n8,0,4,3,4\n", {"label": "knid"},
         "no column is called 'knid', as data.source.csv.label says: the columns are "
         "'kind', 'a', 'b', 'c', 'd'; did you mean 'kind'?"),
        ("7,1,5,3,4\n8,0,4,3,4\n", {"label": "kind"},
         "no column is called 'kind', as data.source.csv.label says: there is no "
         "header"),
        ("0,1,9,3,4\n1,1,9,300,4\n", {},
         "expected whole pixel values from 0 to 255, found '300' in line 2, column 4"),
        ("0,1,9,3,4\n1,1,-9,3,4\n", {},
         "expected whole pixel values from 0 to 255, found '-9' in line 2, column 3"),
        ("label,a,b,c,d\n0,1,9,3,4\n1,1,9,,4\n", {},
         "expected whole pixel values from 0 to 255, found '' in line 3, column 4"),
        ("a,b,c,d,label\n0,1,9,3,4\n1,x,9,1,5\n", {},
         "expected whole pixel values from 0 to 255, found 'x' in line 3, column 2"),
        ("a,label,c,d,e\n0,1,9,3,4\n1,0,0.5,1,5\n", {},
         "expected whole pixel values from 0 to 255, found '0.5' in line 3, column 3"),
        ("label,a,b,c,d\n0,1,nan,3,4\n1,1,9,inf,4\n", {},
         "expected whole pixel values from 0 to 255, found 'nan' in line 2, column 3"),
        ("label,a,b,c,d\n0,1,9,3,4\n1,1,\"9,1\",3,4\n", {},
         "lines 2 to 3 can't be read as numbers"),
        ("label,a,b,c,d\n0,1,\"9,1\",3,4\n1,1,\"9,1\",3,4\n", {},
         "lines 2 to 3 can't be read as numbers"),
        ("label,a,b,c,d\n0,1,9,3,4\n\"1,1,9,3,4\n", {},
         "line 3 is not valid CSV: unexpected end of data"),
        ("label,a,b,c,d\n0,1,9,3,99999999999999999999\n1,1,9,3,4\n", {},
         "expected whole pixel values from 0 to 255, found '99999999999999999999' in "
         "line 2, column 5"),
        ("<!doctype html>\n", {}, "not CSV but a web page, such as a server sends "
         "instead of a file that it doesn't give; download it again"),
        ("version https://git-lfs.github.com/spec/v1\n", {}, "not CSV but a Git LFS "
         "pointer to it; fetch the file itself with 'git lfs pull'"),
        ("PK\3\4", {}, "not CSV but a zip archive; unpack it first"),
        ("a\0b", {}, "not CSV: it has bytes that no text has"),
        ("label,a,b,c,d\n0,1,9,3,4\n0,1,9,3,4\n", {},
         "all labels are 0, so there is nothing to tell apart"),
        ("0,1,9,3,4\n5,1,9,3,4\n", {"classes": ("a", "b")},
         "expected labels from 0 to 1 for 2 classes; found 5 in row 1, counted from 0"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_table_of_images_is_refused(
    text: str, asked: dict[str, Any], problem: str
) -> None:
    Path("d.csv").write_text(text)
    assert refusal(**asked) == f"d.csv: {problem}"


def test_other_encodings_are_refused() -> None:
    Path("d.csv").write_text("label,a\n0,1\n", "utf-16")
    assert refusal() == "d.csv: expected UTF-8, found UTF-16; save it as UTF-8"
    Path("d.csv").write_bytes("läbel,a\n0,1\n".encode("latin-1"))
    assert refusal() == "d.csv: line 1 is not valid UTF-8"
    Path("d.csv").write_bytes("label,a\nä,1\nb,1".encode("latin-1"))
    assert refusal() == "d.csv: line 2 is not valid UTF-8"


def test_files_of_unlike_images_are_refused() -> None:
    Path("d").mkdir()
    save(frame(), "d/train.csv")
    save(frame()[["label", "pixel0"]], "d/test.csv")
    assert refusal("d") == (
        "d/test.csv: images of 1 x 1 x 1, but those to train on have 2 x 2 x 1"
    )


def test_a_label_that_only_test_images_have_is_refused() -> None:
    Path("d").mkdir()
    save(frame(labels=["a", "b"] * 3), "d/train.csv")
    save(frame(labels=["a", "b", "c"] * 2), "d/test.csv")
    assert refusal("d") == (
        "d/test.csv: 'c' in row 2, counted from 0, is none of the classes 'a', 'b'"
    )


def test_no_more_is_held_than_a_line_may_have() -> None:
    Path("d.csv").write_bytes(gzip.compress(b"1," * 30_000_000, 1))
    tracemalloc.start()
    try:
        assert refusal() == (
            "d.csv: a line may have at most 16,777,216 bytes, and all together "
            "4,294,967,296"
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 80_000_000


@given(st.binary(max_size=60))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    Path("d.csv").write_bytes(content)
    source = find_source(Csv(path="d.csv"))
    try:
        found = source.describe().num_train
    except DataError:
        return
    assert found >= 2


def test_describing_needs_no_heavy_library() -> None:
    save(frame())
    code = (
        "import sys; from cnncli.config.schema import Csv; "
        "from cnncli.data.sources import find_source; "
        "find_source(Csv(path='d.csv')).describe(); print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert {"numpy", "tensorflow", "pandas", "pyarrow"}.isdisjoint(loaded)
