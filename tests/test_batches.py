"""In how many parts a batch is computed."""

from __future__ import annotations

import pytest

from cnncli.architecture.batches import batch_parts
from cnncli.experiment.load import load_experiment


@pytest.mark.parametrize(
    ("threads", "batch_size", "parts"),
    [
        (1, 32, 1),
        (2, 32, 2),
        (2, 4, 2),
        (3, 32, 3),
        (4, 32, 4),
        (8, 32, 8),
        (16, 32, 8),
        (16, 128, 16),
        (64, 8, 2),
        (64, 1, 2),
    ],
)
def test_a_part_for_each_thread_but_none_too_small(
    threads: int, batch_size: int, parts: int
) -> None:
    settings = [f"training.threads={threads}", f"training.batch_size={batch_size}"]
    assert batch_parts(load_experiment(None, settings).config) == parts


def test_a_layer_that_sees_the_whole_batch_keeps_it_whole() -> None:
    settings = ["training.threads=8", "model.layers.2=BatchNormalization"]
    assert batch_parts(load_experiment(None, settings).config) == 1
