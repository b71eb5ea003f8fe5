"""The same network as a Lightning module, its trainer as it comes.

The batches are gathered by a batch of indices at once, which is faster than the data
loader's usual way of picking images one by one.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    SequentialSampler,
    TensorDataset,
)

from benchmarks import torch_loop
from benchmarks.tasks import parse_task


class Classifier(lightning.LightningModule):
    """The documented network and how it is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.network = torch_loop.build_network()

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        return self._measure(batch, "")

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        self._measure(batch, "val_")

    def test_step(self, batch: tuple[Tensor, Tensor]) -> None:
        self._measure(batch, "test_")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch_loop.build_optimizer(self)

    def _measure(self, batch: tuple[Tensor, Tensor], prefix: str) -> Tensor:
        images, labels = batch
        logits = self.network(images)
        loss = nn.functional.cross_entropy(logits, labels)
        accuracy = (logits.detach().argmax(1) == labels).float().mean()
        measures = {f"{prefix}loss": loss, f"{prefix}accuracy": accuracy}
        self.log_dict(measures, on_step=False, on_epoch=True, batch_size=len(labels))
        return loss


def training_batches(images: Tensor, labels: Tensor, batch_size: int) -> DataLoader:
    """Return shuffled batches."""
    data = TensorDataset(images, labels)
    sampler = BatchSampler(RandomSampler(data), batch_size, drop_last=False)
    return DataLoader(data, sampler=sampler, batch_size=None)


def evaluation_batches(images: Tensor, labels: Tensor) -> DataLoader:
    """Return large batches in order."""
    data = TensorDataset(images, labels)
    size = torch_loop.EVALUATION_BATCH
    sampler = BatchSampler(SequentialSampler(data), size, drop_last=False)
    return DataLoader(data, sampler=sampler, batch_size=None)


def build_trainer(out: Path, epochs: int, **arguments: Any) -> lightning.Trainer:
    """Return a trainer that works on the processor and writes below ``out``."""
    return lightning.Trainer(
        accelerator="cpu", max_epochs=epochs, default_root_dir=out, **arguments
    )


def main() -> None:
    """Train, evaluate and, as the trainer does, save a checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    task, options = parse_task(parser)
    x_train, y_train, x_val, y_val, x_test, y_test = torch_loop.load(task)
    trainer = build_trainer(options.out, task.epochs)
    classifier = Classifier()
    trainer.fit(
        classifier,
        training_batches(x_train, y_train, task.batch_size),
        evaluation_batches(x_val, y_val),
    )
    trainer.test(classifier, evaluation_batches(x_test, y_test))
    accuracy = float(trainer.callback_metrics["test_accuracy"])
    print(f"Correct predicted classes: {round(accuracy * len(y_test))}")


if __name__ == "__main__":
    main()
