"""The zip of a copy: `index.html` to read, `manifest.json` and one JSON file for each part to be machine-readable."""

import base64
import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from importlib import resources
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from jinja2 import Environment, StrictUndefined

from gongyu.people.rights.contract import PersonPart, Reader, RetentionCategory
from gongyu.people.rights.copy import Copy
from gongyu.text import Text

__all__ = ["pack"]

_READERS: Final[Mapping[Reader, Text]] = {
    "self": Text(zh="本人", en="the person"),
    "guardian": Text(zh="监护人", en="a guardian"),
    "carer": Text(zh="照护人", en="a carer"),
    "operator": Text(zh="工作人员（代为提供）", en="an operator, to hand on"),
}
_WORDS: Final = {
    True: Text(zh="是", en="yes"),
    False: Text(zh="否", en="no"),
    None: Text(zh="", en=""),
}


def pack(copy: Copy, *, timezone: str, categories: Sequence[RetentionCategory] = ()) -> bytes:
    """The zip file.

    Args:
        copy: What was gathered.
        timezone: Times on the page are the district's; in the files they are UTC.
        categories: How long what is kept; the page says it.
    """
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("index.html", _page(copy, timezone, categories))
        manifest = {
            "person": copy.person,
            "district": copy.district,
            "reader": copy.reader,
            "made_at": copy.made_at,
            "parts": [
                {"file": _file(source, part), "title": part.title, "rows": len(part.rows)}
                for source, part in _listed(copy)
            ],
            "absent": [
                {"source": one.source, "part": one.part, "title": one.title, "why": one.why, "words": one.words}
                for one in copy.absent
            ],
        }
        archive.writestr("manifest.json", _json(manifest))
        for source, part in _listed(copy):
            archive.writestr(_file(source, part), _json(part.rows))
    return written.getvalue()


def _listed(copy: Copy) -> list[tuple[str, PersonPart]]:
    return [(source, part) for source, parts in copy.parts.items() for part in parts]


def _file(source: str, part: PersonPart) -> str:
    return f"{source}/{part.name}.json"


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value, enc_hook=_encoded))


def _encoded(value: Any) -> Any:  # noqa: ANN401 - whatever a plugin's row holds
    return base64.b64encode(bytes(value)).decode() if isinstance(value, bytes | memoryview) else str(value)


def _page(copy: Copy, timezone: str, categories: Sequence[RetentionCategory]) -> str:
    # Autoescape: names and texts in here were written by others.
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    zone = ZoneInfo(timezone)

    def shown(value: object) -> str:
        match value:
            case bool() | None:
                return " · ".join(filter(None, (_WORDS[value].zh, _WORDS[value].en)))
            case datetime():
                return f"{value.astimezone(zone):%Y-%m-%d %H:%M:%S}"
            case date() | int() | float() | str():
                return str(value)
            case Text():
                return f"{value.zh} · {value.en}"
            case _:
                return msgspec.json.encode(value, enc_hook=_encoded).decode()

    source = resources.files("gongyu.people.rights").joinpath("copy_page.html").read_text("utf-8")
    template = environment.from_string(source)
    return template.render(copy=copy, shown=shown, readers=_READERS, categories=categories)
