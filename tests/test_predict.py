"""``predict``: the classes of pictures, in any number, whatever is among them."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from cnncli.architecture.batches import PREDICTION_BATCH
from cnncli.commands.predict import _brightness
from cnncli.commands.progress import LiveProgress
from cnncli.data.brightness import Brightness
from cnncli.data.listing import list_pictures
from cnncli.data.sources import FASHION_MNIST_CLASSES
from cnncli.evaluation.predict import Given, Predicted, Predictor
from cnncli.modelfile.file import open_model
from tests.model_edits import attribute, edited

if TYPE_CHECKING:
    from tests.conftest import Cli

NO_PICTURE = (
    "not a picture in a format that is read: PNG, JPEG, GIF, BMP, TIFF, WEBP, PPM"
)


@pytest.fixture(scope="session")
def test_pixels() -> np.ndarray:
    """Return the first test images of Fashion-MNIST, (100, 28, 28)."""
    from cnncli.config.schema import FashionMNIST
    from cnncli.data.sources import find_source

    return find_source(FashionMNIST()).load("test").pixels[:100][..., 0]


@pytest.fixture
def photos(model: Path, test_pixels: np.ndarray) -> Path:
    """Save test images as pictures, 0.png to 99.png; return their folder."""
    folder = Path("photos")
    folder.mkdir()
    for number, pixels in enumerate(test_pixels):
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def expected(finished: Path) -> list[dict[str, str]]:
    """Return what the run wrote down of its test images."""
    with (finished / "predictions.csv").open() as file:
        return list(csv.DictReader(file))


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def seconds_cut(stderr: str) -> str:
    """Return what was said, without how long it took."""
    return "\n".join(
        line.rsplit(" in ", 1)[0] if " predicted in " in line else line
        for line in stderr.splitlines()
    )


def test_a_table(photos: Path, cli: Cli, finished: Path) -> None:
    result = cli("predict", "model.h5", "photos/7.png", "photos/10.png", "--top", "2")
    head, *lines = result.stdout.splitlines()
    guess = "number  class        probability"
    assert head == f"file           {guess}  {guess}"
    for line, name, number in zip(lines, ("7.png ", "10.png"), (7, 10), strict=True):
        row = expected(finished)[number]
        first = FASHION_MNIST_CLASSES.index(row["predicted"])
        assert line.startswith(
            f"photos/{name}  {first:6}  {row['predicted']:11}       "
            f"{float(row['probability']):.4f}  "
        )
    assert seconds_cut(result.stderr) == "2 of 2 images predicted"
    assert cli("predict", "model.h5", "photos/7.png", "-q").stderr == ""


def test_one_alone_and_among_others(photos: Path, cli: Cli) -> None:
    """To the byte."""
    whole = cli("predict", "model.h5", "photos", "--top", "10", "--csv", "-").stdout
    head, *lines = whole.splitlines()
    assert len(lines) == 100
    for number in (3, 99):
        alone = cli(
            *("predict", "model.h5", f"photos/{number}.png", "--top", "10"),
            *("--csv", "-"),
        )
        assert alone.stdout.splitlines() == [head, lines[number]]


def test_csv(photos: Path, cli: Cli, finished: Path) -> None:
    options = ("predict", "model.h5", "photos", "--top", "3", "--csv")
    result = cli(*options, "-")
    assert result.stdout.splitlines()[0] == (
        "file,number,class,probability,inverted,error,"
        "number_2,class_2,probability_2,number_3,class_3,probability_3"
    )
    found = rows(result.stdout)
    assert [row["file"] for row in found] == [f"photos/{n}.png" for n in range(100)]
    assert {(row["inverted"], row["error"]) for row in found} == {("false", "")}
    for row, known in zip(found, expected(finished)[:100], strict=True):
        assert row["class"] == known["predicted"]
        assert FASHION_MNIST_CLASSES[int(row["number"])] == row["class"]
        likely = [float(row[f"probability{n}"]) for n in ("", "_2", "_3")]
        assert likely[0] == pytest.approx(float(known["probability"]), abs=1e-5)
        assert likely == sorted(likely, reverse=True)
    written = cli(*options, "out/x.csv")
    assert written.stdout == ""
    assert seconds_cut(written.stderr).splitlines() == [
        "100 of 100 images predicted",
        "written: out/x.csv",
    ]
    assert Path("out/x.csv").read_text() == result.stdout
    cli(*options, "out/x.csv")  # the same bytes are no conflict
    Path("out/x.csv").write_text("mine")
    refused = cli(*options, "out/x.csv", exit_code=5)
    assert refused.stderr.splitlines()[-1] == (
        "error: out/x.csv: there is already a file with other content; choose another "
        "place, or replace it with --overwrite"
    )
    assert Path("out/x.csv").read_text() == "mine"
    cli(*options, "out/x.csv", "--overwrite")
    assert [path.name for path in Path("out").iterdir()] == ["x.csv"]


def test_json(photos: Path, cli: Cli) -> None:
    Path("photos/a.heic").touch()
    Path("photos/no.png").write_text("no")
    result = cli("predict", "model.h5", "photos", "--json", "--top", "2", exit_code=3)
    found = json.loads(result.stdout)
    predictions = found.pop("predictions")
    assert found == {
        "schema": "cnncli.predict/1",
        "model": "model.h5",
        "images": 101,
        "failed": 1,
        "changes": {},
        "passed_over": {".heic": 1},
        "warnings": [],
    }
    assert predictions[-1] == {
        "file": "photos/no.png",
        "number": None,
        "class": None,
        "probability": None,
        "inverted": False,
        "error": NO_PICTURE,
        "top": [],
    }
    table = cli("predict", "model.h5", "photos", "--csv", "-", exit_code=3).stdout
    for row, line in zip(predictions[:-1], rows(table)[:-1], strict=True):
        top = row.pop("top")
        assert {key: row[key] for key in top[0]} == top[0]
        assert len(top) == 2
        assert (row["file"], row["class"]) == (line["file"], line["class"])
        assert row["probability"] == float(line["probability"])


def test_what_cannot_be_read_has_a_row(photos: Path, cli: Cli) -> None:
    content = Path("photos/1.png").read_bytes()
    Path("half.png").write_bytes(content[:80])
    Path("text.png").write_text("text")
    names = ("half.png", "photos/1.png", "nothing.png", "text.png", "photos/2.png")
    result = cli("predict", "model.h5", *names, exit_code=3)
    lines = result.stdout.splitlines()[1:]
    assert [line.split()[0] for line in lines] == list(names)
    assert lines[3] == f"text.png      error: {NO_PICTURE}"
    half = "the picture can't be read: image file is truncated"
    assert seconds_cut(result.stderr).splitlines() == [
        "2 of 5 images predicted",
        f"error: half.png: {half}",
        "error: nothing.png: can't read the file: No such file or directory",
        f"error: text.png: {NO_PICTURE}",
        "error: 3 of 5 images can't be read; the others are predicted",
    ]
    found = rows(cli("predict", "model.h5", *names, "--csv", "-", exit_code=3).stdout)
    assert found[0] == {
        "file": "half.png",
        **dict.fromkeys(("number", "class", "probability", "inverted"), ""),
        "error": half,
    }
    good = cli("predict", "model.h5", *names[1::3], "--csv", "-").stdout
    assert [found[1], found[4]] == rows(good)


def test_many_that_cannot_be_read_are_not_all_listed(model: Path, cli: Cli) -> None:
    names = [f"{number}.png" for number in range(70)]
    result = cli("predict", "model.h5", *names, "-q", exit_code=3)
    assert len(result.stdout.splitlines()) == 71
    *listed, last = result.stderr.splitlines()
    assert len(listed) == 20
    assert last == "error: 70 of 70 images can't be read; 20 are listed"
    result = cli("predict", "model.h5", "x.png", "-q", exit_code=3)
    assert result.stderr.splitlines()[1:] == ["error: 1 of 1 image can't be read"]


def test_a_folder(photos: Path, cli: Cli) -> None:
    """Also names that aren't in ASCII, or no text at all."""
    image = Path("photos/1.png").read_bytes()
    for name in (
        *("Größe/画像 10.PNG", "Größe/画像 2.png", "Größe/x.heic", "Größe/y.HEIC"),
        *("a.Jpg", ".hidden.png", "Thumbs.db", ".ipynb_checkpoints/1.png"),
        *("__MACOSX/1.png", "LICENSE", ".DS_Store"),
    ):
        path = Path("new", name)
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(image)
    Path(os.fsdecode(b"new/\xff.png")).write_bytes(image)
    names = ["new/a.Jpg", "new/Größe/画像 2.png", "new/Größe/画像 10.PNG"]
    names.append(os.fsdecode(b"new/\xff.png"))
    result = cli("predict", "model.h5", "new", "--json")
    assert [row["file"] for row in json.loads(result.stdout)["predictions"]] == names
    assert result.stderr.splitlines()[0] == (
        "note: passed over: 2 .heic, 1 without a suffix, 1 hidden"
    )
    cli("predict", "model.h5", "new", "--csv", "x.csv")
    content = os.fsdecode(Path("x.csv").read_bytes())
    assert [row["file"] for row in rows(content)] == names
    Path("new/loop").symlink_to(".")
    assert len(list_pictures(Path("new")).pictures) == 4


