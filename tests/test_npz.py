""".npz files: what NumPy writes is read without NumPy's help, all else refused."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
import tracemalloc
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as np_st

from cnncli.config.schema import Npz, NpzKeys
from cnncli.data.formats.npz import as_labels, read_elements, read_headers
from cnncli.data.formats.npz_file import NpzFile
from cnncli.data.pixels import as_bytes
from cnncli.data.sources import find_source
from cnncli.errors import DataError

KEYS = NpzKeys()
X = np.arange(6 * 2 * 3, dtype=np.uint8).reshape(6, 2, 3)
Y = np.array([0, 1, 2, 0, 1, 2])
SOURCE = NpzFile(Path("d.npz"), None, KEYS)
AS_BYTES = "store them as unsigned 8-bit integers from 0, black, to 255, white"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def save(**arrays: Any) -> None:
    np.savez("d.npz", **arrays)


def refusal(source: NpzFile = SOURCE) -> str:
    """Return how a file is refused when it is described, or when it is loaded."""
    with pytest.raises(DataError) as caught:
        source.describe().source.load("train")
    return str(caught.value)


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_the_layout_of_keras_is_read(write: Any) -> None:
    write("d.npz", x_train=X, y_train=Y, x_test=X[:3, ::-1], y_test=Y[:3])
    source = find_source(Npz(path="d.npz"))
    data = source.describe()
    assert data.class_names == ("0", "1", "2")
    assert (data.image_shape, data.num_train, data.num_test) == ((2, 3, 1), 6, 3)
    assert data.notes == (
        "d.npz: y_train: the classes are the different labels, sorted by number: 0, 1, "
        "2",
    )
    train, test = source.load("train"), source.load("test")
    assert np.array_equal(np.asarray(train.pixels)[..., 0], X)
    assert np.array_equal(np.asarray(test.pixels)[..., 0], X[:3, ::-1])
    assert (train.labels.tolist(), test.labels.tolist()) == (Y.tolist(), [0, 1, 2])
    assert train.indices.tolist() == list(range(6))


def test_a_whole_without_test_images_is_read() -> None:
    save(x=np.stack([X] * 3, axis=-1), y=Y[:, np.newaxis])
    data = SOURCE.describe()
    assert (data.image_shape, data.num_train, data.num_test) == ((2, 3, 3), 6, 0)


def test_arrays_of_other_names_are_found_with_keys() -> None:
    save(pictures=X, answers=Y, more=X[:2], y_test=Y[:2])
    keys = NpzKeys(x_train="pictures", y_train="answers", x_test="more")
    assert NpzFile(Path("d.npz"), None, keys).describe().num_test == 2


@pytest.mark.parametrize(
    ("labels", "given", "names", "numbers"),
    [
        (["b", "a", "c", "b", "a", "c"], None, ("a", "b", "c"), [1, 0, 2, 1, 0, 2]),
        (["b", "a", "b", "b", "a", "b"], ("b", "a"), ("b", "a"), [0, 1, 0, 0, 1, 0]),
        ([10, 9, 2, 2, 9, 10], None, ("2", "9", "10"), [2, 1, 0, 0, 1, 2]),
        (["10", "9", "2"] * 2, None, ("2", "9", "10"), [2, 1, 0] * 2),
        ([1, 0, 1, 0, 1, 0], ("no", "yes"), ("no", "yes"), [1, 0, 1, 0, 1, 0]),
        (["7", "x", "7", "7", "x", "x"], None, ("7", "x"), [0, 1, 0, 0, 1, 1]),
        ([2, 1, 1, 2, 1, 1], ("1", "2"), ("1", "2"), [1, 0, 0, 1, 0, 0]),
        ([1.0, 0.0] * 3, ("no", "yes"), ("no", "yes"), [1, 0] * 3),
        (["1.0", "0.000e+00"] * 3, None, ("0", "1"), [1, 0] * 3),
        (["1.5", "1.0e-03", "1.0"] * 2, None, ("1.0", "1.0e-03", "1.5"), [2, 1, 0] * 2),
        ([2**53, 2**53 + 1] * 3, None, (str(2**53), str(2**53 + 1)), [0, 1] * 3),
        (["9" * 5000, "1"] * 3, ("1", "9" * 5000), ("1", "9" * 5000), [1, 0] * 3),
        (["00", "01"] * 3, ("01", "00"), ("01", "00"), [1, 0] * 3),
        ([True, False] * 3, None, ("0", "1"), [1, 0] * 3),
        (["Größe", "画像"] * 3, None, ("Größe", "画像"), [0, 1] * 3),
    ],
)
def test_labels_become_classes(
    labels: list[Any],
    given: tuple[str, ...] | None,
    names: tuple[str, ...],
    numbers: list[int],
) -> None:
    for array in (
        np.array(labels),
        np.array(labels, np.array(labels).dtype.newbyteorder()),
    ):
        save(x=X, y=array)
        source = NpzFile(Path("d.npz"), given, KEYS)
        assert source.describe().class_names == names
        assert source.load("train").labels.tolist() == numbers


@pytest.mark.parametrize(
    ("descr", "factor"),
    [
        ("u1", 1), ("i1", 1), (">u2", 1), ("<u2", 257), (">u2", 257), (">i4", 1),
        ("<i8", 1), (">u8", 1), (">f4", 1), (">f4", 1 / 255), ("<f8", 1 / 255),
        (">f8", 1), ("<f2", 1 / 255),
    ],
)  # fmt: skip
@pytest.mark.parametrize("order", ["C", "F"])
def test_values_keep_their_meaning_in_every_type(
    descr: str, factor: float, order: Any
) -> None:
    values = X if descr == "i1" else X * 7  # up to 245
    save(x=np.asarray(values * np.array(factor), descr, order=order), y=Y)
    assert np.array_equal(np.asarray(SOURCE.load("train").pixels)[..., 0], values)


def test_truth_values_are_black_and_white() -> None:
    save(x=X % 2 == 1, y=Y)
    assert np.array_equal(np.asarray(SOURCE.load("train").pixels)[..., 0], X % 2 * 255)


def test_floats_that_were_divided_in_32_bits_are_read_in_64() -> None:
    every = np.arange(256, dtype=np.float32) / np.float32(255)
    found = as_bytes(every.astype(np.float64).reshape(256, 1), "x")
    assert found.ravel().tolist() == list(range(256))


@pytest.mark.parametrize(
    ("pixels", "problem"),
    [
        (X.astype("<f4") / 100, "expected 255ths from 0 to 1, found 0.01"),
        (X / 2, "expected whole pixel values, found 0.5"),
        (X.astype(np.uint16) * 100, "pixel values of more than 8 bits, and how many "
         "isn't known: expected multiples of 257, found 100"),
    ],
    ids=["hundredths", "halves", "16 bits"],
)  # fmt: skip
def test_values_that_would_have_to_be_guessed_are_refused(
    pixels: Any, problem: str
) -> None:
    save(x=pixels, y=Y)
    assert refusal() == f"d.npz: x: {problem} in row 0, counted from 0; {AS_BYTES}"


@pytest.mark.parametrize(
    ("pixels", "found"),
    [
        (X.astype(np.int16) - 1, "-1 to 34"),
        (X.astype(np.int32) * 100, "0 to 3500"),
        (X * -1.0, "-35 to -0"),
        (np.where(X == 5, np.inf, 0), "0 to inf"),
    ],
)
def test_values_out_of_range_are_refused(pixels: Any, found: str) -> None:
    save(x=pixels, y=Y)
    assert refusal() == (
        f"d.npz: x: expected pixel values from 0 to 255, found {found}; {AS_BYTES}"
    )


def test_nan_is_refused() -> None:
    save(x=np.where(X == 5, np.nan, 0), y=Y)
    assert refusal() == "d.npz: x: among the pixel values is NaN, which is no number"


@pytest.mark.parametrize(
    ("arrays", "problem"),
    [
        (
            {"train_images": X, "train_labels": Y, "test_images": X, "test_labels": Y},
            "d.npz: expected arrays x_train, y_train, x_test and y_test, or x and y; "
            "found train_images (6, 2, 3) uint8, train_labels (6,) int64, test_images "
            "(6, 2, 3) uint8, test_labels (6,) int64; say which is which with "
            "data.source.npz.keys: {x_train: train_images, y_train: train_labels, "
            "x_test: test_images, y_test: test_labels}",
        ),
        (
            {"arr_0": X},
            "d.npz: expected arrays x_train, y_train, x_test and y_test, or x and y; "
            "found arr_0 (6, 2, 3) uint8; say which is which with "
            "data.source.npz.keys: {x_train: NAME, y_train: NAME}",
        ),
        (
            {},
            "d.npz: expected arrays x_train, y_train, x_test and y_test, or x and y; "
            "found none; say which is which with data.source.npz.keys: {x_train: NAME, "
            "y_train: NAME}",
        ),
        (
            {"x_train": X, "y_train": Y, "x_test": X},
            "d.npz: expected arrays y_test; found x_train (6, 2, 3) uint8, y_train "
            "(6,) int64, x_test (6, 2, 3) uint8; say which is which with "
            "data.source.npz.keys: {x_train: x_train, y_train: y_train}",
        ),
        (
            {"x": X.reshape(6, 6), "y": Y},
            "d.npz: x: expected (n, height, width) or (n, height, width, 1 or 3), "
            "found (6, 6); give each image its rows, with x.reshape(n, height, width)",
        ),
        (
            {"x": np.zeros((6, 3, 4, 5)), "y": Y},
            "d.npz: x: expected (n, height, width) or (n, height, width, 1 or 3), "
            "found (6, 3, 4, 5); put the channels last, with numpy.moveaxis(x, 1, 3)",
        ),
        (
            {"x": np.stack([X] * 4, axis=-1), "y": Y},
            "d.npz: x: expected (n, height, width) or (n, height, width, 1 or 3), "
            "found (6, 2, 3, 4)",
        ),
        (
            {"x": X, "y": Y[:5]},
            "d.npz: y: expected (6,), a label for each image in x; found (5,)",
        ),
        (
            {"x": X, "y": np.eye(3)[Y]},
            "d.npz: y: expected (6,), a label for each image in x; found (6, 3); of "
            "one-hot labels store the argmax",
        ),
        (
            {"x_train": X, "y_train": Y, "x_test": X[:, :, :2], "y_test": Y},
            "d.npz: x_test: images of 2 x 2 x 1, but those to train on have 2 x 3 x 1",
        ),
        (
            {"x": X.astype(str), "y": Y},
            "d.npz: x: expected numbers, found (6, 2, 3) text",
        ),
        (
            {"x": X.astype(complex), "y": Y},
            "d.npz: x: expected numbers, found (6, 2, 3) of another type",
        ),
        (
            {"x": X, "y": Y.astype("datetime64[s]")},
            "d.npz: y: expected numbers or text, found '<M8[s]'",
        ),
        (
            {"x": X[:0], "y": Y[:0]},
            "d.npz: x: expected from 1 to 4,294,967,296 bytes, found (0, 2, 3) uint8",
        ),
        (
            {"x": X, "y": Y / 2},
            "d.npz: y: expected whole numbers or text as labels, found 0.5 in row 1, "
            "counted from 0",
        ),
        (
            {"x": X, "y": Y - 1},
            "d.npz: y: -1 is among the labels, as where there are none",
        ),
        (
            {"x": X, "y": Y * 0},
            "d.npz: y: all labels are 0, so there is nothing to tell apart",
        ),
        (
            {"x": X, "y": np.array(["a", "b", "c\n"] * 2)},
            "d.npz: y: the names of classes must be one line without control "
            "characters, got 'c\\n'",
        ),
        (
            {"x_train": X, "y_train": Y, "x_test": X, "y_test": Y + 1},
            "d.npz: y_test: '3' in row 2, counted from 0, is none of the classes '0', "
            "'1', '2'",
        ),
        (
            {"x": np.zeros((300, 1, 1)), "y": np.arange(300)},
            "d.npz: y: 300 different labels, '0', '1', '2', ...; at most 256 classes "
            "can be told apart; are these the labels?",
        ),
    ],
)  # fmt: skip
def test_arrays_that_are_no_data_set_are_refused(
    arrays: dict[str, Any], problem: str
) -> None:
    save(**arrays)
    assert refusal() == problem


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        (
            np.array([1, 2, 3] * 2),
            "d.npz: y: expected labels from 0 to 2 for 3 classes; found 1 to 3 and "
            "none that is 0, as in EMNIST Letters: name one class more, before the "
            "others, that has no images",
        ),
        (
            np.array([0, 3, 1] * 2),
            "d.npz: y: expected labels from 0 to 2 for 3 classes; found 3 in row 1, "
            "counted from 0",
        ),
        (
            np.array([0, -1, 1] * 2),
            "d.npz: y: expected labels from 0 to 2 for 3 classes; found -1 in row 1, "
            "counted from 0",
        ),
        (
            np.array(["cat", "cow", "dog"] * 2),
            "d.npz: y: 'cow' in row 1, counted from 0, is none of the classes 'cat', "
            "'dog', 'owl'; did you mean 'owl'?",
        ),
    ],
)
def test_labels_that_are_not_of_the_classes_are_refused(
    labels: Any, problem: str
) -> None:
    save(x=X, y=labels)
    assert refusal(NpzFile(Path("d.npz"), ("cat", "dog", "owl"), KEYS)) == problem


class Harmful:
    """Writes a file when it is unpickled."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("harm"),))


