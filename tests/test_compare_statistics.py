"""The arithmetic of ``cnncli compare``, against tables, SciPy and plain counting."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cnncli.comparison.paired import Counts, count, exact_p, mid_p, paired_interval
from cnncli.comparison.pairs import holm
from cnncli.comparison.seeds import welch
from cnncli.evaluation.spread import mean_interval, next_interval

COUNTS = st.builds(Counts, *[st.integers(0, 400)] * 4).filter(any)
ACCURACIES = st.lists(
    st.integers(0, 10_000).map(lambda n: n / 10_000), min_size=2, max_size=9
)


def swapped(counts: Counts) -> Counts:
    return counts._replace(first=counts.second, second=counts.first)


@pytest.mark.parametrize(
    ("counts", "exact", "mid", "interval"),
    [
        # Fagerland, Lydersen and Laake, Statistical Analysis of Contingency Tables
        # (2017), chapter 8; differences there are first less second.
        (Counts(1, 1, 7, 12), 0.0703, 0.0391, (0.0256, 0.5069)),
        (Counts(59, 6, 16, 80), 0.052479, 0.034690, (0.0046, 0.1186)),
    ],
)
def test_published_examples(
    counts: Counts, exact: float, mid: float, interval: tuple[float, float]
) -> None:
    assert exact_p(counts) == pytest.approx(exact, abs=5e-5)
    assert mid_p(counts) == pytest.approx(mid, abs=5e-5)
    assert paired_interval(counts) == pytest.approx(interval, abs=5e-5)


def test_counts() -> None:
    first = np.array([True, True, True, False, False, False, False])
    second = np.array([True, True, False, True, True, True, False])
    counts = count(first, second)
    assert counts == (2, 1, 3, 1)
    assert counts.difference == 2 / 7


@given(COUNTS)
def test_the_exact_p_is_that_of_a_fair_coin(counts: Counts) -> None:
    _, first, second, _ = counts
    coin = stats.binomtest(first, first + second).pvalue if first + second else 1.0
    assert exact_p(counts) == pytest.approx(coin, rel=1e-9)


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_mid_p_counts_what_was_observed_half(first: int, second: int) -> None:
    tosses, fewer = first + second, min(first, second)
    ways = 2 * sum(math.comb(tosses, k) for k in range(fewer)) + math.comb(
        tosses, fewer
    )
    expected = float(Fraction(ways, 2**tosses))
    assert mid_p(Counts(3, first, second, 4)) == pytest.approx(expected)


@given(COUNTS)
def test_p_values_are_probabilities_and_the_same_both_ways(counts: Counts) -> None:
    for p in (exact_p, mid_p):
        assert 0 < p(counts) <= 1
        assert p(counts) == p(swapped(counts))
    assert mid_p(counts) <= exact_p(counts)
    if counts.first == counts.second:
        assert mid_p(counts) == pytest.approx(1)


def test_the_smallest_p_is_not_zero() -> None:
    counts = Counts(0, 0, 10_000, 0)
    assert 0 < mid_p(counts) <= exact_p(counts) < 1e-300


def tables(images: int) -> Iterator[Counts]:
    """Yield all counts of so many images."""
    for cuts in itertools.combinations(range(images + 3), 3):
        edges = (-1, *cuts, images + 3)
        yield Counts(*(b - a - 1 for a, b in itertools.pairwise(edges)))


@pytest.mark.parametrize("chances", [(0.7, 0.1, 0.1, 0.1), (0.4, 0.2, 0.2, 0.2)])
def test_of_equal_networks_the_mid_p_is_rarely_small(
    chances: tuple[float, ...],
) -> None:
    wrongly = {exact_p: 0.0, mid_p: 0.0}
    for counts in tables(25):
        for p in wrongly:
            if p(counts) < 0.05:
                wrongly[p] += stats.multinomial.pmf(counts, 25, chances)
    assert wrongly[exact_p] < wrongly[mid_p] < 0.05


@pytest.mark.parametrize(
    "chances", [(0.7, 0.1, 0.1, 0.1), (0.5, 0.3, 0.1, 0.1), (0.85, 0.05, 0.1, 0)]
)
def test_the_interval_holds_the_difference_as_often_as_it_says(
    chances: tuple[float, ...],
) -> None:
    difference, held = chances[2] - chances[1], 0.0
    for counts in tables(25):
        low, high = paired_interval(counts)
        if low <= difference <= high:
            held += stats.multinomial.pmf(counts, 25, chances)
    assert 0.93 < held < 0.98


@given(COUNTS)
def test_the_interval_holds_the_difference_and_turns_with_it(counts: Counts) -> None:
    low, high = paired_interval(counts)
    assert -1 <= low <= counts.difference <= high <= 1
    other_low, other_high = paired_interval(swapped(counts))
    assert (low, high) == pytest.approx((-other_high, -other_low))


def test_pairing_makes_the_interval_narrow() -> None:
    low, high = paired_interval(Counts(8_000, 100, 200, 1_700))
    apart_low, apart_high = paired_interval(Counts(6_642, 1_458, 1_558, 342))
    assert high - low < (apart_high - apart_low) / 2


def test_holm() -> None:
    assert holm([]) == []
    assert holm([0.2]) == [0.2]
    adjusted = holm([0.01, 0.04, 0.03, 0.005])
    assert adjusted == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1, exclude_min=True), max_size=30))
def test_holm_rejects_what_its_steps_do(values: list[float]) -> None:
    adjusted = holm(values)
    assert all(
        p <= found <= min(1, len(values) * p)
        for p, found in zip(values, adjusted, strict=True)
    )
    expected = set()
    for step, position in enumerate(np.argsort(values, kind="stable").tolist()):
        if (len(values) - step) * values[position] >= 0.05:
            break
        expected.add(position)
    assert {n for n, found in enumerate(adjusted) if found < 0.05} == expected


@given(ACCURACIES)
def test_intervals_of_a_mean_and_of_one_more(values: list[float]) -> None:
    degrees, mean, deviation = len(values) - 1, np.mean(values), np.std(values, ddof=1)
    for interval, share in ((mean_interval, 1), (next_interval, 1 + len(values))):
        scale = deviation * math.sqrt(share / len(values))
        half = stats.t.ppf(0.975, degrees) * scale
        expected = max(mean - half, 0), min(mean + half, 1)
        assert interval(values, most=1) == pytest.approx(expected)


@pytest.mark.filterwarnings("ignore:Precision loss occurred:RuntimeWarning")
@given(ACCURACIES, ACCURACIES)
def test_welch(first: list[float], second: list[float]) -> None:
    found = welch(first, second)
    if len({*first}) == len({*second}) == 1:
        assert found is None
        return
    assert found
    test = stats.ttest_ind(second, first, equal_var=False)
    assert found.difference == pytest.approx(np.mean(second) - np.mean(first))
    assert found.p == pytest.approx(test.pvalue)
    assert 0 < found.p <= 1
    expected = test.confidence_interval()
    assert found.interval == pytest.approx((expected.low, expected.high))
