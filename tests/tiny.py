"""A tiny experiment: a network of 250 parameters on a few real images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from unittest import mock

from click.testing import CliRunner, Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CONFIG = """\
name: tiny
seed: 5
data:
  split: {method: stratified, train: 300, validation: 100}
model:
  layers:
    - AveragePooling2D: {name: small, pool_size: 7}
    - RandomFlip: {name: flip, mode: horizontal}
    - Flatten: {name: flatten}
    - Dropout: {name: dropout, rate: 0.1}
    - Dense: {name: output, units: 10, activation: softmax}
training:
  optimizer: {Adam: {learning_rate: 0.01}}
  metrics: [accuracy, sparse_top_k_categorical_accuracy]
  epochs: 2
  threads: 2
"""


@contextmanager
def without_pictures() -> Iterator[None]:
    """Write a word for each picture, and for the report, instead of drawing it."""

    def save(_: Figure, file: BinaryIO, **options: object) -> None:
        file.write(b"picture")

    figure = "matplotlib.figure.Figure"
    with (
        mock.patch(f"{figure}.savefig", save),
        mock.patch(f"{figure}.draw_without_rendering"),
        mock.patch("cnncli.report.report.report_page", return_value="report"),
    ):
        yield


def train_tiny(folder: Path, *options: str) -> Result:
    """Train the tiny experiment as a command does, into runs/tiny of a folder."""
    from cnncli.cli import cli

    (folder / "tiny.yaml").write_text(CONFIG)
    with chdir(folder):
        result = CliRunner().invoke(cli, ["train", "tiny.yaml", *options])
    assert result.exit_code == 0, result.output
    return result
