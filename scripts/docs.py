"""The generated parts of the pages in docs/: help, references, what commands print."""

from __future__ import annotations

import shlex
import typing
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import annotated_types
import numpy as np
from click.testing import CliRunner
from pydantic import BaseModel

from cnncli.cli import cli
from cnncli.config.annotations import choices_in, models_in
from cnncli.config.fields import Named
from cnncli.config.layers import AnyLayer
from cnncli.config.scalars import describe
from cnncli.config.schema import Config
from cnncli.export.formats import FORMATS
from cnncli.lesson.arithmetic import cross_correlate
from cnncli.lesson.exercise import as_arrays
from cnncli.lesson.matrix import parse_matrix
from cnncli.lesson.plan import IMAGE, KERNEL
from cnncli.lesson.walk import matrix_lines

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

_WIDTH = 88


def command_help(*command: str) -> str:
    """Return what ``cnncli COMMAND --help`` prints, as a block of Markdown."""
    arguments = [*command, "--help"]
    result = CliRunner().invoke(
        cli, arguments, prog_name="cnncli", terminal_width=_WIDTH
    )
    return f"```\n$ cnncli {' '.join(arguments)}\n{result.stdout}```\n"


def output_of(command: str) -> str:
    """Return what a command prints, as a block of Markdown."""
    result = CliRunner().invoke(cli, shlex.split(command), prog_name="cnncli")
    return f"```\n$ cnncli {command}\n{result.output}```\n"


def lines_that_run(format_name: str) -> str:
    """Return the lines of Python that run an exported file, as a block of Markdown."""
    wanted = FORMATS[format_name]
    lines = wanted.lines(f"model{wanted.suffix}")
    return "\n".join(["```", *lines, "```", ""])


def loop_of_the_text() -> str:
    """Return what the course text's loop makes of the example with a padding of 1."""
    image, kernel = as_arrays([parse_matrix(IMAGE), parse_matrix(KERNEL)])
    whole = cross_correlate(image, kernel, padding=1)
    reached = np.zeros_like(whole)
    windows = tuple(n - f + 1 for n, f in zip(image.shape, kernel.shape, strict=True))
    for row, column in np.ndindex(*windows):
        reached[row, column] = whole[row, column]
    return "\n".join(["```", *matrix_lines(reached), "```", ""])


def config_reference() -> str:
    """Return a table of every key but the layers' arguments."""
    lines = ["| key | default | meaning |", "|---|---|---|", *_rows(Config, "")]
    return "\n".join(lines) + "\n"


def layer_reference() -> str:
    """Return a table of the layer types with their arguments and defaults."""
    lines = ["| layer | arguments |", "|---|---|"]
    for layer in _named_in(AnyLayer):
        arguments = [
            f"`{name}`" if field.is_required() else f"`{name}={_default(field)}`"
            for name, field in sorted(
                layer.model_fields.items(), key=lambda item: not item[1].is_required()
            )
            if name not in ("type", "name")
        ]
        lines.append(f"| `{layer.tag()}` | {', '.join(arguments)} |")
    return "\n".join(lines) + "\n"


def _named_in(annotation: Any) -> list[type[Named]]:
    return [model for model in models_in(annotation) if issubclass(model, Named)]


def _rows(section: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in section.model_fields.items():
        if name == "type":
            continue
        key = f"{prefix}{name}"
        if key == "model.layers":
            yield f"| `{key}` | required | {field.description}; see the layers below |"
            continue
        yield f"| `{key}` | {_shown_default(field)} | {_meaning(field)} |"
        if members := _named_in(field.annotation):
            yield from _argument_rows(members, key)
        else:
            for inner in models_in(field.annotation):
                yield from _rows(inner, f"{key}.")


def _argument_rows(members: list[type[Named]], key: str) -> Iterator[str]:
    """Return the arguments of things to choose from; shared ones once."""
    takers: dict[tuple[str, str], list[str]] = {}
    for member in members:
        for name, field in _fields_within(member):
            row = f"{_shown_default(field)} | {_meaning(field)}"
            takers.setdefault((name, row), []).append(member.tag())
    for (name, row), tags in takers.items():
        yield f"| `{key}.{'/'.join(tags)}.{name}` | {row} |"


def _fields_within(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """Return the arguments of a thing, and the keys of those that are sections."""
    for name, field in model.model_fields.items():
        if name != "type":
            yield name, field
        for inner in models_in(field.annotation):
            for key, within in _fields_within(inner):
                yield f"{name}.{key}", within


def _meaning(field: FieldInfo) -> str:
    quoted = [f"`{choice}`" for choice in choices_in(field.annotation)]
    described = str(field.description)
    if quoted and all(choice in described for choice in quoted):
        return described
    allowed = ", ".join(quoted) or _range(field)
    return f"{described}; {allowed}" if allowed else described


def _shown_default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if isinstance(field.default, BaseModel) and not isinstance(field.default, Named):
        return ""
    return f"`{_default(field)}`"


def _default(field: FieldInfo) -> str:
    value = field.default
    if isinstance(value, Named):
        return value.type
    if value is None:
        return "null"
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]".replace("(", "[").replace(")", "]")
    return value if isinstance(value, str) else describe(value)


def _range(field: FieldInfo) -> str:
    """Return the limits of a number, such as "from 1 to 65,536"."""
    texts = {
        annotated_types.Ge: ("from {:,}", "ge"),
        annotated_types.Gt: ("above {:,}", "gt"),
        annotated_types.Le: ("to {:,}", "le"),
        annotated_types.Lt: ("below {:,}", "lt"),
    }
    limits = [
        text.format(getattr(limit, name))
        for limit in [*field.metadata, *_metadata(field.annotation)]
        for kind, (text, name) in texts.items()
        if isinstance(limit, kind)
    ]
    return " ".join(limits)


def _metadata(annotation: Any) -> list[Any]:
    """Return the limits in ``Annotated[int, Field(ge=1)] | None``."""
    found: list[Any] = []
    for inner in typing.get_args(annotation):
        for item in getattr(inner, "__metadata__", ()):
            found += getattr(item, "metadata", [])
    return found
