"""What a comparison finds, and what it can't know, in sentences."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from cnncli.comparison.paired import mid_p
from cnncli.comparison.pairs import LEVEL
from cnncli.evaluation.spread import next_interval
from cnncli.modelfile.place import CONFIG_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cnncli.comparison.groups import Group
    from cnncli.comparison.pairs import ConfigPair, RunPair
    from cnncli.comparison.run import Run
    from cnncli.comparison.seeds import Interval

_MOST_NAMED = 5


def p_text(p: float) -> str:
    """Return a p-value with four digits, or that it is lower than these can say."""
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def interval_text(interval: Interval) -> str:
    """Return an interval of accuracies, or of a difference of them."""
    return f"{interval[0]:z.4f} to {interval[1]:z.4f}"


def pair_verdict(pair: RunPair, images: str) -> str:
    """Say which of two networks is right more often, if that is shown.

    Args:
        pair: The only one that is compared.
        images: What they are compared on.
    """
    first, second, p = pair.first, pair.second, mid_p(pair.counts)
    if pair.counts.first == pair.counts.second == 0:
        return (
            f"{second.name} and {first.name} get the same images right: "
            f"{first.accuracy:.4f} of the same {images}"
        )
    figures = (
        f"difference {pair.counts.difference:z.4f} (95 % interval "
        f"{interval_text(pair.interval)}), mid-p {p_text(p)} on the same {images}"
    )
    if p >= LEVEL:
        return (
            f"no difference can be shown: {second.name} has an accuracy of "
            f"{second.accuracy:.4f}, {first.name} of {first.accuracy:.4f}, {figures}"
        )
    often = "more" if second.correct > first.correct else "less"
    return (
        f"{second.name} is right {often} often than {first.name}: "
        f"{second.accuracy:.4f} against {first.accuracy:.4f}, {figures}"
    )


def best_verdict(
    best: Run, pairs: Sequence[RunPair], num_pairs: int, images: str
) -> str:
    """Say against which other networks it is shown that the best is right more often.

    Args:
        best: The run that is right most often.
        pairs: Those of it with each other run.
        num_pairs: How many pairs the p-values are adjusted for.
        images: What they are compared on.
    """
    p_values = {
        (pair.second if pair.first is best else pair.first).name: pair.adjusted_p
        for pair in pairs
    }
    return (
        f"of these networks {best.name} is right most often, for {best.accuracy:.4f} "
        f"of the same {images}: {_against(p_values)} (mid-p under 0.05, adjusted after "
        f"Holm for {num_pairs:,} pairs)"
    )


def config_verdict(pair: ConfigPair) -> str:
    """Say which of two configs is right more often on average, if that is shown.

    Args:
        pair: The only two with several seeds each.
    """
    first, second, found = pair.first, pair.second, pair.welch
    figures = (
        f"mean {second.mean:.4f} of {len(second.seeds)} seeds against "
        f"{first.mean:.4f} of {len(first.seeds)}, difference {found.difference:z.4f} "
        f"(95 % interval {interval_text(found.interval)}), p {p_text(found.p)} by "
        "Welch's test"
    )
    if found.p >= LEVEL:
        return (
            f"no difference can be shown between config {second.label} and config "
            f"{first.label}: {figures}"
        )
    often = "more" if found.difference > 0 else "less"
    return (
        f"config {second.label} is right {often} often than config {first.label}, on "
        f"average over seeds: {figures}"
    )


def best_config_verdict(
    best: Group, pairs: Sequence[ConfigPair], num_pairs: int
) -> str:
    """Say against which other configs it is shown that the best is right more often.

    Args:
        best: The config with the highest mean of several seeds.
        pairs: Those of it with each other that has several.
        num_pairs: How many pairs the p-values are adjusted for.
    """
    p_values = {
        (pair.second if pair.first is best else pair.first).label: pair.adjusted_p
        for pair in pairs
    }
    return (
        f"config {best.label} is right most often on average, with a mean of "
        f"{best.mean:.4f} over {len(best.seeds)} seeds: {_against(p_values)} (p under "
        f"0.05 by Welch's test, adjusted after Holm for {num_pairs:,} pairs)"
    )


def spread_verdict(group: Group, lone: Sequence[Group]) -> str:
    """Say whether seeds of other configs lie where one more of a config would.

    Args:
        group: With several seeds.
        lone: With one seed each.
    """
    seeds, count = f"{len(group.seeds)} seeds", len(lone)
    interval = next_interval(group.accuracies, most=1, times=count)
    if interval[0] == interval[1]:
        return (
            f"the {seeds} of config {group.label} all have an accuracy of "
            f"{group.mean:.4f}, which doesn't say how far seeds lie apart"
        )
    within: list[str] = []
    outside: list[str] = []
    for run in (other.seeds[0] for other in lone):
        is_within = interval[0] <= run.accuracy <= interval[1]
        (within if is_within else outside).append(f"{run.name} ({run.accuracy:.4f})")
    found = [
        f"{_named(names)} {'lies' if len(names) == 1 else 'lie'} {where}"
        for names, where in (
            (within, "within, so that it may be the seed's doing"),
            (outside, "outside, which seeds alone don't explain"),
        )
        if names
    ]
    more = "one more seed" if count == 1 else f"all of {count} more seeds"
    return (
        f"{more} of config {group.label} would have {interval_text(interval)}, going "
        f"by its {seeds}: {'; '.join(found)}"
    )


def unknown_verdict(lone: Sequence[Group], *, are_all: bool) -> str:
    """Say what one seed can't tell.

    Args:
        lone: The configs with one seed each.
        are_all: Whether there are no others.
    """
    labels = _named([group.label for group in lone])
    what = "one seed each" if are_all else f"one seed of config {labels}"
    return (
        f"{what}: the test tells trained networks apart, not configs; how far another "
        "seed would move the accuracy isn't known until there are several"
    )


def validation_verdict() -> str:
    """Say what validation images don't tell."""
    return (
        "validation images choose epochs and settings: a run that was chosen by them "
        "looks better on them than it is; only test images tell"
    )


