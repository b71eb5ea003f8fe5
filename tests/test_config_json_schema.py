"""The JSON Schema of a config, held against what the program takes and refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import given

from cnncli.config import config_to_json
from cnncli.config.annotations import models_in
from cnncli.config.document import parse_document
from cnncli.config.fields import Named
from cnncli.config.json_schema import config_json_schema
from cnncli.config.layers import AnyLayer
from cnncli.config.schema import (
    AnyOptimizer,
    Config,
    Loss,
    Normalization,
    Schedule,
    Source,
    Weights,
)
from cnncli.config.validation import validate
from cnncli.errors import ConfigError
from tests.tables import Row, read_rows
from tests.test_architecture_random import (
    ARGUMENTS,
    REQUIRED,
    TYPES,
    layers_at_random,
)
from tests.test_config_errors import SHIPPED, edited_configs

if TYPE_CHECKING:
    from cnncli.config.problems import KeyPath
    from tests.conftest import Cli

ROWS = read_rows("config_errors.txt")
POINT = "to JSON, a whole number with a point is a whole number"
FINITE = "JSON has no infinity, and nothing that is not a number"
PATTERN = "regular expressions are text"
UNKNOWABLE = {
    "epochs as a float": POINT,
    "epochs in exponent form": POINT,
    "a share of none": POINT,
    "objects told by no regular expression": PATTERN,
    "objects without a name in parentheses": PATTERN,
    "shapes that images do not have": "which of several numbers stands where",
    "rate is not a number": FINITE,
    "infinite rate": FINITE,
    "overflowing rate": FINITE,
    "factors the wrong way round": "values aren't compared with each other",
}
"""Rows that are wrong in the structure, but right by the schema, and why."""


def _pattern(validator: Any, pattern: str, value: Any, _: Any) -> Iterator[Any]:
    """Search as JSON Schema does; Python's ``$`` is also before a last line end."""
    ecma = pattern.replace("$", r"\Z")
    if validator.is_type(value, "string") and not re.search(ecma, value):
        yield jsonschema.ValidationError(f"{value!r} does not match {pattern!r}")


VALIDATORS = [
    jsonschema.validators.extend(draft, {"pattern": _pattern})(config_json_schema())
    for draft in (jsonschema.Draft202012Validator, jsonschema.Draft7Validator)
]
"""Of the draft that the schema names, and of the one that most editors know."""


def places(value: Any) -> set[KeyPath]:
    """Return the key paths at which an editor flags a document."""
    plain = json.loads(json.dumps(value))
    found, others = (
        {
            path
            for error in validator.iter_errors(plain)
            for path in _places(error, tuple(error.path))
        }
        for validator in VALIDATORS
    )
    assert found == others
    return found


def _places(error: Any, path: KeyPath) -> Iterator[KeyPath]:
    """Yield where an error is; of branches, in the one that gets deepest."""
    branches = [
        list(errors) for _, errors in groupby(error.context, lambda e: e.schema_path[0])
    ]
    best = max(
        branches, key=lambda errors: max(len(e.path) for e in errors), default=[]
    )
    if any(inner.path for inner in best):
        for inner in best:
            yield from _places(inner, (*path, *inner.path))
    elif error.validator == "additionalProperties":
        known = error.schema["properties"]
        yield from ((*path, key) for key in error.instance if key not in known)
    elif error.validator == "required":
        wanted = error.validator_value
        yield from ((*path, key) for key in wanted if key not in error.instance)
    else:
        yield path


def related(one: KeyPath, other: KeyPath) -> bool:
    """Return whether two places are the same, or one is in the other."""
    return all(a == b for a, b in zip(one, other, strict=False))


def test_it_is_a_schema() -> None:
    for validator in VALIDATORS:
        validator.check_schema(validator.schema)
    assert config_json_schema()["$schema"] == (
        "https://json-schema.org/draft/2020-12/schema"
    )


def test_every_key_has_a_description() -> None:
    def undescribed(part: Any, path: str) -> Iterator[str]:
        if isinstance(part, list):
            for index, inner in enumerate(part):
                yield from undescribed(inner, f"{path}/{index}")
        if isinstance(part, dict):
            for key, inner in part.get("properties", {}).items():
                if not str(inner.get("description", "")).strip():
                    yield f"{path}/{key}"
            for key, inner in part.items():
                yield from undescribed(inner, f"{path}/{key}")

    schema = config_json_schema()
    assert list(undescribed(schema, "")) == []
    assert list(schema["$defs"]["Conv2D"]["properties"]) == [
        *("name", "filters", "kernel_size", "strides", "padding", "dilation_rate"),
        *("groups", "activation", "use_bias", "kernel_initializer"),
        "bias_initializer",
    ]