def test_a_folder_without_pictures(photos: Path, cli: Cli) -> None:
    Path("other").mkdir()
    reads = "what is read: PNG, JPEG, GIF, BMP, TIFF, WEBP, PPM\n"
    result = cli("predict", "model.h5", "photos", "other", exit_code=3)
    assert result.stdout == ""
    assert result.stderr == f"error: other: no pictures in the folder; {reads}"
    for number in range(3):
        Path(f"other/{number}.HEIC").touch()
    result = cli("predict", "model.h5", "photos", "other", exit_code=3)
    assert result.stderr == (
        f"error: other: no pictures in the folder, but 3 .heic; {reads}"
    )


def test_natural_order(tmp_path: Path) -> None:
    names = ["1/b.png", "1.png", "2.png", "02.png", "10.png", "10a.png", "A2.png"]
    names += ["a10.png", "b/3.png", "b/20.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [
        str(path.relative_to(tmp_path)) for path in list_pictures(tmp_path).pictures
    ]
    assert found == [
        *("1/b.png", "1.png", "02.png", "2.png", "10.png", "10a.png", "A2.png"),
        *("a10.png", "b/3.png", "b/20.png"),
    ]


def test_what_was_done_is_counted(photos: Path, cli: Cli) -> None:
    for number in range(3):
        Image.open(f"photos/{number}.png").resize((40, 30)).save(f"{number}.png")
    Image.new("RGB", (28, 28), "green").save("green.png")
    names = (*(f"{number}.png" for number in range(3)), "green.png", "photos")
    result = cli("predict", "model.h5", *names)
    assert seconds_cut(result.stderr).splitlines() == [
        "note: 1 image was made grey",
        "note: 3 images were resized to 28 x 28 pixels",
        "104 of 104 images predicted",
    ]


