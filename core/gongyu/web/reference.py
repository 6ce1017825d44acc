"""The API reference for people: one page rendered here, with our own style sheet and no script.

It is made of the same document that generators read, so it cannot say anything else.
"""

import hashlib
from collections.abc import Mapping
from importlib import resources
from typing import Any, Final

import jinja2
import msgspec

from gongyu.plugin import District
from gongyu.text import Language
from gongyu.web.problems import CATALOGUE
from gongyu.web.reference_page import groups_of, prose
from gongyu.web.reference_words import WORDS

__all__ = ["ASSETS", "Asset", "asset", "render"]


class Asset(msgspec.Struct, frozen=True):
    """A file of the page; its name carries its content's hash, so that it may be cached for ever."""

    name: str
    media_type: str
    content: bytes


def _read(file: str, media_type: str) -> Asset:
    content = (resources.files("gongyu.web") / "static" / file).read_bytes()
    stem, _, suffix = file.partition(".")
    return Asset(f"{stem}.{hashlib.sha256(content).hexdigest()[:10]}.{suffix}", media_type, content)


ASSETS: Final[Mapping[str, Asset]] = {
    "reference.css": _read("reference.css", "text/css"),
    "icon.svg": _read("icon.svg", "image/svg+xml"),
}

_PAGES: Final = jinja2.Environment(
    loader=jinja2.PackageLoader("gongyu.web"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def asset(file: str) -> Asset | None:
    return ASSETS.get(file)


def render(document: Mapping[str, Any], *, district: District | None, language: Language) -> bytes:
    """The page of a document.

    Args:
        document: A finished one.
        district: Whose it is; None for the whole.
        language: What the page speaks.
    """
    base = f"/api/v1/{district.slug}" if district else ""
    page = _PAGES.get_template("reference.html").render(
        info=document["info"],
        groups=groups_of(document, language),
        problems={name: (kind.status, kind.title.pick(language)) for name, kind in CATALOGUE.items()},
        slug=district.slug if district else "ezhou",
        base=base,
        whole=district is None,
        language=language,
        words={name: text.pick(language) for name, text in WORDS.items()},
        prose=prose,
        style=f"/docs/assets/{ASSETS['reference.css'].name}",
        icon=f"/docs/assets/{ASSETS['icon.svg'].name}",
    )
    return page.encode()
