"""``data.source.folder``: pictures in a folder for each class."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cnncli.config.schema import Folder
from cnncli.data.formats.picture_folder import PictureFolder
from cnncli.data.images import Images
from cnncli.data.pictures import read_picture
from cnncli.data.stored import PixelsWriter, StoredPixels
from cnncli.errors import DataError, OutputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.conftest import Cli

CONFIG = """\
data:
  source: {folder: {path: data}}
model: {layers: [Flatten, Dense: {units: 2, activation: softmax}]}
training: {epochs: 1, threads: 2}
"""


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def picture(path: str, shade: int = 0, size: tuple[int, int] = (5, 4)) -> None:
    """Write a grey picture of a size (width, height)."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    kind = {".jpg": "JPEG"}.get(Path(path).suffix.lower(), "PNG")
    Image.new("L", size, shade).save(path, kind)


def pictures(place: str, *counts: int, first: int = 0) -> None:
    """Write pictures of classes cat, dog, owl, each of another shade."""
    shade = first
    for name, count in zip(("cat", "dog", "owl"), counts, strict=False):
        for number in range(count):
            picture(f"{place}/{name}/{number}.png", shade)
            shade += 1


def source(**asked: Any) -> PictureFolder:
    return PictureFolder(Path("data"), Folder(path="data", **asked))


def shades(images: Images) -> list[int]:
    return [int(image[0, 0, 0]) for image in np.asarray(images.pixels)]


def test_one_pool() -> None:
    pictures("data", 3, 2)
    picture("data/cat/10.png", 77)
    info = source().describe()
    assert (info.num_train, info.num_test, info.num_validation) == (6, 0, 0)
    assert (info.class_names, info.image_shape) == (("cat", "dog"), (4, 5, 1))
    assert info.notes == (
        "data: the classes are the folders, sorted by name: cat, dog (2)",
    )
    images = source().load("train")
    # 10.png stands after 2.png.
    assert shades(images) == [0, 1, 2, 77, 3, 4]
    assert images.labels.tolist() == [0, 0, 0, 0, 1, 1]
    coloured = source(image_shape=(2, 3, 3)).load("train")
    assert coloured.pixels.shape == (6, 2, 3, 3)


@pytest.mark.parametrize(
    "names", [("train", "val", "test"), ("Training", "VALID", "testing")]
)
def test_parts_by_any_of_their_usual_names(names: tuple[str, ...], cli: Cli) -> None:
    for part, first in zip(names, (0, 50, 100), strict=True):
        pictures(f"data/{part}", 3, 2, first=first)
    info = source().describe()
    assert (info.num_train, info.num_test, info.num_validation) == (10, 5, 5)
    # The pictures set apart for validation come last.
    assert shades(source().load("train")) == [*range(5), *range(50, 55)]
    assert shades(source().load("test")) == [*range(100, 105)]
    Path("c.yaml").write_text(CONFIG)
    cli("train", "c.yaml", "-q", "--dry-run")
    from cnncli.data.dataset import load_splits
    from cnncli.experiment.load import load_experiment

    experiment = load_experiment(Path("c.yaml"))
    splits = load_splits(experiment.config, experiment.data)
    assert shades(splits.train) == [*range(5)]
    assert shades(splits.validation) == [*range(50, 55)]
    split = experiment.config.data.split
    assert (split.method, split.train, split.validation) == ("head", 5, 5)


def test_a_split_that_is_asked_for_takes_from_both() -> None:
    pictures("data/train", 6, 6)
    pictures("data/val", 3, 3, first=50)
    pictures("data/test", 2, 2, first=100)
    from cnncli.experiment.load import load_experiment

    Path("c.yaml").write_text(CONFIG)
    experiment = load_experiment(Path("c.yaml"), ["data.split.train=0.5"])
    split = experiment.config.data.split
    assert (split.method, split.train, split.validation) == ("stratified", 0.5, 0.2)


def test_without_a_folder_test_the_one_for_validation_is_kept_for_it() -> None:
    pictures("data/train", 3, 2)
    pictures("data/val", 2, 2, first=50)
    info = source().describe()
    assert (info.num_train, info.num_test, info.num_validation) == (5, 4, 0)
    assert info.notes[0] == (
        "data: without a folder test, the pictures in val are kept for the test, and "
        "validation images are drawn from the others"
    )
    assert shades(source().load("test")) == [50, 51, 52, 53]


