"""``cnncli adopt``."""

from __future__ import annotations

import csv
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnncli.commands import offered
from cnncli.commands.options import FilePath, Numbers, file_path, overwrite_option
from cnncli.commands.started import backend_started
from cnncli.errors import printable
from cnncli.system.columns import aligned
from cnncli.system.terminal import say

_USUAL_SCALES = (255.0, 1.0)

if TYPE_CHECKING:
    from cnncli.backend.interface import ExplainingBackend
    from cnncli.config.schema import Source
    from cnncli.data.normalization import Normalization
    from cnncli.evaluation.scales import Trial
    from cnncli.modelfile.file import ModelFile
    from cnncli.modelfile.foreign import KerasModel


@click.command()
@click.argument("model", type=file_path)
@click.option(
    "--classes",
    metavar="NAME,NAME,...",
    help="Name of each class, in the order of the network's outputs.",
)
@click.option(
    "--divide-by",
    type=Numbers(positive=True),
    metavar="NUMBER",
    help="Pixel values, 0 to 255, were divided by it; 1 if they were left as they are.",
)
@click.option(
    "--mean",
    type=Numbers(),
    metavar="NUMBERS",
    help="It was subtracted from the pixel values, 0 to 255; one number, or one for "
    "each channel.",
)
@click.option(
    "--deviation",
    type=Numbers(positive=True),
    metavar="NUMBERS",
    help="They were divided by it after that.",
)
@click.option(
    "--data",
    type=file_path,
    metavar="PATH",
    shell_complete=offered.data_sets,
    help="Its data set: IDX, .npz, CSV, Parquet or a folder of pictures; or "
    "fashion-mnist for the images that come with this program.",
)
@click.option(
    "-o",
    "--out",
    type=FilePath(".h5"),
    required=True,
    metavar="FILE",
    help="Model file to write, .h5.",
)
@overwrite_option
def adopt(
    model: Path,
    classes: str | None,
    divide_by: tuple[float, ...] | None,
    mean: tuple[float, ...] | None,
    deviation: tuple[float, ...] | None,
    data: Path | None,
    out: Path,
    overwrite: bool,
) -> None:
    """Make a model file of MODEL, an .h5 or .keras file that Keras saved.

    Then evaluate and feature-maps work on it. Keras doesn't store what its classes are
    called and what was done to pixel values; you say it. With --data and without
    --divide-by it is tried out with pixels from 0 to 1 and from 0 to 255, and what fits
    is suggested. No code in MODEL is run.

    \b
    Examples:
      cnncli adopt model.h5 --classes cat,dog --divide-by 255 -o adopted.h5
      cnncli adopt model.keras --data fashion-mnist -o adopted.h5
    """
    from cnncli.architecture.batches import PREDICTION_BATCH
    from cnncli.data.brightness import Brightness
    from cnncli.data.normalization import Normalization
    from cnncli.evaluation.images import load_evaluation_images
    from cnncli.evaluation.scales import try_scales
    from cnncli.experiment.memory import check_memory_to_predict
    from cnncli.modelfile.adoption import adopted
    from cnncli.system.files import write_new_files

    opened = _open(model)
    channels = opened.image_shape[2]
    said = _said(divide_by, mean, deviation, channels)
    if said is None and data is None:
        raise click.UsageError(
            "say what was done to the pixel values, which are from 0 to 255: "
            "--divide-by 255, --divide-by 1 if nothing was, or --mean and "
            "--deviation; or name the --data, and the first two are tried"
        )
    usual = [Normalization.divide_by(scale, channels) for scale in _USUAL_SCALES]
    names = _class_names(opened, classes, data)
    if opened.takes_whole_numbers:
        usual = usual[1:]
    saved = adopted(opened, names, said or usual[0], _source(names, data))
    check_memory_to_predict(saved, PREDICTION_BATCH)
    trials: list[Trial] = []
    with backend_started(saved.config) as backend:
        if data is not None:
            images, _ = load_evaluation_images(saved, "test", data)
            saved = replace(
                saved,
                fingerprints={"test": images.digest()},
                brightness=Brightness.of(images.pixels),
            )
            scales = usual if said is None else [said, *usual]
            trials = try_scales(backend, saved, images, [*dict.fromkeys(scales)])
        if said is None:
            raise click.UsageError(_suggestion(trials))
        content = _model_bytes(backend, saved)
    write_new_files({out: content}, overwrite=overwrite)
    _report(opened, saved, trials, out)


def _open(path: Path) -> KerasModel:
    """Read a model that Keras saved, and say what is different from what it says."""
    from cnncli.modelfile.file import ModelFile, open_any_model

    opened = open_any_model(path)
    if isinstance(opened, ModelFile):
        raise click.UsageError(
            f"{printable(str(path))}: cnncli wrote it; there is nothing to adopt"
        )
    for note in opened.notes:
        say(f"note: {note}")
    if opened.gives_logits:
        say("note: its loss takes logits; here a softmax follows its last layer")
    return opened


