"""What a study shows while it goes on, and the command that goes on with it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from cnncli.errors import printable
from cnncli.system.terminal import say

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from cnncli.studies.members import Member, Outcome

_SAID_ANEW = {"out", "overwrite", "resume", "as_json", "quiet"}


class StudyLines:
    """Shows a line when a run starts and when it ends, and each warning once.

    Args:
        total: How many runs there will be.
        metric: What the accuracy is called.
        keys: Of the settings that set runs apart.
        quiet: Whether to show warnings only.
    """

    def __init__(
        self, total: int, metric: str, keys: Iterable[str], *, quiet: bool
    ) -> None:
        self._total = total
        self._metric = metric
        self._names = short_names(list(keys))
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
            measure = f"{self._metric} {outcome.accuracy:.4f}"
            self._say(member, f"{measure}  {outcome.seconds:.1f} s")

    def _say(self, member: Member, what: str) -> None:
        if not self._quiet:
            settings = format_settings(member.settings, self._names)
            say(f"{member.number}/{self._total}  {settings}  {what}")


def format_settings(settings: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Return settings as "learning_rate=0.003 filters=32"."""
    from cnncli.config.scalars import describe

    shown = (f"{name}={describe(settings[key])}" for key, name in names.items())
    return printable(" ".join(shown))


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Return for each dotted key as few of its last steps as tell it from the others.

    Args:
        keys: No two the same.
    """
    return {key: _short_name(key, keys) for key in keys}


def _short_name(key: str, keys: Sequence[str]) -> str:
    steps = key.split(".")
    for count in range(1, len(steps)):
        last = steps[-count:]
        if sum(other.split(".")[-count:] == last for other in keys) == 1:
            return ".".join(last)
    return key


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
