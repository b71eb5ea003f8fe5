"""What a study shows while it goes on, and the command that goes on with it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from cnncli.system.terminal import say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cnncli.studies.members import Member, Outcome

_SAID_ANEW = {"out", "overwrite", "resume", "as_json", "quiet"}


class StudyLines:
    """Shows a line when a run starts and when it ends, and each warning once.

    Args:
        total: How many runs there will be.
        keys: What sets runs apart.
        metric: Of which measure each is to be told.
        quiet: Whether to show warnings only.
    """

    def __init__(
        self, total: int, keys: Sequence[str], metric: str, *, quiet: bool
    ) -> None:
        from cnncli.config.spelling import short_names

        self._total = total
        self._names = short_names(keys)
        self._metric = metric
        self._quiet = quiet
        self._warned: set[str] = set()

    def starts(self, member: Member) -> None:
        """Say that a run starts."""
        self._say(member, "starts")

    def ends(self, member: Member, outcome: Outcome) -> None:
        """Say what became of a run."""
        for warning in outcome.warnings:
            if warning not in self._warned:
                self._warned.add(warning)
                say(f"warning: {warning}")
        if outcome.failure:
            self._say(member, f"failed: {outcome.failure}")
        else:
            is_loss = self._metric.endswith("loss")
            figure = outcome.loss if is_loss else outcome.accuracy
            measured = f"{self._metric} {figure:.4f}"
            self._say(member, f"{measured}  {outcome.seconds:.1f} s")

    def _say(self, member: Member, what: str) -> None:
        from cnncli.config.spelling import spelled_settings

        if not self._quiet:
            settings = spelled_settings(member.settings, self._names)
            say(f"{member.number}/{self._total}  {settings}  {what}")


def command_again(out: Path) -> str:
    """Return the command line under way, to go on with what it has begun.

    Args:
        out: Where that is.

    Returns:
        What to type in a shell.
    """
    context = click.get_current_context()
    words = ["cnncli", str(context.command.name)]
    for parameter in context.command.params:
        name = str(parameter.name)
        source = context.get_parameter_source(name)
        if source is not ParameterSource.COMMANDLINE or name in _SAID_ANEW:
            continue
        value = context.params[name]
        if isinstance(parameter, click.Argument):
            words.append(str(value))
        elif isinstance(parameter, click.Option) and parameter.is_flag:
            words.append(parameter.opts[-1])
        else:
            for item in value if parameter.multiple else [value]:
                words += [parameter.opts[-1], str(item)]
    return shlex.join([*words, "--out", str(out), "--resume"])