@pytest.fixture
def inverses(photos: Path, test_pixels: np.ndarray) -> Path:
    """Save the inverses of four of the pictures; return their folder."""
    Path("inverses").mkdir()
    for number in range(4):
        Image.fromarray(255 - test_pixels[number]).save(f"inverses/{number}.png")
    return Path("inverses")


def guesses(cli: Cli, *arguments: str) -> list[tuple[str, str]]:
    found = rows(cli("predict", "model.h5", *arguments, "--csv", "-").stdout)
    return [(row["class"], row["probability"]) for row in found]


def test_inverted_pictures_are_warned_of(inverses: Path, cli: Cli) -> None:
    warning = (
        "4 images seem inverted: light at the border, where the training images are "
        "dark; --invert auto gives the network the inverse"
    )
    result = cli("predict", "model.h5", "photos", "inverses", "-q")
    assert result.stderr == f"warning: {warning}\n"
    found = json.loads(cli("predict", "model.h5", "inverses", "--json").stdout)
    assert found["warnings"] == [warning]
    one = cli("predict", "model.h5", "inverses/1.png", "-q")
    assert one.stderr.startswith("warning: 1 image seems inverted: ")
    no = cli("predict", "model.h5", "inverses", "-q", "--invert", "no")
    assert no.stderr == ""
    plain = guesses(cli, "inverses")
    assert plain == guesses(cli, "inverses", "--invert", "no")
    assert plain != guesses(cli, "photos/0.png", "photos/1.png")