def test_what_is_no_picture_is_passed_over_and_counted() -> None:
    pictures("data", 1, 1)
    for name in ("a.heic", "b.HEIC", "notes.txt", "README"):
        Path("data/cat", name).write_text("")
    for name in (".DS_Store", "Thumbs.db", ".ipynb_checkpoints/0.png"):
        path = Path("data/cat", name)
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    Path("data/.git").mkdir()
    info = source().describe()
    assert info.num_train == 2
    assert info.notes[1] == (
        "data: files passed over, which aren't pictures: 2 .heic, 1 without a "
        "suffix, 1 .txt"
    )


def test_suffixes_of_any_case_and_names_in_any_writing() -> None:
    picture("data/Größe/画像.JPG", 9)
    picture("data/cat/a.Png", 5)
    assert shades(source().load("train")) == [5, 9]


def test_a_folder_of_runs_is_no_class() -> None:
    pictures("data", 2, 2)
    for place in ("data/runs/one", "data/run"):
        picture(f"{place}/history.png")
        Path(place, "manifest.json").write_text(json.dumps({"schema": "cnncli.run/1"}))
    assert source().describe().class_names == ("cat", "dog")


def test_classes_that_are_given_decide() -> None:
    pictures("data", 2, 2, 2)
    info = source(classes=("owl", "cat", "fox")).describe()
    assert (info.class_names, info.num_train) == (("owl", "cat", "fox"), 4)
    picture("named/test/1.png")
    picture("named/control/1.png")
    asked = Folder(path="named", classes=("control", "test"))
    assert PictureFolder(Path("named"), asked).describe().num_train == 2


def test_pictures_are_brought_to_a_size() -> None:
    picture("data/cat/1.png", 100, size=(20, 10))
    picture("data/dog/1.png", 100, size=(10, 10))
    padded = source(image_shape=(10, 10, 1), fit="pad").load("train").pixels
    assert padded.shape == (2, 10, 10, 1)
    assert padded[0][:, 0, 0].tolist() == [0, 0, 100, 100, 100, 100, 100, 0, 0, 0]
    stretched = np.asarray(source(image_shape=(5, 10, 1)).load("train").pixels)
    assert stretched.shape == (2, 5, 10, 1)
    assert (stretched == 100).all()


@pytest.mark.parametrize(
    ("files", "asked", "message"),
    [
        (
            ["a.png", "b.png"],
            {},
            "data: expected a folder with pictures for each of two classes or more; "
            "found none, and 2 pictures in all",
        ),
        (
            ["cat/a.png"],
            {},
            "data: expected a folder with pictures for each of two classes or more; "
            "found only 'cat', and 1 pictures in all",
        ),
        (
            ["train/cat/a.png", "train/dog/a.png", "cat/a.png"],
            {},
            "data: expected a folder for each class, or the folders train, validation "
            "and test with the classes in them, of which train must be there; found "
            "train beside cat; if these are classes, name all in "
            "data.source.folder.classes",
        ),
        (
            ["val/cat/a.png", "test/cat/a.png"],
            {},
            "data: expected a folder for each class, or the folders train, validation "
            "and test with the classes in them, of which train must be there; found "
            "test, val; if these are classes, name all in data.source.folder.classes",
        ),
        (
            ["train/cat/a.png", "val/cat/a.png", "valid/cat/a.png"],
            {},
            "data: val and valid are both for validation images; keep one",
        ),
        (
            ["train/cat/a.png", "train/dog/a.png", "test/cats/a.png"],
            {},
            "data/test: 'cats' is none of the classes cat, dog; did you mean 'cat'?",
        ),
        (
            ["train/cat/a.png", "train/dog/a.png", "test/cat/a.png"],
            {},
            "data/test: no picture is of the class dog; add some, or name the classes "
            "in data.source.folder.classes",
        ),
        (
            ["cat/a.png", "dog/notes.txt"],
            {},
            "data: no picture is of the class dog; add some, or name the classes in "
            "data.source.folder.classes",
        ),
        (
            ["cat/a.png", "dog/a.png"],
            {"classes": ("owl", "fox")},
            "data: expected a folder for each of the classes owl, fox; found cat, dog",
        ),
    ],
)
def test_folders_that_are_no_data_set(
    files: list[str], asked: dict[str, Any], message: str
) -> None:
    for file in files:
        picture(f"data/{file}")
    with pytest.raises(DataError) as caught:
        source(**asked).describe()
    assert str(caught.value) == message


