"""``cnncli data``: what a data set is made of, and what is suspicious about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from cnncli.config.schema import FashionMNIST, Folder
from cnncli.data.dataset import load_split, load_splits
from cnncli.data.duplicates import equal_groups, image_digests
from cnncli.data.formats.picture_folder import PictureFolder
from cnncli.data.sources import find_source
from cnncli.experiment.load import load_experiment
from tests.builders import CONFIG, dataset, picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.conftest import Cli

FOLDER_CONFIG = """\
data: {source: {folder: {path: data}}}
model: {layers: [Flatten, Dense: {units: 2, activation: softmax}]}
"""


def save(name: str, pixels: NDArray[np.uint8]) -> None:
    path = Path("data", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def noise(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 128, (6, 6)).astype(np.uint8)


@pytest.fixture
def planted(cli: Cli) -> Cli:
    """Make a folder of pictures with one of each fault, and a config for it."""
    for number in range(4):
        save(f"train/cat/{number}.png", noise(number))
        save(f"train/dog/{number}.png", noise(number + 10))
        save(f"test/dog/{number}.png", noise(number + 20))
    save("train/dog/other.png", noise(0))
    save("test/cat/seen.png", noise(1))
    save("train/cat/copy.png", noise(2))
    save("test/cat/lighter.bmp", noise(12)[:, ::-1] + 40)
    save("train/dog/flat.png", np.full((6, 6), 7, np.uint8))
    Path("data/train/dog/notes.txt").write_text("")
    Path("c.yaml").write_text(FOLDER_CONFIG)
    return cli


FOUND = """\
same image, different classes: 1
  train train/cat/0.png (cat)  train train/dog/other.png (dog)
same image, different splits: 1; 1 test image also in train
  train train/cat/1.png (cat)  test test/cat/seen.png (cat)
same image twice in a split: 2
  train train/cat/0.png (cat)  train train/dog/other.png (dog)
  train train/cat/2.png (cat)  train train/cat/copy.png (cat)
near duplicates: 1, 1 of them across splits
  train train/dog/2.png (dog)  test test/cat/lighter.bmp (cat)  1.0000, mirrored
images of a single value: 1
  train train/dog/flat.png (dog)
classes without images: none
classes of very different sizes: none

7 checks, 5 warnings: conflict 1, leak 1, duplicates 2, near 1, constant 1
"""


def test_a_folder_with_one_of_each_fault(planted: Cli) -> None:
    result = planted("data", "data")
    assert result.stderr == ""
    assert (
        result.stdout
        == f"""\
data       data
images     6 x 6 x 1
values     0 to 127
mean       60.7172
deviation  39.8529
formats    PNG (16), BMP (1)
colours    L (17)
sizes      6 x 6 (17)
changes    none
note       data: the classes are the folders, sorted by name: cat, dog (2)
note       data: files passed over, which aren't pictures: 1 .txt

class  train  test
cat        5     2
dog        6     4
total     11     6

