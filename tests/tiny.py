"""A tiny experiment: a network of 250 parameters on a few real images."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

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


def train_tiny(folder: Path) -> Path:
    """Train the tiny experiment through the command line; return the run folder."""
    from cnncli.cli import cli

    config = folder / "tiny.yaml"
    config.write_text(CONFIG)
    run = folder / "run"
    arguments = ["train", str(config), "--out", str(run), "--quiet"]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    return run
