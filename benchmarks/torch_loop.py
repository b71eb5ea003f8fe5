"""The same network in eager PyTorch, channels last, with a plain training loop."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.images import read_images
from benchmarks.tasks import Task, parse_task

EVALUATION_BATCH = 256


def load(task: Task) -> tuple[Tensor, ...]:
    """Return images (n, 1, 28, 28) and labels: training, validation, test."""
    images, labels = map(torch.tensor, read_images(task.images, "train"))
    test_images, test_labels = map(torch.tensor, read_images(task.images, "t10k"))
    last = task.train + task.validation
    return (
        _prepared(images[: task.train]),
        labels[: task.train].long(),
        _prepared(images[task.train : last]),
        labels[task.train : last].long(),
        _prepared(test_images),
        test_labels.long(),
    )


def _prepared(images: Tensor) -> Tensor:
    return (images.float() / 255).permute(0, 3, 1, 2)


def build_network() -> nn.Sequential:
    """Return the documented network; it gives logits."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding="same"),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding="same"),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * 14 * 14, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    ).to(memory_format=torch.channels_last)


def build_optimizer(network: nn.Module) -> torch.optim.Optimizer:
    """Return RMSprop with Keras's arguments."""
    return torch.optim.RMSprop(network.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)


def train_steps(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    batch_size: int,
) -> Iterator[Tensor]:
    """Take an epoch's steps; give loss and correct predictions, summed over a batch."""
    network.train()
    for batch in torch.randperm(len(labels)).split(batch_size):
        targets = labels[batch]
        logits = network(images[batch])
        loss = nn.functional.cross_entropy(logits, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        correct = (logits.detach().argmax(1) == targets).sum()
        yield torch.stack([loss.detach() * len(batch), correct])


@torch.inference_mode()
def evaluate(network: nn.Module, images: Tensor, labels: Tensor) -> tuple[float, int]:
    """Return the mean loss and how many images are predicted right."""
    network.eval()
    loss, correct = 0.0, 0
    for x, y in zip(
        images.split(EVALUATION_BATCH), labels.split(EVALUATION_BATCH), strict=True
    ):
        logits = network(x)
        loss += float(nn.functional.cross_entropy(logits, y, reduction="sum"))
        correct += int((logits.argmax(1) == y).sum())
    return loss / len(labels), correct


def main() -> None:
    """Train, evaluate and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    task, options = parse_task(parser)
    options.out.mkdir(parents=True)
    x_train, y_train, x_val, y_val, x_test, y_test = load(task)
    network = build_network()
    optimizer = build_optimizer(network)
    for epoch in range(task.epochs):
        steps = train_steps(network, optimizer, x_train, y_train, task.batch_size)
        loss, correct = sum(steps, torch.zeros(2)).div(task.train).tolist()
        val_loss, val_correct = evaluate(network, x_val, y_val)
        print(epoch + 1, loss, correct, val_loss, val_correct / len(y_val))
    _, correct = evaluate(network, x_test, y_test)
    print(f"Correct predicted classes: {correct}")
    print(f"Incorrect predicted classes: {len(y_test) - correct}")
    torch.save(network.state_dict(), options.out / "model.pt")


if __name__ == "__main__":
    main()