@pytest.mark.parametrize("text", SHIPPED)
def test_shipped_configs_are_valid(text: str) -> None:
    document = parse_document(text, "shipped.yaml")
    assert places(document.value) == set()
    config, _ = validate(Config, document.value)
    assert config is not None
    assert places(json.loads(config_to_json(config))) == set()


@pytest.mark.parametrize("row", ROWS)
def test_wrong_configs_are_flagged_where_the_program_does(row: Row) -> None:
    try:
        document = parse_document(row.config, "bad.yaml")
    except ConfigError:
        return  # it isn't YAML that is accepted
    _, problems = validate(Config, document.value)
    expected = [p.path for p in problems if "finite number" not in p.message]
    flagged = places(document.value)
    if row.name in UNKNOWABLE:
        assert problems
        assert flagged == set()
        return
    for path in expected:
        assert any(related(path, place) for place in flagged), path
    for place in flagged:
        assert any(related(place, path) for path in expected), place


def test_every_unknowable_row_is_there() -> None:
    assert UNKNOWABLE.keys() <= {str(row.id) for row in ROWS}


UNIONS: dict[KeyPath, Any] = {
    ("model", "layers", 0): AnyLayer,
    ("data", "source"): Source,
    ("data", "normalization"): Normalization,
    ("training", "optimizer"): AnyOptimizer,
    ("training", "schedule"): Schedule,
    ("training", "loss"): Loss,
    ("training", "weights"): Weights,
}
THINGS = [
    pytest.param(path, thing, id=thing.tag())
    for path, union in UNIONS.items()
    for thing in models_in(union)
    if issubclass(thing, Named)
]


def document_with(path: KeyPath, value: Any) -> dict[str, Any]:
    """Return a config that has a value at a key path."""
    section, key, *rest = path
    inner = [value] if rest else value
    return {"model": {"layers": ["Flatten"]}, str(section): {key: inner}}


@pytest.mark.parametrize(("path", "thing"), THINGS)
def test_a_wrong_argument_is_flagged_at_its_own_key(
    path: KeyPath, thing: type[Named]
) -> None:
    name = thing.tag()
    arguments: dict[str, Any] = {}
    if thing.model_fields.get("path") and thing.model_fields["path"].is_required():
        arguments = {"path": "x"}
    if name == "idx":
        arguments["classes"] = ["a", "b"]
    arguments |= REQUIRED.get(name, {})
    assert places(document_with(path, {name: arguments})) == set()
    wrong = document_with(path, {name: {**arguments, "nonsense": 1}})
    assert places(wrong) == {(*path, name, "nonsense")}
    others = document_with(path, {name: arguments, "nonsense": {}})
    assert places(others)


@pytest.mark.parametrize(("path", "thing"), THINGS)
def test_a_name_alone_is_valid_where_nothing_must_be_said(
    path: KeyPath, thing: type[Named]
) -> None:
    needs = any(field.is_required() for field in thing.model_fields.values())
    name = thing.tag()
    assert places(document_with(path, name)) == ({path} if needs else set())
    nothing = places(document_with(path, {name: None}))
    assert nothing == ({(*path, name)} if needs else set())


@given(written=layers_at_random("any", TYPES, 4).filter(bool))
def test_layers_that_the_program_takes_are_valid(written: list[Any]) -> None:
    assert set(ARGUMENTS["any"]) == set(TYPES)
    assert places({"model": {"layers": written}}) == set()


@given(text=edited_configs())
def test_configs_that_the_program_takes_are_valid(text: str) -> None:
    try:
        document = parse_document(text, "edited.yaml")
    except ConfigError:
        return
    config, _ = validate(Config, document.value)
    if config is not None:
        assert places(document.value) == set()


def test_defaults_are_written_as_in_a_config() -> None:
    definitions = config_json_schema()["$defs"]
    training = definitions["Training"]["properties"]
    assert training["optimizer"]["default"] == "RMSprop"
    assert training["early_stopping"]["default"] is None
    assert "default" not in definitions["Data"]["properties"]["split"]


def test_the_command_prints_it_or_writes_it(cli: Cli) -> None:
    printed = cli("schema")
    assert json.loads(printed.stdout) == config_json_schema()
    assert printed.stderr == ""
    written = cli("schema", "-o", "x/cnncli.schema.json")
    assert written.stdout == ""
    assert written.stderr == "written: x/cnncli.schema.json\n"
    assert Path("x/cnncli.schema.json").read_text() == printed.stdout
    cli("schema", "-o", "x/cnncli.schema.json")


def test_another_file_is_not_overwritten_unasked(cli: Cli) -> None:
    Path("notes").write_text("mine")
    refused = cli("schema", "-o", "notes", exit_code=5)
    assert refused.stderr == (
        "error: notes: there is already a file with other content; choose another "
        "place, or replace it with --overwrite\n"
    )
    cli("schema", "-o", "notes", "--overwrite")
    assert Path("notes").read_text() == cli("schema").stdout
