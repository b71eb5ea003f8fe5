"""``cnncli export``."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnncli.commands.options import (
    Share,
    data_option,
    file_path,
    json_option,
    overwrite_option,
)
from cnncli.commands.started import backend_started
from cnncli.errors import GateError, OutputError, printable
from cnncli.export.formats import FORMATS, require
from cnncli.system.columns import aligned
from cnncli.system.terminal import say

if TYPE_CHECKING:
    from cnncli.export.export import Exported
    from cnncli.export.formats import Format

SCHEMA = "cnncli.export/1"


@click.command()
@click.argument("model", type=file_path)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(list(FORMATS)),
    required=True,
    help="What to write; saved-model is a folder.",
)
@click.option(
    "-o",
    "--out",
    type=file_path,
    required=True,
    metavar="PATH",
    help="File or folder to write.",
)
@click.option(
    "--no-preprocessing",
    is_flag=True,
    help="Leave the normalisation of pixels out of the network.",
)
@click.option(
    "--quantize",
    type=click.Choice(["int8"]),
    help="Compute in 8-bit whole numbers, calibrated on training images; tflite only.",
)
@click.option(
    "--max-loss",
    type=Share(),
    metavar="SHARE",
    help="Exit with code 7 if --quantize lowers the accuracy by more, such as 0.01.",
)
@data_option
@overwrite_option
@json_option
def export(
    model: Path,
    format_name: str,
    out: Path,
    no_preprocessing: bool,
    quantize: str | None,
    max_loss: float | None,
    data: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write MODEL as a file for other programs: Keras, LiteRT, ONNX.

    MODEL is a run folder or model file. The network takes pixels from 0 to 255, any
    number of images at once, and gives probabilities. Before the file is in place it
    is run in its own run time, on the model's own test images, and compared with Keras.

    \b
    Examples:
      cnncli export runs/fashion-mnist --format onnx -o model.onnx
      cnncli export runs/fashion-mnist --format saved-model -o saved
    """
    from cnncli.architecture.batches import PREDICTION_BATCH
    from cnncli.experiment.memory import check_memory_to_predict
    from cnncli.export.export import export as export_network
    from cnncli.export.export import in_32_bits
    from cnncli.export.images import calibration_images, images_to_try
    from cnncli.modelfile.file import open_model
    from cnncli.system.files import replacing, write_new_files

    if quantize and format_name != "tflite":
        raise click.UsageError("--quantize goes with --format tflite")
    if max_loss is not None and not quantize:
        raise click.UsageError("--max-loss goes with --quantize")
    wanted = FORMATS[format_name]
    _check_place(out, wanted, overwrite=overwrite)
    require(wanted, f"--format {format_name}")
    opened = open_model(model)
    saved = in_32_bits(opened)
    check_memory_to_predict(saved, PREDICTION_BATCH)
    tried, why = images_to_try(saved, data, must_be_real=bool(quantize))
    calibration = calibration_images(saved, data) if quantize else None
    _note(opened.config.training.precision, why)
    with replacing(out) as temporary:
        with backend_started(saved.config) as backend:
            done = export_network(
                backend.load(saved),
                saved,
                wanted,
                tried,
                temporary,
                preprocessing=not no_preprocessing,
                calibration=calibration,
            )
        _check_loss(done, max_loss)
        beside = wanted.beside(done.description, out)
        write_new_files(beside, overwrite=overwrite)
    report = {
        "schema": SCHEMA,
        "format": format_name,
        "files": list(map(str, [out, *beside])),
        "bytes": _size(out),
        **done.to_dict(),
    }
    click.echo(
        json.dumps(report, indent=2) if as_json else _text(report, done, wanted, out)
    )


def _check_loss(done: Exported, most: float | None) -> None:
    if most is not None and done.loss > most:
        raise GateError(
            f"{_accuracies(done)}, more than the {most} of --max-loss; the file was "
            "not kept"
        )


def _check_place(out: Path, wanted: Format, *, overwrite: bool) -> None:
    """Refuse a place that nothing may be written to."""
    others = {each.suffix for each in FORMATS.values()} - {wanted.suffix}
    message = ""
    if wanted.suffix and out.suffix != wanted.suffix:
        message = f"{str(out)!r} must end in {wanted.suffix}"
    elif out.suffix in others - {""}:
        message = f"{str(out)!r} will be a folder; leave out {out.suffix}"
    if message:
        raise click.BadParameter(message, param_hint="'-o' / '--out'")
    if not os.path.lexists(out):
        return
    if not overwrite:
        raise OutputError(
            f"{out}: is there already; choose another place, or replace it with "
            "--overwrite"
        )
    if out.is_dir() and (wanted.suffix or not (out / "saved_model.pb").exists()):
        raise OutputError(
            f"{out}: a folder with other things in it, which is not replaced; choose "
            "another place"
        )


def _note(precision: str, why_generated: str | None) -> None:
    """Say what may not be as expected."""
    if precision != "float32":
        say(
            f"note: the model was trained in {precision}; files compute in 32-bit "
            "floats, and are compared with Keras in these"
        )
    if why_generated is not None:
        say(f"note: {why_generated}; the file is compared on generated images")


def _size(path: Path) -> int:
    """Return the bytes of a file, or of all files of a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)


def _text(report: dict[str, Any], done: Exported, wanted: Format, out: Path) -> str:
    """Return what was written, what it takes and gives, and how to open it."""
    described = done.description
    shape = ", ".join(map(str, described.input_shape))
    values: str = described.value_range
    if described.preprocessing != "inside":
        values += f", mean {_numbers(described.mean)}, "
        values += f"deviation {_numbers(described.deviation)}"
    rows = [
        ("written", f"{', '.join(report['files'])}; {report['bytes']:,} bytes"),
        (
            "input",
            f"{described.input_name}, {described.input_type} ({shape}): "
            f"{described.layout}, {described.color_order}, {values}",
        ),
        (
            "output",
            f"{described.output_name}, float32 (n, {len(described.class_names)})",
        ),
        ("classes", ", ".join(described.class_names)),
        (
            "compared",
            f"{len(done.tried.images):,} {done.tried.name} images, at most "
            f"{done.largest_difference:.1e} from Keras",
        ),
    ]
    if described.precision != "float32":
        rows.append(("accuracy", _accuracies(done)))
    lines = [f"  {line}" for line in wanted.lines(str(out))]
    table = aligned([(name, printable(text)) for name, text in rows])
    return "\n".join([table, "run it on images with:", *lines])


def _accuracies(done: Exported) -> str:
    keras, own = done.accuracies or (math.nan, math.nan)
    return f"{keras:.4f} in Keras, {own:.4f} in {done.description.precision}: " + (
        f"{done.loss:.4f} lost" if done.loss > 0 else "none lost"
    )


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.7g}" for value in values)
