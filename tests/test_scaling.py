"""The model of what more machines give, against its formula worked out by hand."""

from __future__ import annotations

import pytest

from benchmarks.scaling import Setting, table


def test_step_of_one_machine_has_no_exchange() -> None:
    setting = Setting(fixed=0.002, image=0.001, num_bytes=1_000, latency=1)
    assert setting.step_seconds(32, 1, 1) == pytest.approx(0.034)
    assert setting.speed_up(32, 1, 1) == 1


def test_step_of_several_machines() -> None:
    setting = Setting(fixed=0.002, image=0.001, num_bytes=1_000_000, latency=0.0001)
    # 2 * 3/4 * 8,000,000 bits at 1 Gbit/s, and six messages one after another.
    assert setting.exchange_seconds(4, 1) == pytest.approx(0.012 + 0.0006)
    assert setting.step_seconds(32, 4, 1) == pytest.approx(0.002 + 0.008 + 0.0126)
    assert setting.speed_up(32, 4, 1) == pytest.approx(0.034 / 0.0226)


def test_fastest_number_of_machines() -> None:
    setting = Setting(fixed=0, image=1, num_bytes=0, latency=1)
    assert setting.fastest(32, 1) == 4  # 8 + 6 s; two and eight take 18 s
    assert Setting(latency=1).fastest(32, 1) == 1


def test_every_batch_size_and_rate_has_a_row() -> None:
    assert len(table(Setting()).splitlines()) == 2 + 3 * 4
