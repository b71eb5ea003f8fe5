"""``cnncli predict``."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnncli.commands.opened import Described, Opened, opened_model
from cnncli.commands.options import (
    data_option,
    file_path,
    format_of,
    json_option,
    overwrite_option,
    picture_path,
    quiet_option,
)
from cnncli.commands.predictions import open_writer
from cnncli.errors import DataError, printable
from cnncli.system.terminal import say

if TYPE_CHECKING:
    from cnncli.commands.predictions import Writer
    from cnncli.commands.progress import QuietProgress
    from cnncli.data.brightness import Brightness
    from cnncli.evaluation.predict import (
        Counts,
        Given,
        Invert,
        Predicted,
        Predictor,
    )

_MOST_LISTED = 20
"""Images that can't be read, listed at the end; all are in the results."""

_MOST_DRAWN = 60


@click.command()
@click.argument("model", type=file_path)
@click.argument("images", type=file_path, nargs=-1, metavar="[IMAGE or FOLDER]...")
@data_option
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="K",
    help="Tell the K likeliest classes.",
)
@click.option(
    "--invert",
    type=click.Choice(["auto", "yes", "no"]),
    help="Give the network the inverse of each image, or of those that seem to be "
    "inverted to the training images.  [default: no, with a warning of them]",
)
@click.option(
    "--csv",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Write CSV instead of the table, to stdout if FILE is -.",
)
@json_option
@click.option(
    "--save-inputs",
    type=picture_path,
    metavar="FILE",
    help="Also draw what the network is given of the first 60 images, as .png, .svg or "
    ".pdf.",
)
@overwrite_option
@quiet_option
def predict(
    model: Path,
    images: tuple[Path, ...],
    data: Path | None,
    top: int,
    invert: Invert | None,
    csv: Path | None,
    as_json: bool,
    save_inputs: Path | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Tell the class of each IMAGE by MODEL, a run folder or model file.

    A .tflite or .onnx file that cnncli export wrote is run itself.

    Of a FOLDER, all pictures in it and in its folders are taken, in natural order. A
    picture that can't be read has an error in place of a class; the others go on, and
    the exit code is 3.

    \b
    Examples:
      cnncli predict runs/fashion-mnist shoe.png bag.jpg --top 3
      cnncli predict runs/fashion-mnist photos --csv predictions.csv
      cnncli predict model.onnx photos --json
      cnncli predict runs/digits scans --invert auto --save-inputs inputs.png
    """
    from cnncli.commands.progress import open_progress
    from cnncli.evaluation.predict import Predictor

    if csv is not None and as_json:
        raise click.UsageError("--csv and --json exclude each other")
    if bool(images) == (data is not None):
        raise click.UsageError("name images, folders of them, or --data; not both")
    scrolls = csv is None and not as_json and sys.stdout.isatty()
    with opened_model(model) as opened:
        brightness = _brightness(opened.path, opened.described, invert)
        names = opened.described.class_names
        top = min(top, len(names))
        asked = _asked(opened, images, data)
        with (
            opened.started() as network,
            open_progress(quiet=quiet, bar=not scrolls) as progress,
            open_writer(
                str(opened.path),
                names,
                asked.name_width,
                top,
                csv_path=csv,
                as_json=as_json,
                overwrite=overwrite,
            ) as writer,
        ):
            predictor = Predictor(network, names, top, brightness, invert or "no")
            told = _predict(predictor, asked, writer, progress)
    if csv is not None and str(csv) != "-" and not quiet:
        say(f"written: {csv}")
    if save_inputs is not None and told.inputs:
        _draw(told.inputs, save_inputs, overwrite=overwrite)
    if told.failures:
        raise DataError(*told.failures, _failed(predictor.counts))


@dataclass(frozen=True)
class _Asked:
    """What to predict.

    Attributes:
        images: The images, each read when it is needed.
        count: How many there are.
        name_width: How long the longest of their names is.
        passed_over: How many files in folders are no pictures, by suffix.
    """

    images: Iterable[Given]
    count: int
    name_width: int
    passed_over: Counter[str]


@dataclass(frozen=True)
class _Told:
    """What is told after the results.

    Attributes:
        inputs: The first images, as the network was given them.
        failures: The first of those that couldn't be read, each with the reason.
    """

    inputs: list[Predicted]
    failures: list[str]


def _brightness(
    path: Path, described: Described, invert: Invert | None
) -> Brightness | None:
    """Return what images are compared with to tell inverted ones, if they are to be."""
    if invert in ("yes", "no"):
        return None
    is_grey = described.image_shape[2] == 1
    if is_grey and described.brightness is not None:
        return described.brightness
    if invert == "auto":
        what = (
            "doesn't say how light its training images are"
            if is_grey
            else "takes images in colour, of which none is taken for inverted"
        )
        raise click.UsageError(
            f"--invert auto: {printable(str(path))} {what}; say yes or no"
        )
    return None


def _asked(opened: Opened, images: Sequence[Path], data: Path | None) -> _Asked:
    """Find what to predict.

    Raises:
        DataError: A folder holds no pictures, or the data set can't be read.
    """
    from cnncli.data.images import blocks
    from cnncli.evaluation.predict import Given, read_files

    if data is not None:
        test = opened.load(data)
        numbers = test.indices.tolist()
        names = (
            [str(data / test.names[number]) for number in numbers]
            if test.names
            else [f"{data}[{number}]" for number in numbers]
        )
        width = max(len(printable(name)) for name in names)
        pixels = (image for block in blocks(test.pixels) for image in block)
        return _Asked(map(Given, names, pixels), len(test), width, Counter())
    paths, passed_over = _find_pictures(images)
    width = max(len(printable(str(path))) for path in paths)
    described = opened.described
    given = read_files(paths, described.image_shape, described.fit)
    return _Asked(given, len(paths), width, passed_over)


def _find_pictures(images: Sequence[Path]) -> tuple[list[Path], Counter[str]]:
    """Return the files to read, and how many in folders are passed over, by suffix."""
    from cnncli.data.listing import count_suffixes, list_pictures
    from cnncli.data.pictures import FORMATS

    paths: list[Path] = []
    passed_over = Counter[str]()
    for path in images:
        if not _is_folder(path):
            paths.append(path)
            continue
        listing = list_pictures(path)
        passed_over += listing.passed_over
        if not listing.pictures:
            others = count_suffixes(listing.passed_over)
            others = f", but {others}" if others else ""
            raise DataError(
                f"{path}: no pictures in the folder{others}; what is read: "
                f"{', '.join(FORMATS)}"
            )
        paths += listing.pictures
    return paths, passed_over


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # reading it will say why
        return False


def _predict(
    predictor: Predictor, asked: _Asked, writer: Writer, progress: QuietProgress
) -> _Told:
    """Predict and write everything down; say what was done to the images."""
    from cnncli.data.listing import count_suffixes

    started = time.perf_counter()
    told, counts = _Told([], []), predictor.counts
    for rows in predictor.predict(asked.images):
        writer.rows(rows)
        for row in rows:
            if row.error is not None and len(told.failures) < _MOST_LISTED:
                told.failures.append(f"{row.name}: {row.error}")
            if row.error is None and len(told.inputs) < _MOST_DRAWN:
                told.inputs.append(row)
        progress.count("predicting", counts.images, asked.count)
    warnings = list(_warnings(predictor))
    writer.finish(counts, asked.passed_over, warnings)
    if asked.passed_over:
        progress.note(f"note: passed over: {count_suffixes(asked.passed_over)}")
    for change, count in sorted(counts.changes.items()):
        were = "1 image was" if count == 1 else f"{count:,} images were"
        progress.note(f"note: {were} {change}")
    for warning in warnings:
        progress.warn(warning)
    seconds = time.perf_counter() - started
    predicted = counts.images - counts.failed
    progress.note(f"{predicted:,} of {_total(counts)} predicted in {seconds:.1f} s")
    return told


def _warnings(predictor: Predictor) -> Iterator[str]:
    """Find what makes predictions doubtful."""
    count, brightness = predictor.counts.seem_inverted, predictor.brightness
    if count and brightness is not None and predictor.invert == "no":
        seem = "1 image seems" if count == 1 else f"{count:,} images seem"
        light, dark = (
            ("light", "dark") if brightness.border < 128 else ("dark", "light")
        )
        yield (
            f"{seem} inverted: {light} at the border, where the training images are "
            f"{dark}; --invert auto gives the network the inverse"
        )


def _failed(counts: Counts) -> str:
    """Say how many images have no prediction."""
    listed = f"; {_MOST_LISTED} are listed" if counts.failed > _MOST_LISTED else ""
    others = "; the others are predicted" if counts.failed < counts.images else ""
    return f"{counts.failed:,} of {_total(counts)} can't be read{listed}{others}"


def _total(counts: Counts) -> str:
    return f"{counts.images:,} image{'s' * (counts.images != 1)}"


def _draw(inputs: Sequence[Predicted], path: Path, *, overwrite: bool) -> None:
    """Draw what the network was given."""
    from cnncli.plots.fonts import font_warning
    from cnncli.plots.inputs import Input, plot_inputs
    from cnncli.plots.palette import label
    from cnncli.system.files import write_new_files

    texts = [text for row in inputs for text in (row.name, row.guesses[0].name)]
    if warning := font_warning(texts):
        say(f"warning: {warning}")
    picture = plot_inputs(
        [
            Input(
                row.pixels,
                Path(row.name).name,
                f"{label(row.guesses[0].name, 14)} {row.guesses[0].probability:.3f}",
            )
            for row in inputs
            if row.pixels is not None
        ],
        format_of(path),
    )
    write_new_files({path: picture}, overwrite=overwrite)
    say(f"written: {path}")
