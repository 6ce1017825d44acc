"""Our own keys in the ASGI scope, which its type does not know."""

from collections.abc import Mapping, MutableMapping
from typing import Any, Final, cast

__all__ = ["CALL", "REQUEST_ID", "extras", "header"]

#: The request's id; it is also sent back as `X-Request-Id` and stands in the log line.
REQUEST_ID: Final = "gongyu.request_id"
#: The request's `Call`, once it has passed the gate.
CALL: Final = "gongyu.call"


def extras(scope: Mapping[str, Any]) -> MutableMapping[str, Any]:
    return cast("MutableMapping[str, Any]", scope)


def header(scope: Mapping[str, Any], name: bytes) -> str | None:
    """The first header of this name, in small letters: a look at a few is cheaper than Litestar's mapping of all."""
    for key, value in scope["headers"]:
        if key == name:
            found: str = value.decode("latin-1")
            return found
    return None
