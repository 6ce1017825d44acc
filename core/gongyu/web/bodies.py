"""Bodies are read as they are: "10" is a text, and no number."""

from typing import Any

import msgspec
from litestar import Request
from litestar.exceptions import ClientException, SerializationException, ValidationException

__all__ = ["strict_body"]


async def strict_body(request: Request[Any, Any, Any]) -> None:
    """Before the handler: Litestar converts a body as leniently as a query parameter, where all is text, and would take
    "10" for ten and "true" for yes.

    Raises:
        ValidationException: A field of another type than the Struct says.
        ClientException: Bytes that are no text.
    """
    field = request.route_handler.parsed_data_field
    if field is None or not field.is_subclass_of(msgspec.Struct) or "json" not in request.content_type[0]:
        return
    body = await request.body()
    try:
        body.decode()
    except UnicodeDecodeError as error:  # Litestar would let it through to the operator's log, as a fault of ours
        raise ClientException("the body is no UTF-8") from SerializationException(str(error))
    try:
        msgspec.json.decode(body, type=field.annotation)
    except msgspec.ValidationError as error:
        await request.json()  # kept with the request, for the list of all wrong fields
        said = {"source": "body", "key": "", "message": str(error)}
        raise ValidationException("the body does not fit", extra=[said]) from error
    except msgspec.DecodeError:
        return  # no JSON, or none at all: said where it is read for the handler
