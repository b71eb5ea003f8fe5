"""Validation of plain values against the schema, with messages for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from cnncli.config.annotations import choices_in, models_in
from cnncli.config.fields import SEVERAL_NAMES, Named
from cnncli.config.problems import KeyPath, Problem, suggestion
from cnncli.config.scalars import describe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic_core import ErrorDetails

T = TypeVar("T", bound=BaseModel)

_TEMPLATES = {
    "bool_type": "must be true or false, got {got}",
    "finite_number": "must be a finite number, got {got}",
    "float_type": "must be a number, got {got}",
    "greater_than": "must be greater than {gt}, got {got}",
    "greater_than_equal": "must be at least {ge}, got {got}",
    "less_than": "must be less than {lt}, got {got}",
    "less_than_equal": "must be at most {le}, got {got}",
    "model_type": "must be a mapping, got {got}",
    "string_pattern_mismatch": (
        "must be 1 to 64 of the characters A-Z, a-z, 0-9, _ and -, got {got}"
    ),
    "string_too_long": "must have at most {max_length} characters, got {got}",
    "string_too_short": "must not be empty",
    "string_unicode": "must be valid Unicode, got {got}",
    "tuple_type": "must be a list, got {got}",
}


def validate(schema: type[T], value: Any) -> tuple[T | None, list[Problem]]:
    """Check a value against a part of the schema.

    Args:
        schema: ``Config``, or the class of one of its sections.
        value: As in a ``Document``.

    Returns:
        The typed value, or None and what is wrong. The key paths of the problems
        start at the value.
    """
    try:
        return schema.model_validate(value), []
    except ValidationError as error:
        return None, _problems(error.errors(), schema)


def _problems(errors: Sequence[ErrorDetails], schema: type[BaseModel]) -> list[Problem]:
    """Return a problem for each error, but one for all in a list that need quotes."""
    groups: dict[KeyPath | int, list[ErrorDetails]] = {}
    for position, error in enumerate(errors):
        is_entry = _needs_quotes(error) and _is_entry(error)
        key = error["loc"][:-1] if is_entry else position
        groups.setdefault(key, []).append(error)
    return [
        _problem(group[0], schema) if len(group) == 1 else _unquoted(group)
        for group in groups.values()
    ]


def _needs_quotes(error: ErrorDetails) -> bool:
    """Return whether quotes would make of a value the text that may be meant."""
    scalars = bool | int | float
    if _is_entry(error):
        scalars |= None  # such as null; elsewhere nothing was written
    return error["type"] == "string_type" and isinstance(error["input"], scalars)


def _is_entry(error: ErrorDetails) -> bool:
    """Return whether the value is a list's entry."""
    return bool(error["loc"]) and isinstance(error["loc"][-1], int)


def _unquoted(errors: list[ErrorDetails]) -> Problem:
    """Return what is wrong with several entries of a list."""
    values = [error["input"] for error in errors]
    more = ", ..." if len(values) > 3 else ""
    words = [_word(value) for value in values[:3]]
    return Problem(
        errors[0]["loc"][:-1],
        f"{len(values)} entries must be text, got {', '.join(words)}{more}; put them "
        f"in quotes to make them text: {', '.join(map(repr, words))}{more}",
    )


def _word(value: Any) -> str:
    return "null" if value is None else describe(value)


def _problem(error: ErrorDetails, schema: type[BaseModel]) -> Problem:
    path: KeyPath = error["loc"]
    kind, value = error["type"], error["input"]
    got = describe(value)
    context = error.get("ctx", {})
    if kind == "extra_forbidden":
        message = _unknown_key(path, schema)
    elif kind == "missing":
        message = _missing(path, schema)
    elif kind in ("literal_error", "union_tag_invalid"):
        message = _not_one_of(context.get("tag", value), _choices(path, schema))
    elif kind == "int_type":
        whole = isinstance(value, float) and value.is_integer()
        hint = f"; write {value:.0f}" if whole else ""
        message = f"must be a whole number, got {got}{hint}"
    elif kind == "string_type":
        message = f"must be text, got {got}"
        if _needs_quotes(error):
            message = (
                f"must be text, got {_word(value)}; put it in quotes to make it text"
            )
    elif kind in _TEMPLATES:
        limits = {
            key: f"{limit:,.12g}"
            for key, limit in context.items()
            if isinstance(limit, int | float)
        }
        message = _TEMPLATES[kind].format(got=got, **limits)
    else:
        message = error["msg"]
    names = _choices(path, schema) if kind == SEVERAL_NAMES else ()
    return Problem(path, message, names=tuple(names))


def _not_one_of(value: Any, allowed: list[str]) -> str:
    hint = suggestion(value, allowed) if isinstance(value, str) else ""
    return f"{describe(value)} is not one of {', '.join(allowed)}{hint}"


def _choices(path: KeyPath, schema: type[BaseModel]) -> list[str]:
    """Return the words that may stand at a key path, or in the list there."""
    keys = tuple(step for step in path if isinstance(step, str))
    return list(choices_in(_model(keys, schema).model_fields[keys[-1]].annotation))


def _unknown_key(path: KeyPath, schema: type[BaseModel]) -> str:
    known = [key for key in _model(path, schema).model_fields if key != "type"]
    if not known:
        return f"unknown key; {path[-2]} takes none"
    hint = suggestion(str(path[-1]), known)
    return f"unknown key; known: {', '.join(known)}{hint}"


def _missing(path: KeyPath, schema: type[BaseModel]) -> str:
    owner = path[-2] if len(path) > 1 else "a config"
    description = _model(path, schema).model_fields[str(path[-1])].description
    return f"missing; {owner} needs it" + (f": {description}" if description else "")


def _model(path: KeyPath, schema: type[BaseModel]) -> type[BaseModel]:
    """Return the part of the schema that the last step of a key path leads into."""
    models = [schema]
    for step in path[:-1]:
        if isinstance(step, int):
            continue
        inner = [
            inner
            for model in models
            if step in model.model_fields
            for inner in models_in(model.model_fields[step].annotation)
        ]
        models = inner or [
            m for m in models if issubclass(m, Named) and m.tag() == step
        ]
    return models[0]
