"""What is offered while a command line is typed.

At each press of a key the program starts anew. So nothing here imports Pydantic: the
keys of a config are those of its JSON Schema, which stands in a file. Where a config or
a run can't be read, nothing is offered.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from click import Context, Parameter
from click.shell_completion import CompletionItem

from cnncli.experiment.shipped import shipped_config
from cnncli.modelfile.place import CONFIG_NAME, METRICS_NAME, MODEL_NAME
from cnncli.system.files import open_regular, read_json

Item = CompletionItem[str]
Part = dict[str, Any]
Complete = Callable[[Context, Parameter, str], list[Item]]

SCHEMA_FILE = Path(__file__).parents[1] / "config" / "config.schema.json"
"""What ``cnncli schema`` prints; ``make docs`` writes it anew."""

_MOST_BYTES = 256 * 1024


def _item(value: str, meaning: str, *, is_open: bool = False) -> Item:
    """Return something to offer.

    Args:
        value: What to type.
        meaning: What it means, for shells that show it.
        is_open: Whether more has to be typed behind it, without a blank.
    """
    return Item(value, help=meaning, open=is_open)


def _offering(offer: Callable[[Context, str], Iterable[Item]]) -> Complete:
    """Make of what finds offers what Click asks for them; no error leaves it."""

    def complete(context: Context, _: Parameter, typed: str) -> list[Item]:
        try:
            return [
                item
                for item in offer(context, typed)
                if item.type != "plain" or _fits(item, typed)
            ]
        except Exception:  # noqa: BLE001 -- nobody asked for more than a word
            return []

    return complete


def _fits(item: Item, typed: str) -> bool:
    """Return whether something begins as typed, and nothing in it acts on a screen."""
    return item.value.startswith(typed) and f"{item.value}{item.help}".isprintable()


@_offering
def folders(_: Context, typed: str) -> Iterator[Item]:
    """Offer folders."""
    yield Item(typed, type="dir")


@_offering
def data_sets(_: Context, typed: str) -> Iterator[Item]:
    """Offer folders, and the images that come with the program."""
    yield _item("fashion-mnist", "the images that come with this program")
    yield Item(typed, type="dir")


@_offering
def kernels(_: Context, __: str) -> Iterator[Item]:
    """Offer the kernels that have a name."""
    from cnncli.lesson.kernels import KERNELS

    for name in KERNELS:
        yield _item(name, "a kernel")


@_offering
def paddings(_: Context, __: str) -> Iterator[Item]:
    """Offer the paddings that have a name."""
    yield _item("same", "zeros that keep the size")
    yield _item("valid", "no zeros")


@_offering
def layers(context: Context, _: str) -> Iterator[Item]:
    """Offer the layers of MODEL, if it is a run's."""
    for layer in _layers_in(_run_of(context) / CONFIG_NAME):
        ((kind, arguments),) = layer.items()
        yield _item(arguments["name"], kind)


@_offering
def classes(context: Context, _: str) -> Iterator[Item]:
    """Offer the classes of MODEL, if it is a run's."""
    metrics = read_json(_run_of(context) / METRICS_NAME)
    for number, score in enumerate(metrics["classes"]):
        yield _item(score["name"], f"class {number}")


@_offering
def settings(context: Context, typed: str) -> Iterator[Item]:
    """Offer keys of a config up to the next dot, or the values of a key."""
    schema = json.loads(SCHEMA_FILE.read_bytes())
    if typed.startswith("model."):
        _put_layers(schema, _layers_in(_config(context)))
    key, equals, _ = typed.partition("=")
    path = key if equals else key.rpartition(".")[0]
    part = schema
    for step in path.split(".") if path else []:
        part = _inner(schema, part)[step]
    if equals:
        for value, meaning in _values(schema, part):
            yield _item(f"{key}={value}", meaning)
        return
    for name, inner in _inner(schema, part).items():
        full = f"{path}.{name}" if path else name
        meaning = inner["description"]
        if any("properties" not in form for form in _forms(schema, inner)):
            yield _item(f"{full}=", meaning, is_open=True)
        if _inner(schema, inner):
            yield _item(f"{full}.", meaning, is_open=True)


def _forms(schema: Part, part: Part) -> Iterator[Part]:
    """Yield the forms in which a part of a schema can be written."""
    if "$ref" in part:
        yield from _forms(schema, schema["$defs"][part["$ref"].rpartition("/")[2]])
        return
    alternatives = part.get("oneOf", part.get("anyOf"))
    if alternatives is None:
        yield part
    for alternative in alternatives or []:
        yield from _forms(schema, alternative)


def _inner(schema: Part, part: Part) -> dict[str, Part]:
    """Return the parts of a part of a schema, by their keys."""
    return {
        key: inner
        for form in _forms(schema, part)
        for key, inner in form.get("properties", {}).items()
    }


def _values(schema: Part, part: Part) -> Iterator[tuple[str, str]]:
    """Yield the values that can be chosen from, and what they mean."""
    of_types = {"boolean": ["true", "false"], "null": ["null"]}
    for form in _forms(schema, part):
        words = [form["const"]] if "const" in form else form.get("enum", [])
        for word in [*words, *of_types.get(str(form.get("type")), [])]:
            yield word, form.get("description", "")


def _put_layers(schema: Part, layers: list[Any]) -> None:
    """Put into a schema which layer stands where in a config."""
    part = schema["$defs"]["Model"]["properties"]["layers"]
    types = _inner(schema, part["items"])
    part["properties"] = {}
    for index, layer in enumerate(layers):
        (name,) = [layer] if isinstance(layer, str) else layer
        inner = {"description": name, "properties": {name: types[name]}}
        part["properties"][str(index)] = inner


def _argument(context: Context, *names: str) -> Path | None:
    """Return an argument of the command line so far.

    Click leaves it unread where the option that lacks its value is the last word.
    """
    given = [context.params.get(name) for name in names]
    for path in [*given, *context.args]:
        if path is not None:
            return Path(path).expanduser()
    return None


def _config(context: Context) -> Path:
    return _argument(context, "config", "path") or shipped_config("fashion-mnist")


def _run_of(context: Context) -> Path:
    """Return the run folder that MODEL means."""
    path = _argument(context, "model")
    if path is None:
        raise FileNotFoundError
    return path.parent if path.name == MODEL_NAME else path


def _layers_in(config: Path) -> list[Any]:
    """Return the layers in a config, all values as texts."""
    import yaml

    with open_regular(config) as file:
        text = file.read(_MOST_BYTES)
    # It neither runs what a file names, nor copies what a merge key repeats.
    layers: list[Any] = yaml.load(text, Loader=yaml.BaseLoader)["model"]["layers"]
    return layers
