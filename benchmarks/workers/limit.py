"""The limit: the network's arithmetic at the speed of a large matrix product.

A training step takes about three forward passes: one forward, one for the gradients of
the activations, one for those of the weights. Each multiply-accumulate is two
floating-point operations.
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks.tasks import CONFIG
from benchmarks.workers.turns import Turns, parse_worker
from cnncli.experiment.load import load_experiment

SIZE = 1536
PRODUCTS = 4


def main() -> None:
    """Multiply matrices without end, all cores at once."""
    task, _ = parse_worker()
    experiment = load_experiment(CONFIG, task.settings())
    multiply_accumulates = sum(row.multiply_accumulates for row in experiment.rows)
    operations_per_image = 3 * 2 * multiply_accumulates
    images = 2 * SIZE**3 / operations_per_image
    left, right = np.random.default_rng(1).random((2, SIZE, SIZE), dtype=np.float32)
    product = np.empty_like(left)
    turns = Turns()
    while True:
        turns.wait()
        started = time.perf_counter()
        for _ in range(PRODUCTS):
            np.matmul(left, right, out=product)
        seconds = time.perf_counter() - started
        turns.answer(training=seconds / (PRODUCTS * images))


if __name__ == "__main__":
    main()
