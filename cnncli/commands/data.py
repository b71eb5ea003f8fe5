"""``cnncli data``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnncli.commands.options import (
    file_path,
    format_of,
    json_option,
    overwrite_option,
    picture_path,
    set_option,
)
from cnncli.data.checks import CHECKS, Check
from cnncli.errors import GateError
from cnncli.system.terminal import say

if TYPE_CHECKING:
    from cnncli.data.survey import Survey
    from cnncli.experiment.load import Experiment

_CONFIG_SUFFIXES = (".yaml", ".yml")


class Checks(click.ParamType[tuple[Check, ...]]):
    """Names of checks, with commas between them."""

    name = "checks"

    def convert(self, value: Any, *where: Any) -> tuple[Check, ...]:
        """Return the names."""
        from cnncli.config.problems import quoted, suggestion

        if isinstance(value, tuple):  # the default
            return value
        names = value.split(",")
        for name in names:
            if name not in CHECKS:
                self.fail(
                    f"{quoted(name)} is none of {', '.join(CHECKS)}"
                    f"{suggestion(name, CHECKS)}",
                    *where,
                )
        return tuple(check for check in CHECKS if check in names)


@click.command()
@click.argument("path", metavar="[CONFIG or PATH]", required=False, type=file_path)
@set_option
@click.option(
    "--fail-on",
    type=Checks(),
    default=(),
    metavar="CHECK,...",
    help="Exit with code 7 if any of these finds something: conflict, leak, "
    "duplicates, near, constant, missing-class, imbalance.",
)
@click.option(
    "--sheet",
    type=picture_path,
    metavar="FILE",
    help="Also draw training images of each class; the suffix says the format: .png, "
    ".svg or .pdf.",
)
@click.option(
    "--augmented",
    is_flag=True,
    help="Draw one image of each class instead, and what the random layers that a "
    "config begins with make of it in training.",
)
@click.option(
    "--per-class",
    type=click.IntRange(1, 40),
    default=12,
    show_default=True,
    metavar="N",
    help="How many images of a class to draw.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**64 - 1),
    default=0,
    show_default=True,
    metavar="N",
    help="Decides which images are drawn.",
)
@overwrite_option
@json_option
def data(
    path: Path | None,
    overrides: tuple[str, ...],
    fail_on: tuple[Check, ...],
    sheet: Path | None,
    augmented: bool,
    per_class: int,
    seed: int,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Look at a data set before training on it.

    Takes a config, whose splits are looked at, or data: a file or folder of any kind
    that is read, told by content, or fashion-mnist. Without one, the documented
    experiment.

    Prints classes, sizes and pixel values, and what is suspicious: equal images under
    different classes, in different splits or twice in one; near duplicates, also turned
    or mirrored; images of a single value; classes without images, or with more than ten
    times as many as another.

    \b
    Examples:
      cnncli data experiment.yaml --fail-on conflict,leak
      cnncli data photos --sheet photos.png
      cnncli data photos.yaml --sheet augmented.png --augmented
      cnncli data fashion-mnist --json
    """
    from cnncli.commands.sheets import augmented_rows, check_augmented, sheet_rows
    from cnncli.data.sources import check_outside
    from cnncli.plots.contact_sheet import plot_contact_sheet
    from cnncli.system.files import write_new_files

    experiment = _experiment(path, overrides)
    if augmented:
        check_augmented(experiment, sheet)
    survey = _survey(path, experiment)
    if as_json:
        click.echo(json.dumps(survey.to_dict(), indent=2))
    else:
        from cnncli.commands.data_report import format_survey

        click.echo(format_survey(survey))
    if sheet is not None:
        check_outside(survey.data, sheet)
        drawn = sheet_rows(survey, per_class, seed)
        total = sum(row.count for row in drawn)
        title = f"{total:,} training images of {len(drawn)} classes"
        if augmented and experiment is not None:
            drawn = augmented_rows(experiment, survey, drawn, per_class)
            title = (
                f"an image of each of {len(drawn)} classes, and what the random layers "
                "make of it"
            )
        picture = plot_contact_sheet(
            drawn, title=title, picture_format=format_of(sheet)
        )
        write_new_files({sheet: picture}, overwrite=overwrite)
        say(f"written: {sheet}")
    found = [
        f"{check} {survey.count(check):,}" for check in fail_on if survey.count(check)
    ]
    if found:
        raise GateError(f"--fail-on: found {', '.join(found)}")


def _experiment(path: Path | None, overrides: tuple[str, ...]) -> Experiment | None:
    """Load a config; None if the path is that of data."""
    from cnncli.experiment.load import load_experiment

    if path is None or path.suffix.lower() in _CONFIG_SUFFIXES:
        return load_experiment(path, overrides)
    if overrides:
        raise click.UsageError("--set is for a config, which ends in .yaml or .yml")
    return None


def _survey(path: Path | None, experiment: Experiment | None) -> Survey:
    """Look at what a config or a path names."""
    from cnncli.commands.progress import open_progress
    from cnncli.data.survey import survey_config, survey_path

    with open_progress(quiet=False):
        if experiment is not None:
            return survey_config(experiment.config, experiment.data)
        return survey_path(Path() if path is None else path)