{FOUND}"""
    )


def test_a_config_splits_what_is_looked_at(planted: Cli) -> None:
    text = planted("data", "c.yaml", "--set", "data.split.train=6").stdout
    assert "class  train  validation  test\n" in text
    assert "total      6           2     6\n" in text
    whole = ["--set", "data.split.train=10", "--set", "data.split.validation=1"]
    sorted_out = [*whole, "--set", "data.split.method=head"]
    found = json.loads(planted("data", "c.yaml", "--json", *sorted_out).stdout)
    # The only validation image is the last, a copy under another class.
    (conflict,) = found["conflict"]
    assert [image["split"] for image in conflict] == ["train", "validation"]
    assert [image["name"] for image in conflict] == [
        "train/cat/0.png",
        "train/dog/other.png",
    ]
    assert (len(found["leak"]), len(found["duplicates"])) == (2, 1)
    assert found["missing_classes"] == [{"split": "validation", "class": "cat"}]


def test_validation_images_that_are_test_images_are_not_counted_twice(
    planted: Cli,
) -> None:
    options = ["--set", "data.split.validation_from=test"]
    found = json.loads(planted("data", "c.yaml", "--json", *options).stdout)
    assert list(found["classes"][0]) == ["name", "train", "test"]
    assert found["found"]["leak"] <= 1


def test_json_lists_all(planted: Cli) -> None:
    found = json.loads(planted("data", "data", "--json").stdout)
    assert list(found) == [
        "schema",
        "place",
        "notes",
        "image_shape",
        "channels",
        "classes",
        "pictures",
        "found",
        "seen",
        "missing_classes",
        "conflict",
        "leak",
        "duplicates",
        "near",
        "constant",
    ]
    assert found["schema"] == "cnncli.data/1"
    assert found["found"] == {
        "conflict": 1,
        "leak": 1,
        "duplicates": 2,
        "near": 1,
        "constant": 1,
        "missing-class": 0,
        "imbalance": 0,
    }
    assert found["seen"] == [{"split": "test", "also_in": "train", "images": 1}]
    cat, seen = (
        {"split": "train", "index": 1, "name": "train/cat/1.png", "class": "cat"},
        {"split": "test", "index": 1, "name": "test/cat/seen.png", "class": "cat"},
    )
    assert found["leak"] == [[cat, seen]]
    assert found["near"] == [
        {
            "images": [
                {
                    "split": "train",
                    "index": 7,
                    "name": "train/dog/2.png",
                    "class": "dog",
                },
                {
                    "split": "test",
                    "index": 0,
                    "name": "test/cat/lighter.bmp",
                    "class": "cat",
                },
            ],
            "correlation": 1.0,
            "change": "mirrored",
        }
    ]


def test_fail_on(planted: Cli) -> None:
    result = planted("data", "data", "--fail-on", "near,leak", exit_code=7)
    assert result.stdout.endswith(FOUND)
    assert result.stderr == "error: --fail-on: found leak 1, near 1\n"
    planted("data", "data", "--fail-on", "missing-class,imbalance")


def test_sizes_modes_and_what_is_done_to_pictures(cli: Cli) -> None:
    save("cat/a.png", noise(1))
    save("dog/b.png", np.zeros((3, 8, 3), np.uint8))
    for name, mode in (("cat/c.png", "RGBA"), ("dog/d.png", "I;16")):
        Image.new(mode, (6, 6), 1).save(Path("data", name))
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(noise(2)).save("data/cat/e.jpg", exif=exif)
    lines = cli("data", "data").stdout.splitlines()
    assert lines[1] == "images     64 x 64 x 3"
    assert lines[5:11] == [
        "formats    PNG (4), JPEG (1)",
        "colours    L (2), RGBA (1), RGB (1), I;16 (1)",
        "sizes      6 x 6 (4), 3 x 8 (1)",
        "changes    resized 5, turned upright 1, brought to 8 bits 1, laid over white",
        "           where transparent 1",
        "note       data: the classes are the folders, sorted by name: cat, dog (2)",
    ]
    assert lines[11] == (
        "note       data: pictures of 2 sizes are looked at as 64 x 64, stretched"
    )


def test_all_pictures_that_can_t_be_read_are_listed(cli: Cli) -> None:
    save("cat/a.png", noise(1))
    save("dog/b.png", noise(2))
    for number in range(25):
        Path(f"data/dog/bad{number}.png").write_bytes(b"no")
    lines = cli("data", "data", exit_code=3).stderr.splitlines()
    assert len(lines) == 21
    assert lines[0].startswith("error: data/dog/bad0.png: not a picture in a format")
    assert lines[-1] == "error: and 5 more that can't be read"


def test_idx_files_without_names_of_classes(cli: Cli) -> None:
    dataset("data")
    Path("good.yaml").write_text(CONFIG)
    text = cli("data", "data").stdout
    assert "\nclass  train  test\n0         10     4\n1         10     4\n" in text
    assert "\nimages of a single value: 42\n  train 0 (0)\n" in text
    assert "\n  and 32 more, listed by --json\n" in text
    assert "\ncat        7           3     4\n" in cli("data", "good.yaml").stdout


def test_classes_of_very_different_sizes(cli: Cli) -> None:
    for number in range(11):
        save(f"cat/{number}.png", noise(number))
    save("dog/0.png", noise(50))
    text = cli("data", "data").stdout
    assert "classes of very different sizes: 11 of cat, 1 of dog\n" in text
    assert text.endswith("\n7 checks, 1 warning: imbalance 1\n")
    Path("data/cat/10.png").unlink()
    assert cli("data", "data").stdout.endswith("\n7 checks, nothing found\n")


@pytest.mark.parametrize(
    ("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")]
)
def test_the_sheet(suffix: str, start: bytes, planted: Cli) -> None:
    result = planted("data", "data", "--sheet", f"s{suffix}", "--per-class", "2")
    assert result.stderr == f"written: s{suffix}\n"
    content = Path(f"s{suffix}").read_bytes()
    assert content.startswith(start)
    planted("data", "data", "--sheet", f"again{suffix}", "--per-class", "2")
    assert Path(f"again{suffix}").read_bytes() == content


def test_the_sheet_stays_out_of_the_data(planted: Cli) -> None:
    result = planted("data", "data", "--sheet", "data/train/cat/s.png", exit_code=5)
    assert result.stderr == (
        "error: data/train/cat/s.png: lies among the pictures of data, and would be "
        "taken for one of them; choose another place\n"
    )
    assert not Path("data/train/cat/s.png").exists()


def test_the_sheet_draws_by_the_seed(
    planted: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Any] = []

    def plot(rows: Any, **_: str) -> bytes:
        drawn.append([(row.name, row.count, row.pixels.tobytes()) for row in rows])
        return b""

    monkeypatch.setattr("cnncli.plots.contact_sheet.plot_contact_sheet", plot)
    for seed in ("1", "1", "2"):
        options = ["--sheet", "s.png", "--overwrite", "--per-class", "3"]
        planted("data", "data", *options, "--seed", seed)
    assert [row[:2] for row in drawn[0]] == [("cat", 5), ("dog", 6)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_run_stays_out_of_the_data(planted: Cli) -> None:
    result = planted("train", "c.yaml", "--out", "data/runs/a", exit_code=5)
    assert result.stderr == (
        "error: data/runs/a: lies among the pictures of data, and would be taken for "
        "one of them; choose another place\n"
    )


def test_other_ways_to_name_data(cli: Cli) -> None:
    picture("a.png", "L")
    result = cli("data", "a.png", "--set", "seed=1", exit_code=2)
    assert result.stderr.endswith(
        "Error: --set is for a config, which ends in .yaml or .yml\n"
    )


def test_no_image_of_fashion_mnist_is_there_twice() -> None:
    source = find_source(FashionMNIST())
    pools = [source.load("train"), source.load("test")]
    digests = [image_digests(images.pixels) for images in pools]
    assert equal_groups(np.concatenate(digests)) == []


@pytest.mark.slow
def test_near_duplicates_in_fashion_mnist(cli: Cli) -> None:
    found = json.loads(cli("data", "fashion-mnist", "--json").stdout)
    assert found["found"]["near"] == 16
    assert [pair["change"] for pair in found["near"]] == ["as it is"] * 16
    splits = [{image["split"] for image in pair["images"]} for pair in found["near"]]
    assert splits[:6] == [{"train", "test"}] * 6
    assert all(len(split) == 1 for split in splits[6:])


def test_pictures_of_an_object_stay_together(cli: Cli) -> None:
    for number in range(40):
        name = ("cat", "dog")[number % 2]
        save(f"{name}/{number // 4}_{number}.png", noise(number))
    Path("c.yaml").write_text(FOLDER_CONFIG)
    group = ["--set", "data.split.group=^([^_]+)_"]
    experiment = load_experiment(Path("c.yaml"), group[1:])
    splits = load_splits(experiment.config, experiment.data)
    names = PictureFolder(Path("data"), Folder(path="data")).names("train")
    objects = [
        {Path(names[index]).name.split("_")[0] for index in images.indices}
        for images in (splits.train, splits.validation, splits.test)
    ]
    assert sorted(name for some in objects for name in some) == [
        str(number) for number in range(10)
    ]
    # Of 26, 6 and 8 images, in fours.
    assert [len(some) for some in objects] == [7, 1, 2]
    assert experiment.config.data.split.group == "^([^_]+)_"
    assert "total     28           4     8\n" in cli("data", "c.yaml", *group).stdout
    test, _ = load_split(experiment.config, experiment.data, "test")
    assert test.indices.tolist() == splits.test.indices.tolist()


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (
            "^([0-9])_",
            "data.split.group: '^([0-9])_' isn't in the name of 2 of the 12 pictures, "
            "such as cat/10_.png",
        ),
        (
            "_()",
            "data.split.group: no object is left for 2 validation images, as all those "
            "of one stay together; objects in all: 1",
        ),
    ],
)
def test_names_that_tell_no_objects(pattern: str, message: str, cli: Cli) -> None:
    for number in range(12):
        save(f"{('cat', 'dog')[number % 2]}/{number}_.png", noise(number))
    Path("c.yaml").write_text(FOLDER_CONFIG)
    option = f"data.split.group='{pattern}'"
    stderr = cli("data", "c.yaml", "--set", option, exit_code=3).stderr
    assert stderr.startswith("error: ")
    assert stderr.endswith(f"{message}\n")


def drawn_rows(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Collect the rows of the sheets that a test draws."""
    drawn: list[Any] = []

    def plot(rows: Any, **options: Any) -> bytes:
        drawn.append(rows)
        return b"picture"

    monkeypatch.setattr("cnncli.plots.contact_sheet.plot_contact_sheet", plot)
    return drawn