def next_command(groups: Sequence[Group]) -> str | None:
    """Return what to type to know more; None if nothing would help."""
    lone = [group.runs[0] for group in groups if not group.has_spread]
    known = [run for run in lone if run.config]
    if not known:
        return None
    run = known[0]
    place = f"{'./' * run.name.startswith('-')}{run.name}".rstrip("/")
    words = ["cnncli", "train", f"{place}/{CONFIG_NAME}", "--seeds", "5"]
    if run.split == "validation":
        words += ["--measure", "validation"]
    return shlex.join([*words, "--out", f"{place}-seeds"])


def seeds_verdict(group: Group) -> str:
    """Say what runs that differ in the seed alone have shown.

    Args:
        group: With several seeds.
    """
    deviation, interval = group.deviation or 0.0, group.interval or (0.0, 0.0)
    return (
        f"the runs differ in the seed alone: {len(group.seeds)} seeds, mean accuracy "
        f"{group.mean:.4f} (95 % interval {interval_text(interval)}), standard "
        f"deviation {deviation:.4f}; what is shown between two of them is the seed's "
        "doing"
    )


def _against(p_values: Mapping[str, float]) -> str:
    """Say against which it is shown that the best is right more often.

    Args:
        p_values: Those of the best and each other, by the other's name.
    """
    shown = [name for name, p in p_values.items() if p < LEVEL]
    unshown = [name for name in p_values if name not in shown]
    found = [
        f"{what} {_named(names)}"
        for what, names in (
            ("shown to be more often than", shown),
            ("no difference can be shown to", unshown),
        )
        if names
    ]
    return "; ".join(found)


def _named(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join([*names[:_MOST_NAMED], *([f"{more:,} more"] if more > 0 else [])])