@pytest.mark.parametrize("name", ["x", "y"])
def test_objects_are_refused_and_not_unpickled(name: str) -> None:
    objects = np.array([Harmful()] * 6, dtype=object)
    if name == "x":
        objects = np.broadcast_to(objects[:, None, None], X.shape)
    save(**{"x": X, "y": Y, name: objects})
    assert refusal() == (
        f"d.npz: {name}: an array of Python objects, which could run code when it is "
        "read; store numbers or text, as with numpy.array(..., dtype='uint8')"
    )
    assert not Path("harm").exists()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "not .npz: it isn't a zip archive"),
        (b"<!DOCTYPE html>", "not .npz but a web page, such as a server sends instead "
         "of a file that it doesn't give; download it again"),
        (b"\x93NUMPY\x01\0", "not .npz but a single array; put images and labels into "
         "one file with numpy.savez"),
        (pickle.dumps([1]), "not .npz: it isn't a zip archive"),
        (b"PK\3\4", "the archive is damaged: File is not a zip file"),
    ],
)  # fmt: skip
def test_other_files_are_refused(content: bytes, problem: str) -> None:
    Path("d.npz").write_bytes(content)
    assert refusal() == f"d.npz: {problem}"


def test_a_file_that_is_not_there_is_named() -> None:
    assert refusal() == "d.npz: can't find the data: No such file or directory"
    Path("d.npz").mkdir()
    assert refusal() == "d.npz: can't read the file: Is a directory"


