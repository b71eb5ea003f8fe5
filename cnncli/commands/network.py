"""A network's layers as a table, for people and for machines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnncli.architecture import LayerRow, Shape, trace_network
from cnncli.errors import ConfigError
from cnncli.experiment.load import load_experiment
from cnncli.modelfile.check import is_model, is_url

if TYPE_CHECKING:
    from cnncli.config import Config

SCHEMA = "cnncli.summary/1"
_HEADS = ("layer", "type", "output shape", "parameters", "", "multiply-accumulates")


@dataclass(frozen=True)
class Summary:
    """A network, layer by layer.

    Attributes:
        config: The resolved config that it stands in.
        image_shape: (height, width, channels) of the images it takes.
        rows: Its layers.
    """

    config: Config
    image_shape: Shape
    rows: tuple[LayerRow, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return what ``summary --json`` says; the keys are in docs/json.md."""
        return {
            "schema": SCHEMA,
            "name": self.config.name,
            "input_shape": list(self.image_shape),
            "layers": [
                {
                    "index": row.index,
                    "name": row.name,
                    "type": row.type,
                    "output_shape": list(row.output_shape),
                    "parameters": row.parameters,
                    "trainable_parameters": row.trainable_parameters,
                    "arithmetic": row.arithmetic,
                    "multiply_accumulates": row.multiply_accumulates,
                }
                for row in self.rows
            ],
            "parameters": sum(row.parameters for row in self.rows),
            "trainable_parameters": sum(row.trainable_parameters for row in self.rows),
            "multiply_accumulates": sum(row.multiply_accumulates for row in self.rows),
        }


def summarize(path: Path | None, overrides: tuple[str, ...] = ()) -> Summary:
    """Work out the layers of a config or of a trained model, without TensorFlow.

    Args:
        path: A config, a model file or a run folder; without one, the documented
            experiment.
        overrides: ``key.path=value`` settings for a config.

    Raises:
        ConfigError: The config is wrong, or settings were given for a model.
        DataError: The config's data set is missing.
        ModelFileError: The model can't be read.
    """
    if path is None or not (is_url(path) or is_model(path)):
        experiment = load_experiment(path, overrides)
        return Summary(experiment.config, experiment.data.image_shape, experiment.rows)
    from cnncli.modelfile.file import open_model

    if overrides:
        raise ConfigError(
            f"error: {path}: a trained model can't be changed with --set; give a config"
        )
    saved = open_model(path)
    rows = trace_network(saved.config.model.layers, saved.image_shape)
    return Summary(saved.config, saved.image_shape, rows)


def format_summary(rows: tuple[LayerRow, ...], image_shape: Shape) -> str:
    """Return the layers as a table of text.

    Args:
        rows: The layers.
        image_shape: (height, width, channels) of the images.
    """
    table = [
        _HEADS,
        ("", "input", format_shape(image_shape), "", "", ""),
        *((*_cells(row),) for row in rows),
        (
            "total",
            "",
            "",
            f"{sum(row.parameters for row in rows):,}",
            "",
            f"{sum(row.multiply_accumulates for row in rows):,}",
        ),
    ]
    widths = [max(len(line[column]) for line in table) for column in range(len(_HEADS))]
    lines = ["  ".join(_aligned(line, widths)).rstrip() for line in table]
    trained = sum(row.trainable_parameters for row in rows)
    lines.append(f"{trained:,} of the parameters are trained")
    return "\n".join(lines)


def format_shape(shape: Shape) -> str:
    """Return a shape as Python writes a tuple, without the batch."""
    return str(tuple(shape))


def _cells(row: LayerRow) -> tuple[str, ...]:
    return (
        row.name,
        row.type,
        format_shape(row.output_shape),
        f"{row.parameters:,}",
        f"= {row.arithmetic}" if row.arithmetic else "",
        f"{row.multiply_accumulates:,}",
    )


def _aligned(line: tuple[str, ...], widths: list[int]) -> list[str]:
    right = (3, 5)
    return [
        cell.rjust(width) if column in right else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]
