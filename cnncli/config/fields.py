"""The building blocks of the schema: strict models and checked types of fields."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, LiteralString

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from cnncli.config.problems import quoted
from cnncli.config.scalars import describe
from cnncli.config.tracking import PLACES, place_fault

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

_CONTROL_CHARACTERS = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
_CONTROL_CHARACTER = re.compile(f"[{_CONTROL_CHARACTERS}]")


class Section(BaseModel):
    """A frozen mapping in which unknown keys and lax types are errors."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False
    )


class Named(Section):
    """A thing with a name and arguments: ``Conv2D: {filters: 16, kernel_size: 3}``.

    In a config it is a mapping from the name to the arguments, or the name alone.
    Subclasses set ``type`` to a literal of their name.
    """

    type: str

    @classmethod
    def tag(cls) -> str:
        """Return the name under which the thing stands in a config."""
        return str(cls.model_fields["type"].default)

    def arguments(self) -> dict[str, Any]:
        """Return the arguments, without the name."""
        return {key: value for key, value in self if key != "type"}


SEVERAL_NAMES = "several_names"
"""The type of Pydantic's error where more than one name is given."""


def as_name(text: str) -> str:
    """Return text as a ``Name``: cut to its length, a dash for what none can have."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", text)[:64]


def _refusal(text: str, kind: LiteralString = "cnncli") -> PydanticCustomError:
    return PydanticCustomError(kind, "{text}", {"text": text})


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _unname(value: Any) -> Any:
    """Turn ``{Conv2D: {filters: 16}}`` into ``{type: Conv2D, filters: 16}``."""
    if isinstance(value, Named):
        return value
    if isinstance(value, str):
        return {"type": value}
    if not isinstance(value, dict):
        expected = "must be a name, alone or with a mapping of arguments"
        raise _refusal(f"{expected}, got {describe(value)}")
    if len(value) != 1:
        kind = SEVERAL_NAMES if value else "cnncli"
        expected = "must be one name with its arguments"
        raise _refusal(f"{expected}, got {_names(value)}", kind)
    ((name, arguments),) = value.items()
    if not isinstance(arguments, dict | None):
        expected = f"{quoted(name)} needs its arguments as a mapping"
        raise _refusal(f"{expected}, got {describe(arguments)}")
    if "type" in (arguments or {}):
        raise _refusal(f"{quoted(name)} has no argument 'type'")
    return {"type": name, **(arguments or {})}


def _names(mapping: dict[str, Any]) -> str:
    if not mapping:
        return "an empty mapping"
    names = [quoted(name) for name in mapping]
    text = " and ".join(names[:3]) + (" and more" if len(names) > 3 else "")
    first, second, *_ = mapping.values()
    if first is None and not isinstance(second, dict):
        text += f"; indent what belongs to {names[0]} further"
    return text


by_type = Field(discriminator="type")
"""Marks a union of ``Named`` things as told apart by their names."""

named = BeforeValidator(_unname)
"""Marks such a union as written name first."""


class Check:
    """A validator, and the keywords with which JSON Schema says what it checks.

    Args:
        validator: The validator.
        keywords: Such as ``uniqueItems``.
    """

    def __init__(
        self, validator: BeforeValidator | AfterValidator, **keywords: Any
    ) -> None:
        self._validator = validator
        self._keywords = keywords

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Return what Pydantic validates by."""
        return self._validator.__get_pydantic_core_schema__(source, handler)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return what JSON Schema says."""
        return {**handler(schema), **self._keywords}


def entries(minimum: int, maximum: int) -> Check:
    """Mark a list as having at least and at most so many entries, right or wrong."""

    def check(value: Any) -> Any:
        if isinstance(value, tuple) and not minimum <= len(value) <= maximum:
            raise _refusal(
                f"must have {minimum} to {maximum} entries, got {len(value):,}"
            )
        return value

    return Check(BeforeValidator(check), minItems=minimum, maxItems=maximum)


def _check_unique(words: tuple[str, ...]) -> tuple[str, ...]:
    for position, word in enumerate(words):
        if word in words[:position]:
            raise _refusal(f"{quoted(word)} is given twice")
    return words


unique = Check(AfterValidator(_check_unique), uniqueItems=True)
"""Marks a list of texts as a set."""


def _check_characters(text: str) -> str:
    if _CONTROL_CHARACTER.search(text):
        expected = "must be one line without control characters"
        raise _refusal(f"{expected}, got {quoted(text)}")
    return text


def _pair(value: Any) -> Any:
    """Turn one whole number into two, as Keras does with sizes."""
    if _is_whole(value):
        return (value, value)
    if isinstance(value, tuple) and len(value) == 2:
        return value
    expected = "must be a whole number or two of them, [height, width]"
    raise _refusal(f"{expected}, got {describe(value)}")


def _count_or_share(minimum: int) -> BeforeValidator:
    """Accept a count of images, or a share of them: 1 is one of them, 1.0 all."""

    def check(value: Any) -> Any:
        if (_is_whole(value) and value >= minimum) or (
            isinstance(value, float) and 0 < value <= 1
        ):
            return value
        raise _refusal(
            f"must be a count of images (a whole number of at least {minimum}) or a "
            f"share of them (a number between 0 and 1), got {describe(value)}"
        )

    count, share = Field(ge=minimum), Field(gt=0, le=1)
    written = Annotated[int, count] | Annotated[float, share]
    return BeforeValidator(check, json_schema_input_type=written)


def _factor(value: Any) -> Any:
    """Accept a fraction for both directions, or one for each, as Keras does."""
    pair = value if isinstance(value, tuple) and len(value) == 2 else (0, value)
    if all(
        isinstance(v, int | float) and not isinstance(v, bool) and -1 <= v <= 1
        for v in pair
    ) and float(pair[0]) <= float(pair[1]):
        lower, upper = map(float, pair)
        return (lower, upper) if pair is value else upper
    raise _refusal(
        "must be a number from 0 to 1, or two from -1 to 1, [lower, upper], got "
        f"{describe(value)}"
    )


def _image_shape(value: Any) -> Any:
    """Turn ``[height, width]`` into ``[height, width, 1]``."""
    if isinstance(value, tuple) and all(_is_whole(size) and size > 0 for size in value):
        if len(value) == 2:
            return (*value, 1)
        if len(value) == 3 and value[2] in (1, 3):
            return value
    raise _refusal(
        "must be [height, width] or [height, width, channels], with 1 or 3 channels, "
        f"got {describe(value)}"
    )


def _margins(value: Any) -> Any:
    """Turn ``P``, ``[rows, columns]`` into ``[[top, bottom], [left, right]]``."""
    sides = (value, value) if _is_whole(value) else value
    if isinstance(sides, tuple):
        sides = tuple((side, side) if _is_whole(side) else side for side in sides)
        if len(sides) == 2 and all(isinstance(s, tuple) and len(s) == 2 for s in sides):
            return sides
    raise _refusal(
        "must be a whole number, [rows, columns] or [[top, bottom], [left, right]], "
        f"got {describe(value)}"
    )


def _check_pattern(text: str) -> str:
    """Refuse what is no regular expression, or has nothing in parentheses."""
    try:
        groups = re.compile(text).groups
    except re.error as error:
        raise _refusal(f"is no regular expression: {error}") from error
    if not groups:
        raise _refusal(
            "needs parentheses around what names the object, such as '^([^_]+)_', got "
            f"{quoted(text)}"
        )
    return text


def _check_tracker(place: str) -> str:
    if fault := place_fault(place):
        raise _refusal(fault)
    return place


Positive = Annotated[int, Field(ge=1, le=1_000_000)]
PositiveFloat = Annotated[float, Field(gt=0)]
NotNegativeFloat = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
_two = Field(min_length=2, max_length=2)
_Pair = Annotated[list[Positive], _two]
Size = Annotated[
    tuple[Positive, Positive],
    BeforeValidator(_pair, json_schema_input_type=Positive | _Pair),
]
CountOrShare = Annotated[int | float, _count_or_share(1)]
CountOrShareOrNone = Annotated[int | float, _count_or_share(0)]
_Bound = Annotated[float, Field(ge=-1, le=1)]
_Bounds = Annotated[list[_Bound], _two]
_Upper = Annotated[float, Field(ge=0, le=1)]
Factor = Annotated[
    float | tuple[float, float],
    BeforeValidator(_factor, json_schema_input_type=_Upper | _Bounds),
]
_Sizes = Annotated[list[Positive], Field(min_length=2, max_length=3)]
ImageShape = Annotated[
    tuple[int, int, int],
    BeforeValidator(_image_shape, json_schema_input_type=_Sizes),
]
_Margin = Annotated[int, Field(ge=0, le=10_000)]
_Sides = Annotated[list[_Margin | Annotated[list[_Margin], _two]], _two]
Margins = Annotated[
    tuple[tuple[_Margin, _Margin], tuple[_Margin, _Margin]],
    BeforeValidator(_margins, json_schema_input_type=_Margin | _Sides),
]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Text = Annotated[
    str,
    Field(min_length=1, max_length=4096),
    Check(AfterValidator(_check_characters), pattern=f"^[^{_CONTROL_CHARACTERS}]*$"),
]
Pattern = Annotated[Text, AfterValidator(_check_pattern)]
_PLACE = rf"^(?!\s)(?!.*(\s$|[{_CONTROL_CHARACTERS}]))({'|'.join(PLACES)})$"
TrackerPlace = Annotated[Text, Check(AfterValidator(_check_tracker), pattern=_PLACE)]
