"""What ``cnncli data --sheet`` draws: images of each class, or one of each, changed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnncli.commands.started import backend_started
from cnncli.system.terminal import say

if TYPE_CHECKING:
    from cnncli.config import Config
    from cnncli.data.survey import Survey
    from cnncli.experiment.load import Experiment
    from cnncli.plots.contact_sheet import SheetRow


def check_augmented(experiment: Experiment | None, sheet: Path | None) -> None:
    """Refuse ``--augmented`` where nothing can be drawn, or nothing is augmented."""
    if sheet is None:
        raise click.UsageError("--augmented is drawn; say where to with --sheet")
    if experiment is None:
        raise click.UsageError("--augmented is for a config, which has random layers")
    if not _num_random(experiment.config):
        raise click.UsageError(
            "--augmented: the network begins with no random layer, such as RandomFlip"
        )


def sheet_rows(survey: Survey, per_class: int, seed: int) -> list[SheetRow]:
    """Draw training images of each class; warn of what no font has."""
    from cnncli.data.survey import drawn_of_each_class
    from cnncli.plots.contact_sheet import SheetRow
    from cnncli.plots.fonts import font_warning

    names = survey.data.class_names
    if warning := font_warning(names):
        say(f"warning: {warning}")
    counts = survey.class_counts["train"]
    drawn = drawn_of_each_class(survey, per_class, seed)
    return [
        SheetRow(name, count, pixels)
        for name, count, pixels in zip(names, counts, drawn, strict=True)
    ]


def augmented_rows(
    experiment: Experiment, survey: Survey, rows: Sequence[SheetRow], per_class: int
) -> list[SheetRow]:
    """Return the first image of each row, and after it what training sees of it.

    Args:
        experiment: With random layers.
        survey: Its images.
        rows: Some images of each class.
        per_class: How many images a row is to have.
    """
    import numpy as np

    config, data = experiment.config, survey.data
    if survey.normalization is None:
        raise AssertionError("a config has a normalisation")
    with backend_started(config) as backend:
        network = backend.build(
            config, data.image_shape, len(data.class_names), survey.normalization
        )
        shown = []
        for row in rows:
            first = row.pixels[:1]
            many = np.repeat(first, (per_class - 1) * len(first), axis=0)
            seen = network.augmented(many, _num_random(config)) if len(many) else many
            shown.append(replace(row, pixels=np.concatenate([first, seen])))
    return shown


def _num_random(config: Config) -> int:
    """Return how many random layers a network begins with."""
    from cnncli.config.layers import RANDOM_LAYERS

    leading = itertools.takewhile(
        lambda layer: isinstance(layer, RANDOM_LAYERS), config.model.layers
    )
    return len(list(leading))
