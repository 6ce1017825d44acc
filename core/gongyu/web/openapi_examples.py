"""Examples out of JSON Schema: what the author wrote where they wrote something, else a plain value that validates.

Readers copy examples. One made up against a `pattern` would be wrong, so there is none rather than a wrong one.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

__all__ = ["NoExampleError", "example_of", "without_null"]

Schema = Mapping[str, Any]

_FORMATS: Final = {
    "uuid": "01990f2e-7c00-7000-8000-000000000001",
    "date-time": "2026-09-01T08:00:00Z",
    "date": "2026-09-01",
    "time": "08:00:00Z",
    "duration": "PT45M",
}


class NoExampleError(Exception):
    """Nothing can be shown that would surely be valid."""


def without_null(schema: Schema) -> Schema:
    """What stands in a nullable place when something stands there."""
    for keyword in ("anyOf", "oneOf"):
        real = [one for one in schema.get(keyword, ()) if one.get("type") != "null"]
        if len(real) == 1:
            return {key: value for key, value in schema.items() if key != keyword} | dict(real[0])
    return schema


def example_of(schema: Schema, schemas: Mapping[str, Schema], *, name: str = "text") -> Any:  # noqa: ANN401 - any JSON
    """An example of a schema.

    Args:
        schema: The schema.
        schemas: The document's components, for `$ref`.
        name: What a free string without an example says: best the name of its property.

    Raises:
        NoExampleError: A pattern without an example, or a type that contains itself.
    """
    return _example(schema, schemas, name, ())


def _example(schema: Schema, schemas: Mapping[str, Schema], name: str, inside: tuple[str, ...]) -> Any:  # noqa: ANN401 - any JSON
    if reference := schema.get("$ref"):
        target = reference.rpartition("/")[2]
        if target in inside:
            raise NoExampleError(target)
        return _example(schemas[target], schemas, name, (*inside, target))
    if given := schema.get("examples"):
        return given[0]
    for keyword in ("example", "const", "default"):
        if keyword in schema:
            return schema[keyword]
    if choices := schema.get("enum"):
        return choices[0]
    for keyword in ("anyOf", "oneOf"):
        if real := [one for one in schema.get(keyword, ()) if one.get("type") != "null"]:
            return _example({k: v for k, v in schema.items() if k != keyword} | dict(real[0]), schemas, name, inside)
    return _by_type(schema, lambda part, its_name: _example(part, schemas, its_name, inside), name)


def _by_type(schema: Schema, example: Callable[[Schema, str], Any], name: str) -> Any:  # noqa: ANN401 - any JSON
    match schema.get("type"):
        case "string":
            return _string(schema, name)
        case "integer" | "number":
            return schema.get("minimum", schema["exclusiveMinimum"] + 1 if "exclusiveMinimum" in schema else 1)
        case "boolean":
            return True
        case "array":
            heads = [example(part, name) for part in schema.get("prefixItems", ())]
            more = max(schema.get("minItems", 0) - len(heads), 0 if heads else 1)
            return heads + [example(schema["items"], name)] * more if schema.get("items") else heads
        case "object":
            return _object(schema, example)
    return None


def _string(schema: Schema, name: str) -> str:
    if "pattern" in schema:
        raise NoExampleError(name)
    if "contentEncoding" in schema:
        return ""
    text = _FORMATS.get(schema.get("format", ""), name)
    return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]


def _object(schema: Schema, example: Callable[[Schema, str], Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, part in schema.get("properties", {}).items():
        try:
            made[name] = example(part, name)
        except NoExampleError:
            if name in schema.get("required", ()):
                raise
    if isinstance(values := schema.get("additionalProperties"), Mapping) and values:
        made["key"] = example(values, "value")
    return made
