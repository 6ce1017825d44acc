"""Our own keys in the ASGI scope, which its type does not know."""

from collections.abc import Mapping, MutableMapping
from typing import Any, Final, cast

__all__ = ["CALL", "REQUEST_ID", "extras"]

#: The request's id; it is also sent back as `X-Request-Id` and stands in the log line.
REQUEST_ID: Final = "gongyu.request_id"
#: The request's `Call`, once it has passed the gate.
CALL: Final = "gongyu.call"


def extras(scope: Mapping[str, Any]) -> MutableMapping[str, Any]:
    return cast("MutableMapping[str, Any]", scope)