def test_no_folder_at_all(cli: Cli) -> None:
    Path("c.yaml").write_text(CONFIG)
    result = cli("train", "c.yaml", exit_code=3)
    assert result.stderr == (
        "error: data: can't find the data: No such file or directory; "
        "data.source.folder.path says where it is: change that in the config, or with "
        "--set data.source.folder.path=FOLDER\n"
    )


def test_all_pictures_that_can_t_be_read_are_listed_at_once() -> None:
    pictures("data", 2, 2)
    picture("data/dog/5.png", size=(6, 4))
    content = Path("data/cat/1.png").read_bytes()
    Path("data/cat/1.png").write_bytes(content[:50])
    Path("data/dog/0.png").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        source().load("train")
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "data/cat/1.png",
        "data/dog/0.png",
        "data/dog/5.png",
    ]
    assert caught.value.problems[2] == (
        "data/dog/5.png: 4 x 6 x 1, but the first picture is 4 x 5 x 1; say what all "
        "are brought to, with image_shape: [HEIGHT, WIDTH, CHANNELS]"
    )
    sized = source(image_shape=(4, 5, 1))
    with pytest.raises(DataError) as caught:
        sized.load("train")
    assert len(caught.value.problems) == 2


def test_of_very_many_problems_the_first_are_listed() -> None:
    for number in range(30):
        picture(f"data/cat/{number}.png")
        Path(f"data/cat/{number}.png").write_bytes(b"no")
    picture("data/dog/1.png")
    with pytest.raises(DataError) as caught:
        source(image_shape=(4, 4, 1)).load("train")
    assert len(caught.value.problems) == 21
    assert caught.value.problems[-1] == "and 10 more that can't be read"


def test_of_pictures_of_other_shapes_a_few_are_listed() -> None:
    pictures("data", 2, 2)
    for number in range(10, 20):
        picture(f"data/dog/{number}.png", size=(6, 4))
    with pytest.raises(DataError) as caught:
        source().load("train")
    assert len(caught.value.problems) == 4
    assert caught.value.problems[-1] == "and 7 more of other shapes"


