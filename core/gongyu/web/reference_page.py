"""What the reference page shows, made of a finished OpenAPI document: plain values; the template only lays out."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from markupsafe import Markup, escape

from gongyu.text import Language, Text
from gongyu.web.openapi_document import METHODS, permission_line
from gongyu.web.openapi_examples import without_null
from gongyu.web.reference_words import WORDS

__all__ = ["Field", "Group", "groups_of", "prose"]


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One place in a body: a line of the schema tree."""

    name: str
    type: str
    required: bool = False
    notes: Sequence[str] = ()
    description: str = ""
    children: Sequence["Field"] = ()


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter; descriptions of plugins come in English, the core's in both languages."""

    place: str
    field: Field
    description: str
    description_language: Language
    example: str


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """A body of one media type."""

    media_type: str
    field: Field | None
    example: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    status: str
    description: str
    contents: Sequence[Content] = ()
    problems: Sequence[str] = ()


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One operation. `title_language` tells a screen reader how to say a title that has no translation."""

    id: str
    method: str
    path: str
    title: str
    title_language: Language
    description: str
    deprecated: bool
    permission: Mapping[str, Any]
    parameters: Sequence[Parameter]
    request: Sequence[Content]
    answers: Sequence[Answer]
    curl: str


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A tag and its operations."""

    id: str
    title: str
    summary: str
    entries: Sequence[Entry]


def groups_of(document: Mapping[str, Any], language: Language) -> list[Group]:
    """The operations by tag, in the document's order."""
    entries: dict[str, list[Entry]] = {tag["name"]: [] for tag in document["tags"]}
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                entries[item[method]["tags"][0]].append(_entry(path, method, item[method], document, language))
    return [
        Group(
            id=f"tag-{tag['name']}",
            title=tag["x-title"][language],
            summary=tag["x-summary"][language],
            entries=entries[tag["name"]],
        )
        for tag in document["tags"]
        if entries[tag["name"]]
    ]