def _said(
    divide_by: tuple[float, ...] | None,
    mean: tuple[float, ...] | None,
    deviation: tuple[float, ...] | None,
    channels: int,
) -> Normalization | None:
    """Return what the options say was done to pixel values, if they say anything."""
    from cnncli.data.normalization import Normalization

    if (mean is None) != (deviation is None):
        raise click.UsageError("--mean and --deviation go together")
    if divide_by is not None and mean is not None:
        raise click.UsageError("--divide-by and --mean exclude each other")
    divisors = divide_by or deviation
    if divisors is None:
        return None
    pairs = [
        numbers * channels if len(numbers) == 1 else numbers
        for numbers in (mean or (0.0,), divisors)
    ]
    for numbers in pairs:
        if len(numbers) != channels:
            raise click.UsageError(
                f"{len(numbers)} numbers for images with {channels} "
                f"channel{'s' * (channels > 1)}"
            )
    return Normalization(*pairs)


def _class_names(
    model: KerasModel, text: str | None, data: Path | None
) -> tuple[str, ...]:
    """Return the name of each class, as many as the network has outputs."""
    from cnncli.config.schema import Idx
    from cnncli.config.validation import validate
    from cnncli.data.sources import FASHION_MNIST_CLASSES, is_embedded

    if text is not None:
        names = _split(text)
    elif data is not None and is_embedded(data):
        names = FASHION_MNIST_CLASSES
    else:
        raise click.UsageError("name the classes: --classes NAME,NAME,...")
    _, problems = validate(Idx, {"type": Idx.tag(), "path": ".", "classes": names})
    outputs = model.rows[-1].output_shape
    if outputs == (1,):
        message = (
            "the network has a single output, for two classes; what can be taken over "
            "has an output for each class"
        )
    elif problems:
        message = problems[0].message
    elif len(outputs) == 1 and outputs != (len(names),):
        message = f"{len(names)} names, but the network gives {outputs[0]} outputs"
    else:
        return names
    raise click.BadParameter(printable(message), param_hint="'--classes'")


def _split(text: str) -> tuple[str, ...]:
    """Return the names in a text with commas between them, as CSV has them."""
    from cnncli.config.problems import shortened

    try:
        (row,) = csv.reader([text], skipinitialspace=True, strict=True)
    except (csv.Error, ValueError) as error:
        message = (
            f"{shortened(repr(text))} can't be read as names with commas between them; "
            'put a name with a comma in it in quotes: a,"b, c"'
        )
        raise click.BadParameter(message, param_hint="'--classes'") from error
    return tuple(name.strip() for name in row)


def _source(names: tuple[str, ...], data: Path | None) -> Source:
    """Return where the images are, as a config has it."""
    from cnncli.config.schema import FashionMNIST
    from cnncli.config.validation import validate
    from cnncli.data.sources import is_embedded, kind_at

    if data is not None and is_embedded(data):
        return FashionMNIST()
    kind = kind_at(data)
    place = "." if data is None else str(data.absolute())
    source, problems = validate(
        kind, {"type": kind.tag(), "path": place, "classes": names}
    )
    if source is None:
        message = printable(problems[0].message)
        raise click.BadParameter(message, param_hint="'--data'")
    return source


def _suggestion(trials: list[Trial]) -> str:
    """Return which scale a network was most likely trained on, with the figures."""
    best = trials[0]
    figures = ", ".join(
        f"{_option(trial.normalization)} gets {_right(trial)}" for trial in trials
    )
    if best.evaluation.interval[0] <= 1 / len(best.evaluation.classes):
        advice = "no better than chance; are the --classes in the network's order?"
    else:
        advice = f"most likely it was {_option(best.normalization)}"
    return (
        "say what was done to the pixel values; of "
        f"{len(best.evaluation.true):,} test images {figures}; {advice}"
    )


def _right(trial: Trial) -> str:
    return f"{trial.evaluation.correct:,} right (loss {trial.loss:.3g})"


def _option(normalization: Normalization) -> str:
    return f"--divide-by {normalization.deviation[0]:g}"


def _model_bytes(backend: ExplainingBackend, saved: ModelFile) -> bytes:
    from cnncli.modelfile.place import MODEL_NAME

    network = backend.load(saved)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / MODEL_NAME
        backend.save(replace(saved, path=path), network)
        return path.read_bytes()


def _report(
    opened: KerasModel, saved: ModelFile, trials: list[Trial], out: Path
) -> None:
    """Say what was adopted, and how well it does where that is known."""
    parameters = sum(row.parameters for row in opened.rows)
    lines = [
        ("written by", f"Keras {printable(opened.keras_version)}".rstrip()),
        ("images", str(saved.image_shape)),
        ("layers", f"{len(saved.config.model.layers)}, {parameters:,} parameters"),
        ("classes", ", ".join(map(printable, saved.class_names))),
    ]
    lines += [
        (f"{len(trial.evaluation.true):,} test images", _right(trial))
        for trial in trials
        if trial.normalization == saved.normalization
    ]
    if trials and trials[0].normalization != saved.normalization:
        better = f"{_option(trials[0].normalization)} fits better"
        say(f"warning: {better}: {_right(trials[0])}")
    lines.append(("model file", printable(str(out))))
    click.echo(aligned(lines))