def test_inverted_pictures_are_inverted(inverses: Path, cli: Cli) -> None:
    right = guesses(cli, "photos")
    both = ("photos", "inverses")
    assert guesses(cli, *both, "--invert", "auto") == [*right, *right[:4]]
    assert guesses(cli, "inverses", "--invert", "yes") == right[:4]
    result = cli("predict", "model.h5", *both, "--invert", "auto", "--csv", "-")
    inverted = [row["inverted"] for row in rows(result.stdout)]
    assert inverted == ["false"] * 100 + ["true"] * 4
    assert seconds_cut(result.stderr).splitlines() == [
        "note: 4 images were inverted",
        "104 of 104 images predicted",
    ]


def test_a_model_that_knows_no_brightness(inverses: Path, cli: Cli) -> None:
    with edited(Path("model.h5")) as file:
        del file.attrs["cnncli_brightness"]
    result = cli("predict", "model.h5", "inverses", "--invert", "auto", exit_code=2)
    assert result.stderr.splitlines()[-1] == (
        "Error: --invert auto: model.h5 doesn't say how light its training images are; "
        "say yes or no"
    )
    assert cli("predict", "model.h5", "inverses", "-q").stderr == ""


def test_a_model_of_colour(model: Path) -> None:
    saved = replace(open_model(model), image_shape=(28, 28, 3))
    assert _brightness(saved.path, saved, None) is None
    with pytest.raises(click.UsageError) as caught:
        _brightness(saved.path, saved, "auto")
    assert caught.value.message == (
        "--invert auto: model.h5 takes images in colour, of which none is taken for "
        "inverted; say yes or no"
    )


def test_test_images(model: Path, cli: Cli, finished: Path) -> None:
    result = cli("predict", "model.h5", "--data", "fashion-mnist", "--csv", "-")
    found, known = rows(result.stdout), expected(finished)
    assert len(found) == len(known) == 10_000
    assert found[9]["file"] == "fashion-mnist[9]"
    assert [row["class"] for row in found] == [row["predicted"] for row in known]