def archive(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile("d.npz", "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"no array", "d.npz: x: not an array as NumPy writes it"),
        (b"\x93NUM", "d.npz: x: not an array as NumPy writes it"),
        (b"\x93NUMPY\x01\0\x10\0{'descr': ", "d.npz: x: the array's header is damaged"),
        (
            npy(X).replace(b"(6, 2, 3)", b"(6,-2, 3)"),
            "d.npz: x: the array's header is damaged",
        ),
        (
            npy(X).replace(b"'|u1'", b"[[[[["),
            "d.npz: x: the array's header is damaged",
        ),
        (npy(X)[:-1], "d.npz: x: expected 36 bytes after the header, as it declares; "
         "found only 35"),
        (npy(X) + b"x", "d.npz: x: expected 36 bytes after the header, as it declares; "
         "found more"),
        (
            npy(X).replace(b"(6, 2, 3)", b"(6, 2000000000, 3)"),
            "d.npz: x: expected from 1 to 4,294,967,296 bytes, found (6, 2000000000, "
            "3) uint8",
        ),
    ],
    ids=["text", "short", "cut", "negative", "nested", "less", "more", "huge"],
)  # fmt: skip
def test_damaged_arrays_are_refused(content: bytes, problem: str) -> None:
    archive({"x.npy": content, "y.npy": npy(Y)})
    assert refusal() == problem


