"""In how many parts a batch is computed, and on how many devices."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnncli.architecture.batches import batch_parts, check_shares, processor_devices
from cnncli.errors import ConfigError
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


@pytest.mark.parametrize(
    ("batch_size", "processes", "devices"),
    [
        (32, 1, 4),
        (32, 2, 2),
        (32, 4, 1),
        (32, 3, 1),
        (32, 8, 1),
        (6, 1, 2),
        (6, 2, 1),
        (6, 3, 1),
        (6, 4, 1),
        (7, 1, 1),
        (7, 7, 1),
        (2, 1, 2),
        (1, 1, 1),
    ],
)
def test_devices_of_a_processor(batch_size: int, processes: int, devices: int) -> None:
    assert processor_devices(batch_size, processes) == devices


@given(batch_size=st.integers(1, 65_536), processes=st.integers(1, 64))
def test_one_two_and_four_processes_share_a_batch_alike(
    batch_size: int, processes: int
) -> None:
    alone = processor_devices(batch_size, 1)
    assert batch_size % alone == 0
    in_all = processor_devices(batch_size, processes) * processes
    assert in_all == max(alone, processes) or alone % processes


@given(batch_size=st.integers(1, 65_536), share=st.integers(1, 64))
def test_a_batch_that_can_be_shared_out_is_not_refused(
    batch_size: int, share: int
) -> None:
    check_shares(batch_size * share, share)


@pytest.mark.parametrize(
    ("batch_size", "devices", "words"),
    [
        (32, 3, "32 images can't be shared out equally to 3 devices; try 30 or 33"),
        (3, 4, "3 images can't be shared out equally to 4 devices; try 4"),
        (
            65_536,
            1_023,
            "65,536 images can't be shared out equally to 1,023 devices; try 65,472 or "
            "66,495",
        ),
    ],
)
def test_a_batch_that_cannot_be_shared_out(
    batch_size: int, devices: int, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        check_shares(batch_size, devices)
    assert str(caught.value) == f"training.batch_size: {words}"
