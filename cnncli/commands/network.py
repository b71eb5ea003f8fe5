"""A network's layers as a table, for people and for machines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnncli.architecture import LayerRow, Shape, trace_network
from cnncli.architecture.receptive import receptive_fields
from cnncli.architecture.table import pixels_seen
from cnncli.errors import printable
from cnncli.experiment.load import load_experiment
from cnncli.modelfile.place import is_model, is_url
from cnncli.system.terminal import say

if TYPE_CHECKING:
    from cnncli.config import Config

SCHEMA = "cnncli.summary/1"


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
        fields = receptive_fields(self.config.model.layers, self.image_shape)
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
                    "receptive_field": list(pixels_seen(field, self.image_shape)),
                    "parameters": row.parameters,
                    "trainable_parameters": row.trainable_parameters,
                    "arithmetic": row.arithmetic,
                    "multiply_accumulates": row.multiply_accumulates,
                }
                for row, field in zip(self.rows, fields, strict=True)
            ],
            "parameters": sum(row.parameters for row in self.rows),
            "trainable_parameters": sum(row.trainable_parameters for row in self.rows),
            "multiply_accumulates": sum(row.multiply_accumulates for row in self.rows),
        }


def summarize(path: Path | None, overrides: tuple[str, ...] = ()) -> Summary:
    """Work out the layers of a config or of a trained model, without TensorFlow.

    Args:
        path: A config, a run folder or a model file, also one that Keras saved;
            without one, the documented experiment.
        overrides: ``key.path=value`` settings for a config.

    Raises:
        click.UsageError: Settings were given for a model.
        ConfigError: The config is wrong.
        DataError: The config's data set is missing.
        ModelFileError: The model can't be read.
    """
    if path is None or not (is_url(path) or is_model(path)):
        experiment = load_experiment(path, overrides)
        return Summary(experiment.config, experiment.data.image_shape, experiment.rows)
    from cnncli.modelfile.file import ModelFile, open_any_model

    if overrides:
        raise click.UsageError(
            f"{printable(str(path))}: a trained model can't be changed with --set; "
            "give a config"
        )
    saved = open_any_model(path)
    if not isinstance(saved, ModelFile):
        for note in saved.notes:
            say(f"note: {note}")
    rows = trace_network(saved.config.model.layers, saved.image_shape)
    return Summary(saved.config, saved.image_shape, rows)
