"""``cnncli inspect``."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnncli.commands.options import file_path, json_option
from cnncli.errors import printable
from cnncli.system.columns import aligned

if TYPE_CHECKING:
    from cnncli.data.normalization import Normalization
    from cnncli.runs.inspection import Inspection

_WIDTH = 80
_MOST_LAYERS = 12
"""How many layers are named."""


@click.command()
@click.argument("model", type=file_path)
@json_option
def inspect(model: Path, as_json: bool) -> None:
    """Show who wrote MODEL, and what it says of itself.

    MODEL is a run folder or a model file, also one that Keras saved. Of what is no
    model, it says what it is.

    \b
    Examples:
      cnncli inspect runs/fashion-mnist
      cnncli inspect model.keras --json
    """
    from cnncli.runs.inspection import inspect_model

    found = inspect_model(model)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2))
    else:
        click.echo(format_inspection(found))


def format_inspection(found: Inspection) -> str:
    """Return a model file's account of itself as lines of 80 columns."""
    facts = [*_file(found), *_contents(found), *_account(found), *_run(found)]
    width = _WIDTH - max(len(label) for label, _ in facts) - 2
    rows: list[tuple[str, str]] = []
    for label, text in facts:
        lines = textwrap.wrap(
            printable(text), width, break_long_words=False, break_on_hyphens=False
        )
        labels = [label, *[""] * len(lines)]
        rows += zip(labels, lines, strict=False)
    return aligned(rows)


Facts = Iterator[tuple[str, str]]


def _file(found: Inspection) -> Facts:
    yield "file", str(found.path)
    yield "size", f"{found.num_bytes:,} bytes"
    yield "sha256", found.sha256
    from cnncli.config.problems import shortened

    writer = f"{found.program} {shortened(found.version) or '(no version)'}"
    if found.own:
        writer += f", with Keras {shortened(found.keras_version)}"
    backend = f" on {shortened(found.backend)}" if found.backend else ""
    yield "written by", f"{writer}{backend}"


def _contents(found: Inspection) -> Facts:
    if found.model is None:
        for problem in found.problems:
            yield "can't be adopted", problem
        return
    types = [row.type for row in found.rows]
    more = ", ..." * (len(types) > _MOST_LAYERS)
    yield "images", str(found.model.image_shape)
    yield "layers", f"{len(types)}: {', '.join(types[:_MOST_LAYERS])}{more}"
    total = sum(row.parameters for row in found.rows)
    trained = sum(row.trainable_parameters for row in found.rows)
    untrained = "" if trained == total else f", of which {trained:,} are trained"
    yield "parameters", f"{total:,}{untrained}"
    for note in found.notes:
        yield "note", note


def _account(found: Inspection) -> Facts:
    """Yield what only a model file of this program's says."""
    own = found.own
    if own is None:
        if found.model:
            yield (
                "classes",
                "not stored, nor what was done to pixels; cnncli adopt asks",
            )
        return
    yield "classes", f"{len(own.class_names)}: {', '.join(own.class_names)}"
    yield "normalisation", _normalization(own.normalization)
    yield "config", str(own.config.name)
    yield "config sha256", str(found.config_sha256)
    for pool in ("train", "test"):
        yield f"{pool} images", own.fingerprints.get(pool, "not stored")


def _normalization(normalization: Normalization) -> str:
    divided = f"divided by {_numbers(normalization.deviation)}"
    if not any(normalization.mean):
        return divided
    return f"less {_numbers(normalization.mean)}, then {divided}"


def _numbers(values: Sequence[float]) -> str:
    """Return a number for each channel, or one if all are the same."""
    several = values if len(set(values)) > 1 else values[:1]
    return ", ".join(f"{value:g}" for value in several)


def _run(found: Inspection) -> Facts:
    run: dict[str, Any] | None = found.run
    if run is None:
        return
    when = run["ended"] or run["started"] or "at an unknown time"
    epoch = run["kept_epoch"]
    kept = f", with the weights of epoch {epoch}" if isinstance(epoch, int) else ""
    yield "run", f"{run['status']} {when}{kept}"
    match run["versions"]:
        case {"tensorflow": str(tensorflow), "keras": str(keras)}:
            yield "trained with", f"TensorFlow {tensorflow}, Keras {keras}"
