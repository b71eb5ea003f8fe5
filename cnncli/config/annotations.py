"""Annotations of the schema, searched for the models and the words that they allow."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel

from cnncli.config.fields import Named


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models in an annotation, in the order written.

    Args:
        annotation: Of a field, such as ``EarlyStopping | None`` or
            ``tuple[AnyLayer, ...]``.
    """
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in typing.get_args(annotation):
        yield from models_in(inner)


def choices_in(annotation: Any) -> Iterator[str]:
    """Yield the words to choose from, in the order written.

    Args:
        annotation: Of a field. The words are the values of a ``Literal`` in it and the
            names of ``Named`` things.
    """
    if typing.get_origin(annotation) is Literal:
        yield from map(str, typing.get_args(annotation))
    elif isinstance(annotation, type) and issubclass(annotation, Named):
        yield annotation.tag()
    else:
        for inner in typing.get_args(annotation):
            yield from choices_in(inner)