def test_an_archive_compressed_otherwise_is_refused() -> None:
    archive({"x.npy": npy(X), "y.npy": npy(Y)}, zipfile.ZIP_BZIP2)
    assert refusal() == (
        "d.npz: 'x.npy' is encrypted, or compressed as NumPy doesn't do it"
    )


def test_no_more_is_held_than_is_declared() -> None:
    archive({"x.npy": npy(X) + bytes(50_000_000), "y.npy": npy(Y)})
    tracemalloc.start()
    try:
        assert refusal().endswith("found more")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3_000_000


def test_damaged_bytes_are_refused_or_harmless() -> None:
    np.savez_compressed("d.npz", x=X, y=Y)
    good = Path("d.npz").read_bytes()
    for position in range(0, len(good), 3):
        changed = bytearray(good)
        changed[position] ^= 0xFF
        for content in (bytes(changed), good[:position]):
            Path("d.npz").write_bytes(content)
            with suppress(DataError):
                images = SOURCE.describe().source.load("train")
                assert np.array_equal(np.asarray(images.pixels)[..., 0], X)


@given(
    array=np_st.arrays(
        st.one_of(
            np_st.integer_dtypes(endianness="?"),
            np_st.unsigned_integer_dtypes(endianness="?"),
            np_st.unicode_string_dtypes(endianness="?", min_len=1),
        ),
        st.integers(1, 9),
    )
)
def test_labels_are_read_without_numpy_as_numpy_reads_them(array: Any) -> None:
    save(y=array)
    assert str(read_headers(Path("d.npz"))["y"]).startswith(str(array.shape))
    assert as_labels("y", *read_elements(Path("d.npz"), "y")) == array.tolist()


def test_describing_needs_no_heavy_library() -> None:
    save(x_train=X, y_train=Y.astype(str))
    code = (
        "import sys; from cnncli.config.schema import Npz; "
        "from cnncli.data.sources import find_source; "
        "find_source(Npz(path='d.npz')).describe(); print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert {"numpy", "tensorflow", "pandas", "pyarrow"}.isdisjoint(loaded)