def cached() -> list[Path]:
    return sorted(Path("cache").rglob("*.*"))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Keep what is decoded in files, however little it is; collect what is decoded."""
    monkeypatch.setattr("cnncli.data.decoding.MOST_IN_MEMORY", 0)
    decoded: list[Path] = []

    def read(path: Path, *arguments: Any) -> Any:
        decoded.append(path)
        return read_picture(path, *arguments)

    monkeypatch.setattr("cnncli.data.decoding.read_picture", read)
    return decoded


def test_a_large_set_is_decoded_once(counted: list[Path]) -> None:
    pictures("data", 4, 3)
    expected = np.asarray(source().load("train").pixels)
    assert len(counted) == 7
    (file,) = cached()
    again = source().load("train")
    assert isinstance(again.pixels, StoredPixels)
    assert len(counted) == 7
    np.testing.assert_array_equal(np.asarray(again.pixels), expected)
    np.testing.assert_array_equal(np.load(file), expected)
    assert again.digest() == Images(expected, again.labels, again.indices).digest()


@pytest.mark.parametrize("change", ["changed", "added", "damaged", "emptied"])
def test_what_was_decoded_is_made_anew_if_it_isn_t_right(
    counted: list[Path], change: str
) -> None:
    pictures("data", 4, 3)
    source().load("train")
    (file,) = cached()
    if change == "changed":
        picture("data/cat/1.png", 99)
        os.utime("data/cat/1.png", ns=(1, 1))
    elif change == "added":
        picture("data/cat/9.png", 99)
    else:
        file.write_bytes(file.read_bytes()[:-1] if change == "damaged" else b"")
    fresh = source().load("train")
    assert len(counted) == (15 if change == "added" else 14)
    assert (99 in shades(fresh)) == (change in ("changed", "added"))
    # What was for the pictures as they were is gone.
    assert len(cached()) == 1


def test_other_sizes_and_fits_are_decoded_apart(counted: list[Path]) -> None:
    pictures("data", 2, 2)
    for asked in (
        {"image_shape": (3, 3, 1)},
        {"image_shape": (3, 3, 1), "fit": "pad"},
        {},
    ):
        source(**asked).load("train")
    assert len(cached()) == 3


def test_a_large_set_doesn_t_count_as_memory() -> None:
    pictures("data", 2, 2)
    small, large = ((size, size, 3) for size in (64, 4096))
    assert not source(image_shape=small).describe().is_stored
    assert source(image_shape=large).describe().is_stored


def test_no_room_for_what_is_decoded(
    counted: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures("data", 2, 2)
    Path("cache").write_text("a file in the way")
    with pytest.raises(OutputError) as caught:
        source().load("train")
    place = Path("cache/cnncli/pictures").absolute()
    assert str(caught.value) == (
        f"{place}: Not a directory; what 4 pictures are decoded to takes 0 MB there: "
        "name a folder with room in XDG_CACHE_HOME, or make image_shape smaller"
    )


def store(path: Path, array: NDArray[np.uint8]) -> StoredPixels:
    """Write images as they are kept, and open the file."""
    with path.open("wb") as file:
        writer = PixelsWriter(file, array.shape)
        for number, image in enumerate(array):
            writer.put(number, image)
        writer.finish()
    np.testing.assert_array_equal(np.load(path), array)
    return StoredPixels(path)


NUMBERS = st.integers(-7, 7)
KEYS: st.SearchStrategy[Any] = st.one_of(
    st.builds(slice, NUMBERS, NUMBERS),
    st.lists(st.integers(0, 6), max_size=9).map(lambda n: np.array(n, np.int64)),
)


@given(KEYS, KEYS)
def test_stored_pixels_are_taken_as_from_an_array(
    tmp_path_factory: pytest.TempPathFactory, first: Any, second: Any
) -> None:
    array = np.arange(7 * 4 * 3, dtype=np.uint8).reshape(7, 2, 2, 3)
    stored = store(tmp_path_factory.getbasetemp() / "stored.npy", array)
    np.testing.assert_array_equal(stored[first], array[first])
    chosen = stored.select(first)
    assert chosen.shape == array[first].shape
    if isinstance(second, slice) or (second < len(chosen)).all():
        np.testing.assert_array_equal(chosen[second], array[first][second])


@pytest.mark.parametrize("damage", ["cut", "a byte changed"])
def test_a_file_that_is_damaged_while_it_is_in_use(damage: str) -> None:
    path = Path("stored.npy")
    stored = store(path, np.zeros((3, 2, 2, 1), np.uint8))
    if damage == "cut":
        os.truncate(path, 134)
    else:
        content = bytearray(path.read_bytes())
        content[132] ^= 1
        path.write_bytes(content)
    stored[:1]
    with pytest.raises(DataError) as caught:
        stored[:]
    assert str(caught.value) == (
        "stored.npy: what pictures were decoded to is damaged; it is removed now, so "
        "run the command again"
    )
    assert not path.exists()


def test_the_path_may_be_relative_or_not(counted: list[Path]) -> None:
    pictures("data", 2, 2)
    source().load("train")
    PictureFolder(Path("data").absolute(), Folder(path="data")).load("train")
    assert len(counted) == 4
    other = source(classes=("dog", "cat"))
    assert other.load("train").labels.tolist() == [0, 0, 1, 1]
    source().load("train")
    assert (len(counted), len(cached())) == (8, 2)


def test_what_a_killed_process_left_is_removed(counted: list[Path]) -> None:
    pictures("data", 2, 2)
    source().load("train")
    (file,) = cached()
    abandoned, held = (
        file.with_name(f".0123456{n}.tmp.{file.name.split('-')[0]}-0.npy")
        for n in range(2)
    )
    abandoned.touch()
    with held.open("wb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        picture("data/cat/9.png")
        source().load("train")
    assert not abandoned.exists()
    assert held.exists()


@pytest.mark.parametrize("name", ["a\nb", os.fsdecode(b"\xff")])
def test_folders_with_names_that_no_class_can_have(name: str) -> None:
    for folder in (name, "cat"):
        picture(f"data/{folder}/1.png")
    with pytest.raises(DataError) as caught:
        source().describe()
    assert str(caught.value).startswith("data: the names of classes must be ")


def test_reading_stops_when_it_is_asked_to(
    counted: list[Path], monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    pictures("data", 40, 40)
    Path("c.yaml").write_text(CONFIG)

    def read(path: Path, *arguments: Any) -> Any:
        counted.append(path)
        if len(counted) == 5:
            os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)
        return read_picture(path, *arguments)

    monkeypatch.setattr("cnncli.data.decoding.read_picture", read)
    handler = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        result = cli("train", "c.yaml", "-q", exit_code=143)
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert result.stderr == "stopped while reading images; run it again\n"
    assert len(counted) < 40
    assert cached() == []


def test_training_from_a_file_gives_the_same_bytes(
    counted: list[Path], cli: Cli, undrawn: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures("data", 12, 9)
    Path("c.yaml").write_text(CONFIG)
    cli("train", "c.yaml", "-q", "--out", "stored")
    monkeypatch.setattr("cnncli.data.decoding.MOST_IN_MEMORY", 2**20)
    cli("train", "c.yaml", "-q", "--out", "memory")
    for name in ("history.csv", "metrics.json", "predictions.csv"):
        assert Path("stored", name).read_text() == Path("memory", name).read_text()
    stored, memory = (
        json.loads(Path(run, "manifest.json").read_text())["data"]
        for run in ("stored", "memory")
    )
    assert stored == memory
    assert cli("evaluate", "stored", "--json").stdout == (
        cli("evaluate", "memory", "--json").stdout.replace("memory", "stored")
    )


def test_predictions_name_the_pictures(cli: Cli, undrawn: None) -> None:
    """By the number that they have everywhere."""
    pictures("data", 12, 9)
    Path("c.yaml").write_text(CONFIG)
    cli("train", "c.yaml", "-q", "--out", "run")
    with Path("run/predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    names = source().load("train").names
    assert [row["file"] for row in rows] == [names[int(row["index"])] for row in rows]
    second = rows[1]
    drawn = cli("feature-maps", "run", "--index", second["index"], "--arrays", "a.npz")
    assert f"feature_maps_{second['index']}.png" in drawn.stderr
    with np.load("a.npz") as arrays:
        shade = int(np.asarray(Image.open(Path("data", second["file"])))[0, 0])
        assert int(arrays["image"][0, 0, 0]) == shade
    others = sorted(set(range(21)) - {int(row["index"]) for row in rows})
    refused = cli("feature-maps", "run", "--index", str(others[0]), exit_code=3)
    some = ", ".join(row["index"] for row in rows[:3])
    assert refused.stderr == (
        f"error: --index {others[0]}: none of the 4 test images, whose numbers are "
        f"{some}, ...; predictions.csv has all of them\n"
    )
    named = cli("predict", "run", "--data", "data", "--csv", "-", "-q").stdout
    assert [line.split(",")[0] for line in named.splitlines()[1:3]] == [
        "data/cat/0.png",
        "data/cat/1.png",
    ]


def test_other_pictures_are_brought_to_the_model_s_size(
    cli: Cli, undrawn: None
) -> None:
    pictures("data", 12, 9)
    Path("c.yaml").write_text(CONFIG)
    cli("train", "c.yaml", "-q", "--out", "run")
    for number in range(3):
        picture(f"other/cat/{number}.png", number, size=(30, 20 + number))
        picture(f"other/dog/{number}.png", number, size=(7, 9))
    found = json.loads(cli("evaluate", "run", "--data", "other", "--json").stdout)
    assert found["correct"] + found["incorrect"] == 6
    cli("export", "run", "--format", "onnx", "-o", "net.onnx")
    exported = cli("evaluate", "net.onnx", "--data", "other", "--json", "--out", "e")
    matrix = json.loads(exported.stdout)["confusion_matrix"]
    assert matrix == found["confusion_matrix"]