def test_the_sheet_of_what_training_sees(
    planted: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mirrored or not, and nothing else; with pixel values of any normalisation."""
    drawn = drawn_rows(monkeypatch)
    flip = FOLDER_CONFIG.replace("[Flatten", "[RandomFlip: {mode: horizontal}, Flatten")
    Path("c.yaml").write_text(flip)
    options = ("--sheet", "s.png", "--augmented", "--per-class", "9", "--overwrite")
    for method in ("divide", "standardize"):
        setting = f"data.normalization={method}"
        planted("data", "c.yaml", *options, "--set", setting)
        seen = set()
        for row in drawn.pop():
            original, *others = row.pixels
            assert len(others) == 8
            kinds = [np.array_equal(other, original) for other in others]
            mirrored = [np.array_equal(other, original[:, ::-1]) for other in others]
            assert all(a or b for a, b in zip(kinds, mirrored, strict=True))
            seen |= set(kinds)
        assert seen == {True, False}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["c.yaml"], "--augmented is drawn; say where to with --sheet"),
        (
            ["data", "--sheet", "s.png"],
            "--augmented is for a config, which has random layers",
        ),
        (
            ["c.yaml", "--sheet", "s.png"],
            "--augmented: the network begins with no random layer, such as RandomFlip",
        ),
    ],
)
def test_nothing_is_augmented(options: list[str], message: str, planted: Cli) -> None:
    result = planted("data", *options, "--augmented", exit_code=2)
    assert result.stderr.splitlines()[-1] == f"Error: {message}"


def test_large_pictures_are_looked_at_as_small_ones(cli: Cli) -> None:
    for number in range(4):
        for name in ("cat", "dog"):
            pixels = np.kron(
                noise(number + len(name) * ord(name[0])), np.ones((50, 50))
            )
            save(f"{name}/{number}.png", pixels.astype(np.uint8))
    found = json.loads(cli("data", "data", "--json").stdout)
    assert found["image_shape"] == [64, 64, 1]
    assert (
        "data: pictures of 300 x 300 are looked at as 64 x 64, stretched"
        in (found["notes"])
    )
