"""What a contestant is to do, and how that is said on its command line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

CONFIG = Path("configs/fashion-mnist.yaml")


@dataclass(frozen=True)
class Task:
    """A training task.

    Attributes:
        images: Folder with four IDX files, gzipped; the first ``train`` of its training
            images train, the next ``validation`` ones validate.
        train: Number of training images.
        validation: Number of validation images.
        epochs: Passes over the training images.
        batch_size: Images in a step.
        precision: As ``training.precision`` names it.
        seed: Of cnncli; the others draw another one each time.
    """

    images: Path
    train: int = 10_000
    validation: int = 6_000
    epochs: int = 20
    batch_size: int = 32
    precision: str = "float32"
    seed: int = 1

    def arguments(self) -> list[str]:
        """Return the options that ``parse_task`` reads."""
        return [f"--{key.replace('_', '-')}={v}" for key, v in asdict(self).items()]

    def settings(self) -> list[str]:
        """Return the ``cnncli train`` settings that make the documented config this."""
        source = json.dumps({"fashion-mnist": {"path": str(self.images)}})
        settings = [
            f"data.source={source}",
            f"data.split.train={self.train}",
            f"data.split.validation={self.validation}",
            f"training.epochs={self.epochs}",
            f"training.batch_size={self.batch_size}",
            f"seed={self.seed}",
        ]
        if self.precision != "float32":
            settings.append(f"training.precision={self.precision}")
        return settings


def parse_task(parser: argparse.ArgumentParser) -> tuple[Task, argparse.Namespace]:
    """Read a task, and whatever else the parser knows, from the command line."""
    parser.add_argument("--images", type=Path, required=True)
    for key in ("train", "validation", "epochs", "batch-size", "seed"):
        parser.add_argument(f"--{key}", type=int, required=True)
    parser.add_argument("--precision", required=True)
    options = parser.parse_args()
    keys = Task.__dataclass_fields__
    return Task(**{k: v for k, v in vars(options).items() if k in keys}), options