@pytest.mark.usefixtures("photos")
def test_inputs_are_drawn(cli: Cli) -> None:
    names = [f"photos/{number}.png" for number in range(7)]
    options = ("predict", "model.h5", *names, "--save-inputs", "inputs.png")
    result = cli(*options)
    assert result.stderr.endswith("written: inputs.png\n")
    with Image.open("inputs.png") as picture:
        wide, high = picture.size
        drawn = np.asarray(picture.convert("L"))
    assert wide > 2 * high > 0  # two rows of six
    seven = drawn[high // 2 :, wide // 3 :]
    assert (seven == 255).all()  # the second row has one image
    cli(*options)
    Path("inputs.png").write_text("mine")
    assert cli(*options, exit_code=5).stdout == result.stdout


def test_probabilities_that_are_not_finite(photos: Path, cli: Cli) -> None:
    with edited(Path("model.h5")) as file:
        attribute("cnncli_normalization", {"mean": [0.0], "deviation": [1e-300]})(file)
    result = cli("predict", "model.h5", "photos", "--json", exit_code=6)
    assert (result.stdout, result.stderr) == (
        "",
        "error: the network's probabilities are not finite: its weights or its "
        "normalisation are far too large; train it again with a lower learning rate\n",
    )


class Lazy:
    """A network of two classes: how many of the pixels are white decides."""

    def predict_each(self, pixels: np.ndarray) -> np.ndarray:
        light = pixels.mean(axis=(1, 2, 3)) / 255
        return np.stack([1 - light, light], 1).astype(np.float32)


def test_any_number_of_images_is_gone_through(model: Path) -> None:
    """Images without end: each is taken when it is needed."""
    taken = itertools.count()

    def without_end() -> Iterator[Given]:
        for number in taken:
            pixels = np.full((2, 2, 1), number % 2 * 255, np.uint8)
            is_bad = number % 5 == 4
            error = "bad" if is_bad else None
            yield Given(str(number), None if is_bad else pixels, error=error)

    network: Any = Lazy()
    predictor = Predictor(network, ("dark", "light"), 1, Brightness(0, 99), "no")
    batches = predictor.predict(without_end())
    told: list[Predicted] = [*next(batches), *next(batches)]
    assert next(taken) == len(told) == 2 * PREDICTION_BATCH
    assert [row.name for row in told] == [str(n) for n in range(2 * PREDICTION_BATCH)]
    for number, row in enumerate(told):
        if number % 5 == 4:
            assert (row.guesses, row.pixels, row.error) == ((), None, "bad")
        else:
            assert row.guesses == ((number % 2, ("dark", "light")[number % 2], 1.0),)
    assert predictor.counts.images == 2 * PREDICTION_BATCH
    assert predictor.counts.failed == 2 * PREDICTION_BATCH // 5


def test_a_live_bar_leaves_stdout_alone(capsys: pytest.CaptureFixture[str]) -> None:
    screen = io.StringIO()
    with LiveProgress(Console(file=screen, force_terminal=True, width=80)) as live:
        live.count("predicting", 640, 10_000)
        click.echo("a result")
        live.note("note: 2 images were resized")
    assert capsys.readouterr().out == "a result\n"
    assert "a result" not in screen.getvalue()
    assert "predicting" in screen.getvalue()
    assert "640/10,000" in screen.getvalue()


@pytest.mark.parametrize("suffix", [".onnx", ".tflite"])
def test_an_exported_file_predicts_as_its_model(
    photos: Path, cli: Cli, suffix: str, test_pixels: np.ndarray
) -> None:
    Image.fromarray(255 - test_pixels[0]).save("photos/light.png")
    kind = {".onnx": "onnx", ".tflite": "tflite"}[suffix]
    cli("export", "model.h5", "--format", kind, "-o", f"net{suffix}")
    own = cli("predict", "model.h5", "photos", "--csv", "own.csv")
    exported = cli("predict", f"net{suffix}", "photos", "--csv", "exported.csv")
    first, second = (
        rows(Path(name).read_text()) for name in ("own.csv", "exported.csv")
    )
    assert [row["class"] for row in second] == [row["class"] for row in first]
    for one, other in zip(first, second, strict=True):
        assert float(one["probability"]) == pytest.approx(
            float(other["probability"]), abs=1e-5
        )
    assert seconds_cut(exported.stderr) == seconds_cut(own.stderr).replace(
        "own.csv", "exported.csv"
    )
    assert "1 image seems inverted" in exported.stderr


def test_pictures_are_fitted_as_those_that_the_model_was_trained_on(
    model: Path, cli: Cli
) -> None:
    from cnncli.commands.opened import Opened
    from cnncli.commands.predict import _asked
    from cnncli.config.schema import Folder

    saved = open_model(model)
    source = Folder(path="photos", fit="pad")
    data = saved.config.data.model_copy(update={"source": source})
    padded = replace(saved, config=saved.config.model_copy(update={"data": data}))
    Image.new("L", (56, 28), 200).save("wide.png")
    for one, corner in ((saved, 200), (padded, 0)):
        opened: Any = Opened(model, one, None, None)  # type: ignore[arg-type]
        (given,) = _asked(opened, [Path("wide.png")], None).images
        assert given.pixels is not None
        assert given.pixels[0, 0, 0] == corner
