"""Times training steps on one GPU: cnncli on JAX, and PyTorch, data on the device.

Needs JAX and PyTorch for that GPU in one environment: ``python -m benchmarks.gpu``.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.figures import SPEED, Figure
from benchmarks.rounds import interleave
from benchmarks.torch_loop import build_network
from cnncli.backend.jax.start import started
from cnncli.data.dataset import load_splits
from cnncli.experiment.load import load_experiment
from cnncli.processes.group import ALONE
from cnncli.training.fit import epoch_order

if TYPE_CHECKING:
    from cnncli.backend.jax.backend import Jax
    from cnncli.data.dataset import Splits
    from cnncli.data.images import Images

TASKS = ((32, "float32"), (1_024, "float32"), (1_024, "mixed_bfloat16"))
MODES = {
    "PyTorch, eager": None,
    "PyTorch, compiled": "default",
    "PyTorch, compiled, CUDA graphs": "reduce-overhead",
}
ROUNDS = 20
JAX = "cnncli, JAX"

Epoch = Callable[[], float]
"""Trains on the whole batches of an epoch; returns seconds an image."""


def main() -> None:
    """Measure, and print tables."""
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}")
    experiment = load_experiment(None)
    splits = load_splits(experiment.config, experiment.data)
    with started(experiment.config, ALONE, 1) as backend:
        print(json.dumps(backend.describe(experiment.config)))
        for batch_size, precision in TASKS:
            turns = {JAX: jax_epoch(backend, splits, batch_size, precision)}
            for name, mode in MODES.items():
                turns[name] = torch_epoch(splits.train, batch_size, precision, mode)
            for turn in turns.values():
                turn()  # compiles
                turn()
            costs = interleave("gpu", turns, ROUNDS)
            print_table(Figure(f"batch size {batch_size:,}, {precision}", SPEED, costs))


def print_table(figure: Figure) -> None:
    """Print each contestant's best, its median, and how it compares with the first."""
    print(f"\n{figure.name}: best, median, best of it by that of {JAX}")
    for name in figure.costs:
        best, median = map(SPEED.show, (figure.minimum(name), figure.median(name)))
        print(f"  {name:32} {best:>18} {median:>18} {figure.ratio(JAX, name):6.2f}")


def jax_epoch(backend: Jax, splits: Splits, batch_size: int, precision: str) -> Epoch:
    """Return an epoch of ``cnncli train --backend jax``."""
    settings = [f"training.batch_size={batch_size}", f"training.precision={precision}"]
    config = load_experiment(None, settings).config
    network = backend.build(config, (28, 28, 1), 10, splits.normalization)
    steps = backend.training_steps(network, splits.train, config.training)
    order = epoch_order(config.seed, 1, steps.num_images)
    whole = steps.num_images // batch_size

    def epoch() -> float:
        begun = time.perf_counter()
        steps.run(order, 0, whole, np.zeros(len(steps.measures)))
        return (time.perf_counter() - begun) / (whole * batch_size)

    return epoch


def torch_epoch(
    train: Images, batch_size: int, precision: str, mode: str | None
) -> Epoch:
    """Return an epoch of the same network in PyTorch, compiled in a mode or not."""
    images = torch.tensor(np.asarray(train.pixels)).cuda().permute(0, 3, 1, 2)
    labels = torch.tensor(train.labels).cuda().long()
    network = build_network().cuda()
    optimizer = torch.optim.RMSprop(
        network.parameters(), lr=1e-3, alpha=0.9, eps=1e-7, foreach=True
    )
    low = precision != "float32"

    def losses(chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of a batch, and how many predictions are right."""
        targets = labels[chosen]
        with torch.autocast("cuda", torch.bfloat16, enabled=low):
            logits = network(images[chosen].float() / 255)
        correct = (logits.detach().argmax(1) == targets).sum()
        return nn.functional.cross_entropy(logits.float(), targets), correct

    run = torch.compile(losses, mode=mode) if mode else losses
    whole = len(labels) // batch_size

    def epoch() -> float:
        begun = time.perf_counter()
        order = torch.randperm(len(labels), device="cuda")
        measured = torch.zeros(2, device="cuda")
        for batch in order[: whole * batch_size].split(batch_size):
            loss, correct = run(batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            measured += torch.stack([loss.detach() * batch_size, correct])
        measured.tolist()
        return (time.perf_counter() - begun) / (whole * batch_size)

    return epoch


if __name__ == "__main__":
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    main()
