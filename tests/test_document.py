"""YAML as configs have it: scalars, places, and writing what reads back the same."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnncli.config import Config, config_from_json, config_to_json, config_to_yaml
from cnncli.config.document import parse_document, parse_value
from cnncli.config.layers import Conv2D, Dense, Flatten, Rescaling
from cnncli.config.scalars import describe, resolve_scalar
from cnncli.config.schema import SGD, Data, Divide, Idx, Model, Split, Training
from cnncli.errors import ConfigError

SCALARS: list[tuple[str, str | int | float | bool | None]] = [
    ("", None),
    ("~", None),
    ("null", None),
    ("Null", None),
    ("None", "None"),
    ("nil", "nil"),
    ("true", True),
    ("True", True),
    ("FALSE", False),
    ("yes", "yes"),
    ("no", "no"),
    ("on", "on"),
    ("off", "off"),
    ("y", "y"),
    ("0", 0),
    ("12", 12),
    ("+12", 12),
    ("-12", -12),
    ("007", 7),
    ("0o17", "0o17"),
    ("0x1F", 31),
    ("0x", "0x"),
    ("-0x1F", "-0x1F"),
    ("1_000", 1000),
    ("1__000", "1__000"),
    ("1_", "1_"),
    ("_1", "_1"),
    ("1,000", "1,000"),
    ("9" * 30, int("9" * 30)),
    ("9" * 31, 1e31),
    ("1.5", 1.5),
    ("1.", 1.0),
    (".5", 0.5),
    ("-.5", -0.5),
    (".", "."),
    ("-", "-"),
    ("1e3", 1000.0),
    ("1e-3", 0.001),
    ("1E+3", 1000.0),
    ("1.0e-3", 0.001),
    ("1_0.5e1", 105.0),
    (".5e1", 5.0),
    ("1e", "1e"),
    ("e3", "e3"),
    ("1e-400", 0.0),
    ("1e999", math.inf),
    ("1e999999", "1e999999"),
    (".inf", math.inf),
    ("-.inf", -math.inf),
    (".INF", math.inf),
    ("inf", "inf"),
    ("nan", "nan"),
    ("1:30", "1:30"),
    ("12:30:45", "12:30:45"),
    ("2024-01-02", "2024-01-02"),
    ("1.2.3", "1.2.3"),
    ("1 2", "1 2"),
    ("١٢", "١٢"),
    ("=", "="),
    ("<<", "<<"),
]


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_plain_scalar(text: str, value: Any) -> None:
    resolved = resolve_scalar(text)
    assert resolved == value
    assert type(resolved) is type(value)


@pytest.mark.parametrize("text", [".nan", ".NaN", "-.nan"])
def test_not_a_number(text: str) -> None:
    assert math.isnan(float(str(resolve_scalar(text))))


@pytest.mark.parametrize("quote", ["'", '"'])
@pytest.mark.parametrize("text", ["", "12", "1e-3", "true", "null", "no"])
def test_quoted_scalar_is_text(text: str, quote: str) -> None:
    assert parse_value(f"{quote}{text}{quote}", "test") == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{a: [1, no], b: {c: }}", {"a": (1, "no"), "b": {"c": None}}),
        ("{true: 1, 2: 3, null: 4}", {"true": 1, "2": 3, "null": 4}),
        ("[a: 1]", ({"a": 1},)),
        ('"a\\tb"', "a\tb"),
        ("a # b", "a"),
    ],
)
def test_flow_value(text: str, value: Any) -> None:
    assert parse_value(text, "test") == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing"),
        (False, "false"),
        ((1, 2.5, "a", (None, True)), "[1, 2.5, 'a', [nothing, true]]"),
        ({"a": 1}, "a mapping"),
        ("it's", '"it\'s"'),
        ("\x1b", "'\\x1b'"),
        ("x" * 58, f"'{'x' * 58}'"),
        ("x" * 59, f"'{'x' * 56}..."),
    ],
)
def test_describe(value: Any, text: str) -> None:
    assert describe(value) == text


def test_places_are_those_of_keys_and_items() -> None:
    document = parse_document("a:\n  - b: 1\n  - {c: 2}\n\n'd': |\n  3\n", "x.yaml")
    assert {path: str(place) for path, place in document.places.items()} == {
        (): "x.yaml:1:1",
        ("a",): "x.yaml:1:1",
        ("a", 0): "x.yaml:2:5",
        ("a", 0, "b"): "x.yaml:2:5",
        ("a", 1): "x.yaml:3:5",
        ("a", 1, "c"): "x.yaml:3:6",
        ("d",): "x.yaml:5:1",
    }
    assert str(document.place(("a", 1, "z", 3))) == "x.yaml:3:5"
    assert str(document.place(("z",))) == "x.yaml:1:1"


def test_the_first_of_duplicate_keys_counts() -> None:
    document = parse_document("a: 1\na: {b: 2}\n", "x.yaml")
    assert document.value == {"a": 1}
    assert document.lines(document.problems) == [
        "x.yaml:2:1: a: duplicate key, first given on line 1"
    ]


def test_a_value_has_no_line_in_messages() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_value("{a: 1, b: 2, a: 3, b: 4}", "--set x=...")
    assert caught.value.problems == (
        "--set x=...: a: duplicate key, first given on line 1",
        "--set x=...: b: duplicate key, first given on line 1",
    )


ODD_TEXTS = st.sampled_from(
    [
        *("no", "yes", "true", "1e3", "1e-3", "12", "0x1F", ".5", "null", "~", ".nan"),
        *(" a", "a ", " ", "# x", "a # b", "a: b", "a:", "- a", "-", "?", "? a", "|"),
        *("'", '"', "it's", "\\", "\\n", "{a}", "[a]", "a, b", "&a", "*a", "!a", "%a"),
        *(
            "@a",
            "`a`",
            ">",
            "<<",
            "=",
            "---",
            "...",
            "é",
            "日本語",
            "😀",
            "\ufeff",
            "\xa0",
        ),
        *("\u202e", "\ufffe", "\U0010ffff", "a" * 200, "a b " * 60, " " * 100),
    ]
)
TEXTS = ODD_TEXTS | st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=99
)
POSITIVE = st.floats(0, exclude_min=True, allow_nan=False, allow_infinity=False)
NAMES = st.none() | st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
CONFIGS = st.builds(
    Config,
    name=NAMES,
    seed=st.integers(0, 2**32 - 1),
    data=st.builds(
        Data,
        source=st.builds(
            Idx,
            path=TEXTS,
            classes=st.lists(TEXTS, min_size=2, max_size=9, unique=True).map(tuple),
        ),
        split=st.builds(Split, train=st.integers(1, 10**9) | st.floats(0.1, 0.9)),
        normalization=st.builds(Divide, by=POSITIVE),
    ),
    model=st.builds(
        Model,
        layers=st.tuples(
            st.builds(
                Conv2D,
                name=NAMES,
                filters=st.integers(1, 1_000_000),
                kernel_size=st.integers(1, 9),
                use_bias=st.booleans(),
            ),
            st.builds(Rescaling, scale=st.floats(-1e300, 1e300)),
            st.just(Flatten()),
            st.builds(Dense, units=st.just(10), activation=st.just("softmax")),
        ),
    ),
    training=st.builds(Training, optimizer=st.builds(SGD, learning_rate=POSITIVE)),
)


@given(CONFIGS)
def test_yaml_reads_back_as_the_same_config(config: Config) -> None:
    document = parse_document(config_to_yaml(config), "config.yaml")
    assert Config.model_validate(document.value) == config
    assert document.problems == ()


@given(CONFIGS)
def test_json_reads_back_as_the_same_config(config: Config) -> None:
    assert config_from_json(config_to_json(config)) == config
