"""Folders like those of runs, made in no time, to be compared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

CLASSES = ("Bag", "Coat")
CONFIG = """\
name: made
seed: {seed}
model:
  layers:
    - Flatten: {{name: flatten}}
    - Dense: {{name: output, units: 10, activation: softmax}}
training:
  epochs: {epochs}
  threads: 2
"""
DATA = {"fingerprints": {"train": "1" * 64, "test": "2" * 64}, "split_digest": "3" * 64}


def predictions(right: Iterable[bool]) -> str:
    """Return a predictions.csv, of images 0, 1, ... that are bags and coats in turn."""
    lines = ["index,true,predicted,probability,probability_of_true"]
    for index, is_right in enumerate(right):
        true = CLASSES[index % 2]
        predicted = true if is_right else CLASSES[1 - index % 2]
        lines.append(f"{index},{true},{predicted},0.75,{0.75 if is_right else 0.25}")
    return "\n".join([*lines, ""])


def share(correct: int, images: int = 100) -> list[bool]:
    """Return so many right ones, then the wrong ones."""
    return [index < correct for index in range(images)]


def make_run(
    folder: Path,
    right: Iterable[bool],
    *,
    seed: int = 1,
    epochs: int = 2,
    data: object = DATA,
    **noted: object,
) -> Path:
    """Make a finished run's folder.

    Args:
        folder: Where to.
        right: Whether each test image is predicted right.
        seed: The run's.
        epochs: In its config.
        data: What the manifest says of the images.
        noted: What else the manifest says.
    """
    folder.mkdir(parents=True)
    (folder / "predictions.csv").write_text(predictions(right))
    config = CONFIG.format(seed=seed, epochs=epochs)
    (folder / "config.yaml").write_text(config)
    manifest = {
        "schema": "cnncli.run/1",
        "status": "finished",
        "seconds": 12.34,
        "kept_epoch": 1,
        "parameters": 7850,
        "threads": {"intra_op": 2},
        "data": data,
        **noted,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    metrics = {"schema": "cnncli.evaluation/1", "split": "test", "loss": 0.5}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "history.csv").write_text(history([0.5, 0.75]))
    (folder / "model.h5").write_bytes(bytes(1234))
    return folder


def history(accuracies: Sequence[float]) -> str:
    """Return a history.csv with a validation accuracy and a loss for each epoch."""
    rows = [
        f"{epoch},{accuracy},{1 - accuracy}"
        for epoch, accuracy in enumerate(accuracies, start=1)
    ]
    return "\n".join(["epoch,val_accuracy,val_loss", *rows, ""])
