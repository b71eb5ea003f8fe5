"""The JSON Schema of a config, for editors: what may stand where, and what it means.

It describes a config as it is written, names first. Of the drafts of JSON Schema it
keeps to what draft 7 and 2020-12 have in common, since editors know the one or the
other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema, NoDefault

from cnncli.config.fields import Named, Section
from cnncli.config.schema import Config

if TYPE_CHECKING:
    from pydantic.json_schema import JsonRef, JsonSchemaValue
    from pydantic_core import core_schema

_DESCRIPTION = "A config of cnncli: the images, the network, and how it is trained."


def config_json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a config; each key in it has a description."""
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        **Config.model_json_schema(schema_generator=_Generator),
        "description": _DESCRIPTION,
    }


class _Generator(GenerateJsonSchema):
    """Pydantic's generator, for the notation of ``Named`` things."""

    def field_title_should_be_set(
        self,
        schema: Any,  # noqa: ARG002 -- none gets one
    ) -> bool:
        """Leave out titles, which would only be the keys again."""
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Describe a mapping of keys, or of the arguments of a named thing."""
        described = super().model_schema(schema)
        del described["title"]
        described["description"] = described["description"].replace("``", "`")
        if issubclass(schema["cls"], Named):
            del described["properties"]["type"]
            if "required" not in described:
                described["type"] = ["object", "null"]
        return described

    def tagged_union_schema(
        self, schema: core_schema.TaggedUnionSchema
    ) -> JsonSchemaValue:
        """Describe things to choose from, one branch for each name and form.

        So editors offer the arguments of the name that is there, and no others.
        """
        branches: list[JsonSchemaValue] = []
        for name, thing in schema["choices"].items():
            arguments = self.generate_inner(thing)
            definition = self._definition(arguments["$ref"])
            meaning = {"description": definition["description"]}
            if "required" not in definition:
                branches.append({"const": name, **meaning})
            branches.append(
                {
                    "type": "object",
                    "properties": {name: {**arguments, **meaning}},
                    "required": [name],
                    "additionalProperties": False,
                }
            )
        return {"oneOf": branches}

    def _definition(self, reference: JsonRef) -> JsonSchemaValue:
        definition = self.get_schema_from_definitions(reference)
        if definition is None:
            raise KeyError(reference)
        return definition

    def get_default_value(self, schema: core_schema.WithDefaultSchema) -> Any:
        """Return a default as a config has it; none for a whole section."""
        default = super().get_default_value(schema)
        if isinstance(default, Named):
            return default.type
        return NoDefault if isinstance(default, Section) else default