def prose(text: str) -> Markup:
    """The little Markdown that descriptions hold: paragraphs, `code`, **strong**; everything else is text."""
    paragraphs = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(paragraph)))
        paragraphs.append(re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", safe))
    return Markup("".join(f"<p>{paragraph}</p>" for paragraph in paragraphs if paragraph))  # noqa: S704 - escaped above


def _entry(
    path: str, method: str, operation: Mapping[str, Any], document: Mapping[str, Any], language: Language
) -> Entry:
    permission = operation["x-permission"]
    title = operation.get("x-title", {}).get(language)
    tree = _Tree(document["components"].get("schemas", {}), language)
    parameters = [_resolved(one, document) for one in operation["parameters"]]
    return Entry(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        title=title or operation["summary"],
        title_language=language if title else "en",
        description=operation["description"].removesuffix(permission_line(permission)).strip(),
        deprecated=operation.get("deprecated", False),
        permission=permission,
        parameters=[_parameter(one, tree, language) for one in parameters],
        request=_contents(operation.get("requestBody", {}), tree, asked=True),
        answers=[_answer(status, _resolved(one, document), tree) for status, one in operation["responses"].items()],
        curl=_curl(path, method, operation, parameters),
    )


def _parameter(one: Mapping[str, Any], tree: "_Tree", language: Language) -> Parameter:
    both = one.get("x-description")
    return Parameter(
        place=WORDS[f"in_{one['in']}"].pick(language),
        field=tree.field(one["name"], one["schema"], required=one.get("required", False)),
        description=both[language] if both else one.get("description", ""),
        description_language=language if both else "en",
        example=_plain(one["example"]) if "example" in one else "",
    )


def _resolved(part: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    if reference := part.get("$ref"):
        _, _, kind, name = reference.split("/")
        found: Mapping[str, Any] = document["components"][kind][name]
        return found
    return part


def _contents(body: Mapping[str, Any], tree: "_Tree", *, asked: bool = False) -> list[Content]:
    return [
        Content(
            media_type=media_type,
            field=tree.field("", said["schema"], asked=asked) if said.get("schema") else None,
            example=_plain(said["example"], indent=2) if "example" in said else "",
        )
        for media_type, said in body.get("content", {}).items()
    ]


def _answer(status: str, answer: Mapping[str, Any], tree: "_Tree") -> Answer:
    problems = answer.get("content", {}).get("application/problem+json")
    if problems is not None:
        return Answer(status=status, description="", problems=list(problems.get("examples", ())))
    return Answer(status=status, description=answer["description"], contents=_contents(answer, tree))


def _plain(value: object, indent: int | None = None) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=indent)


def _curl(path: str, method: str, operation: Mapping[str, Any], parameters: Sequence[Mapping[str, Any]]) -> str:
    """A line to paste into a shell, with everything that is required and nothing else."""
    query = []
    for one in parameters:
        value = _plain(one.get("example", one["name"]))
        if one["in"] == "path":
            path = path.replace(f"{{{one['name']}}}", value)
        elif one["in"] == "query" and one.get("required"):
            query.append(f"{one['name']}={value}")
    words = ["curl"]
    if method != "get":
        words.append(f"-X {method.upper()}")
    words.append(f'"$GONGYU_URL{path}{"?" if query else ""}{"&".join(query)}"')
    if operation.get("security") != []:
        words.append('-H "Authorization: Bearer $GONGYU_TOKEN"')
    for media_type, said in operation.get("requestBody", {}).get("content", {}).items():
        words.append(f"-H 'Content-Type: {media_type}'")
        if "example" in said:
            words.append(f"-d {shlex.quote(_plain(said['example']))}")
        break
    return " \\\n  ".join(words)


class _Tree:
    """Schemas as trees of fields; a type inside itself is named and not opened again."""

    def __init__(self, schemas: Mapping[str, Any], language: Language) -> None:
        self._schemas, self._language = schemas, language

    def field(
        self,
        name: str,
        schema: Mapping[str, Any],
        *,
        required: bool = False,
        asked: bool = False,
        inside: tuple[str, ...] = (),
    ) -> Field:
        """A field; what is required is said only of what the caller is asked for, of an answer it is noise."""
        nullable = any(one.get("type") == "null" for one in (*schema.get("anyOf", ()), *schema.get("oneOf", ())))
        opened, inside, again = self._opened(without_null(schema), inside)
        type_, children = (again, []) if again else self._type(opened, inside, asked=asked)
        return Field(
            name=name,
            type=f"{type_} | null" if nullable else type_,
            required=required,
            notes=self._notes(opened) + self._default(schema),
            description=opened.get("description", ""),
            children=children,
        )

    def _opened(
        self, schema: Mapping[str, Any], inside: tuple[str, ...]
    ) -> tuple[Mapping[str, Any], tuple[str, ...], str]:
        """The schema behind a reference; in the third place its name when we are inside of it already."""
        name = schema.get("$ref", "").rpartition("/")[2]
        if not name:
            return schema, inside, ""
        if name in inside:
            return {"description": ""}, inside, name
        return self._schemas[name], (*inside, name), ""

    def _type(self, schema: Mapping[str, Any], inside: tuple[str, ...], *, asked: bool) -> tuple[str, list[Field]]:
        if choices := schema.get("anyOf") or schema.get("oneOf"):
            fields = [self.field("", one, asked=asked, inside=inside) for one in choices]
            deep = [self._named(field, number) for number, field in enumerate(fields, 1) if field.children]
            return " | ".join(dict.fromkeys(field.type for field in fields)), deep
        match schema.get("type"):
            case "array":
                item = self.field("", schema.get("items") or {}, asked=asked, inside=inside)
                return f"{item.type}[]", list(item.children)
            case "object":
                return self._object(schema, inside, asked=asked)
            case str(type_):
                return schema.get("format", type_), []
        return WORDS["any"].pick(self._language), []

    def _object(self, schema: Mapping[str, Any], inside: tuple[str, ...], *, asked: bool) -> tuple[str, list[Field]]:
        required = schema.get("required", ()) if asked else ()
        fields = [
            self.field(name, one, required=name in required, asked=asked, inside=inside)
            for name, one in schema.get("properties", {}).items()
        ]
        if isinstance(values := schema.get("additionalProperties"), Mapping):
            fields.append(self.field("*", values, asked=asked, inside=inside))
        return "object", fields

    def _named(self, field: Field, number: int) -> Field:
        return msgspec.structs.replace(
            field, name=Text(zh="形式 {n}", en="form {n}").format(n=number).pick(self._language)
        )

    def _notes(self, schema: Mapping[str, Any]) -> list[str]:
        notes = []
        for keyword, word in _BOUNDS.items():
            if keyword in schema:
                notes.append(f"{word.pick(self._language)} {_plain(schema[keyword])}")
        if values := schema.get("enum") or ([schema["const"]] if "const" in schema else []):
            notes.append(f"{WORDS['one_of'].pick(self._language)} {', '.join(_plain(value) for value in values)}")
        return notes

    def _default(self, schema: Mapping[str, Any]) -> list[str]:
        if "default" not in schema:
            return []
        return [f"{WORDS['default'].pick(self._language)} {json.dumps(schema['default'], ensure_ascii=False)}"]


_BOUNDS: Mapping[str, Text] = {
    "minimum": Text(zh="最小", en="at least"),
    "exclusiveMinimum": Text(zh="大于", en="more than"),
    "maximum": Text(zh="最大", en="at most"),
    "exclusiveMaximum": Text(zh="小于", en="less than"),
    "minLength": Text(zh="最短", en="min. length"),
    "maxLength": Text(zh="最长", en="max. length"),
    "minItems": Text(zh="最少项数", en="min. items"),
    "maxItems": Text(zh="最多项数", en="max. items"),
    "pattern": Text(zh="格式", en="pattern"),
}
