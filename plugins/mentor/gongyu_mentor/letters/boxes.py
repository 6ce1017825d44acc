"""Envelopes that only their recipients' keys open: each office has a key pair, and so has each writer.

A text is sealed once with a key of its own (AES-256-GCM), and that key once for every recipient with HPKE (RFC 9180:
X25519, HKDF-SHA256, AES-256-GCM). Whoever writes needs public keys only, so not even sending a letter takes a key that
could read one. To read, a private key is needed: an office's is kept sealed with the district's keys, which are not in
the database, and is only ever loaded by asking for the offices a reader holds (`offices.private_keys`); an anonymous
writer's is made from the receipt code and kept nowhere. So another office cannot open a letter through the
application, however wrong a query may be: the key it would come with does not fit.

The context (which letter, which message) is authenticated with the text: an envelope moved elsewhere does not open.
"""

import os
from collections.abc import Mapping
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gongyu.access.keys import SealBrokenError

__all__ = ["WRITER", "new_pair", "opened", "pair_of", "sealed"]

#: The writer among the recipients; offices go by the id of their key.
WRITER: Final = "writer"
_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_NONCE: Final = 12


class _Envelope(msgspec.Struct, frozen=True, array_like=True):
    keys: dict[str, bytes]
    nonce: bytes
    text: bytes


def new_pair() -> tuple[bytes, bytes]:
    """A private and a public key, raw."""
    private = X25519PrivateKey.generate()
    return private.private_bytes_raw(), private.public_key().public_bytes_raw()


def pair_of(secret: str) -> tuple[bytes, bytes]:
    """The pair that a receipt code makes: the same code, the same pair. The code's 100 random bits need no salt."""
    raw = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"gongyu letter writer").derive(secret.encode())
    private = X25519PrivateKey.from_private_bytes(raw)
    return raw, private.public_key().public_bytes_raw()


def sealed(text: str, *, to: Mapping[str, bytes], context: str) -> bytes:
    """Seal a text for some recipients.

    Args:
        text: What nobody else may read.
        to: Their public keys, by name.
        context: Where the envelope belongs, such as `letter:<id>:1`.
    """
    key, nonce, bound = AESGCM.generate_key(256), os.urandom(_NONCE), context.encode()
    keys = {name: _SUITE.encrypt(key, X25519PublicKey.from_public_bytes(public), bound) for name, public in to.items()}
    return msgspec.msgpack.encode(_Envelope(keys, nonce, AESGCM(key).encrypt(nonce, text.encode(), bound)))


def opened(envelope: bytes, *, keys: Mapping[str, bytes], context: str) -> str | None:
    """The text, with whichever of these private keys is a recipient's; None when none is.

    Raises:
        SealBrokenError: Changed, or moved here from elsewhere.
    """
    found = msgspec.msgpack.decode(envelope, type=_Envelope)
    mine = next((name for name in found.keys if name in keys), None)
    if mine is None:
        return None
    bound, private = context.encode(), X25519PrivateKey.from_private_bytes(keys[mine])
    try:
        key = _SUITE.decrypt(found.keys[mine], private, bound)
        return AESGCM(key).decrypt(found.nonce, found.text, bound).decode()
    except InvalidTag:
        raise SealBrokenError("sealed for another letter, or changed") from None
