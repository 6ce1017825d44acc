"""The districts' keys, kept outside the database so that a dump of it tells nothing.

One root secret is made once and backed up once: every district's first key and its hashing key are derived from it
(HKDF, RFC 5869). A rotation gives one district a fresh key of its own and changes nobody else's. Text is sealed with
AES-256-GCM (NIST SP 800-38D); the envelope names algorithm and key version, so that old text stays readable and a
district under 国密 rules can be moved to SM4 later.
"""

import base64
import binascii
import fcntl
import hashlib
import hmac
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn, Self

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gongyu.config import Config
from gongyu.text import Text

__all__ = ["KeyRing", "KeysError", "SealBrokenError"]

_ALGORITHM: Final = b"a256gcm"
_BYTES: Final = 32
_NONCE: Final = 12


class KeysError(Exception):
    """The keys cannot be used; the text says what to do and never shows one."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


class SealBrokenError(Exception):
    """This text was not sealed by this district for this purpose, or it was changed since."""


class _Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The key file. `districts` holds what rotations added: slug → version (from 2 on) → key."""

    root: bytes
    districts: dict[str, dict[int, bytes]] = {}

    def __repr__(self) -> str:
        return "<keys>"  # a traceback with its variables may end up in a log

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []


class _Stamp(NamedTuple):
    inode: int
    changed: int


class KeyRing:
    """Encrypts and hashes for each district. Every use looks whether another process has rotated a key meanwhile."""

    def __init__(self, keys: _Keys, *, file: Path | None) -> None:
        self._file = file
        self._stamp: _Stamp | None = None
        self._use(keys)

    @classmethod
    def load(cls, config: Config, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the keys: from `GONGYU_KEYS` (the root alone, or the text of a key file), else from `keys.json`.

        The file is made at first use, readable by its owner only.

        Raises:
            KeysError: With words for the operator.
        """
        if given := environment.get("GONGYU_KEYS", "").strip():
            return cls(_from_environment(given), file=None)
        file = config.data / "keys.json"
        if not file.exists():
            with _alone(file):
                if not file.exists():  # another process may have been faster
                    _write(file, _Keys(root=secrets.token_bytes(_BYTES)))
        ring = cls(_read(file), file=file)
        ring._stamp = _stamp(file)
        return ring

    def encrypt(self, slug: str, plaintext: bytes, *, context: bytes) -> bytes:
        """Seal a text of a district.

        Args:
            slug: The district.
            plaintext: What nobody may read in the database.
            context: What it is and whose, such as `b"person.phone:<id>"`: sealed text moved elsewhere does not open.
        """
        self._renew()
        version = self.version(slug)
        head = b"%s.%d." % (_ALGORITHM, version)
        nonce = os.urandom(_NONCE)
        return head + nonce + self._cipher(slug, version).encrypt(nonce, plaintext, _bound(head, slug, context))

    def decrypt(self, slug: str, sealed: bytes, *, context: bytes) -> bytes:
        """Open what `encrypt` sealed for the same district and context.

        Raises:
            SealBrokenError: Changed, moved, or sealed for somebody else.
            KeysError: Its key is not on this ring.
        """
        self._renew()
        algorithm, _, rest = sealed.partition(b".")
        number, _, body = rest.partition(b".")
        if algorithm != _ALGORITHM or not number.isdigit() or len(number) > 6 or len(body) < _NONCE:  # noqa: PLR2004 - no ring has a million keys
            raise SealBrokenError("not a sealed text")
        head = sealed[: len(sealed) - len(body)]
        try:
            return self._cipher(slug, int(number)).decrypt(body[:_NONCE], body[_NONCE:], _bound(head, slug, context))
        except InvalidTag:
            raise SealBrokenError("sealed for another purpose or district, or changed") from None

    def keyed_hash(self, slug: str, value: bytes, *, purpose: bytes) -> bytes:
        """Find the same value again without storing it: HMAC-SHA256. It stays the same when encryption keys rotate."""
        if slug not in self._hashing:
            self._hashing[slug] = hmac.new(_derive(self._keys.root, f"hash {slug}"), digestmod=hashlib.sha256)
        keyed = self._hashing[slug].copy()
        keyed.update(len(purpose).to_bytes(2, "big") + purpose + value)
        return keyed.digest()

    def version(self, slug: str) -> int:
        """The version new text of a district is sealed with."""
        return max(self._keys.districts.get(slug, ()), default=1)

    def is_current(self, slug: str, sealed: bytes) -> bool:
        """Whether a sealed text has the newest key already; what has not is to be sealed again after a rotation."""
        self._renew()
        return sealed.startswith(b"%s.%d." % (_ALGORITHM, self.version(slug)))

    def rotate(self, slug: str) -> int:
        """Give a district a fresh key; texts sealed with earlier ones can still be opened.

        Returns:
            The new version.

        Raises:
            KeysError: The keys come from the environment, which cannot be written.
        """
        if self._file is None:
            raise KeysError(
                Text(
                    zh="密钥来自环境变量 GONGYU_KEYS，无法在此轮换；"
                    "请在其中的 districts.{slug} 添加版本 {version}（32 字节，base64）",
                    en="the keys come from the environment variable GONGYU_KEYS and cannot be rotated here; "
                    "add version {version} (32 bytes in base64) to districts.{slug} in it",
                ).format(slug=slug, version=self.version(slug) + 1)
            )
        with _alone(self._file):
            keys = _read(self._file)
            own = keys.districts.get(slug, {})
            version = max(own, default=1) + 1
            districts = {**keys.districts, slug: {**own, version: secrets.token_bytes(_BYTES)}}
            _write(self._file, _Keys(root=keys.root, districts=districts))
        self._renew()
        return version

    def _use(self, keys: _Keys) -> None:
        self._keys = keys
        self._ciphers: dict[tuple[str, int], AESGCM] = {}
        self._hashing: dict[str, hmac.HMAC] = {}

    def _renew(self) -> None:
        if self._file is None:
            return
        try:
            stamp = _stamp(self._file)
        except FileNotFoundError:
            return  # what was read stays good; the next start will say it
        if stamp != self._stamp:
            self._use(_read(self._file))
            self._stamp = stamp

    def _cipher(self, slug: str, version: int) -> AESGCM:
        if (slug, version) not in self._ciphers:
            self._ciphers[slug, version] = AESGCM(self._key(slug, version))
        return self._ciphers[slug, version]

    def _key(self, slug: str, version: int) -> bytes:
        if version == 1:
            return _derive(self._keys.root, f"encrypt {slug}")
        try:
            return self._keys.districts[slug][version]
        except KeyError:
            raise KeysError(
                Text(
                    zh="区县 {slug} 的第 {version} 版密钥不在密钥文件里；请从备份恢复 keys.json",
                    en="version {version} of the key of {slug} is not in the key file; restore keys.json from a backup",
                ).format(slug=slug, version=version)
            ) from None


def _derive(root: bytes, info: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=_BYTES, salt=b"gongyu", info=info.encode()).derive(root)


def _bound(head: bytes, slug: str, context: bytes) -> bytes:
    """What is authenticated with the text; no two different triples read the same, since a slug holds no dot."""
    return head + slug.encode() + b"." + context


def _from_environment(given: str) -> _Keys:
    if given.startswith("{"):
        return _checked(given.encode(), "GONGYU_KEYS")
    try:
        root = base64.b64decode(given, validate=True)
    except binascii.Error:
        root = b""
    if len(root) != _BYTES:
        _refuse("GONGYU_KEYS")
    return _Keys(root=root)


def _read(file: Path) -> _Keys:
    try:
        mode = file.stat().st_mode
        content = file.read_bytes()
    except OSError as error:
        raise KeysError(
            Text(zh="读不了密钥文件 {file}：{error}", en="the key file {file} cannot be read: {error}").format(
                file=file, error=error.strerror
            )
        ) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeysError(
            Text(
                zh="密钥文件 {file} 别人也能访问；请执行 chmod 600 {file}",
                en="others can get at the key file {file}; run chmod 600 {file}",
            ).format(file=file)
        )
    return _checked(content, str(file))


def _checked(content: bytes, place: str) -> _Keys:
    try:
        keys = msgspec.json.decode(content, type=_Keys)
    except msgspec.DecodeError:  # its message could quote what it read
        _refuse(place)
    rotated = [(number, key) for own in keys.districts.values() for number, key in own.items()]
    if len(keys.root) != _BYTES or any(number < 2 or len(key) != _BYTES for number, key in rotated):  # noqa: PLR2004 - version 1 is derived
        _refuse(place)
    return keys


def _refuse(place: str) -> NoReturn:
    raise KeysError(
        Text(
            zh="{place} 不是密钥：需要 32 字节的 base64，或原样的 keys.json 内容",
            en="{place} holds no keys: 32 bytes in base64 are needed, or the unchanged text of a keys.json",
        ).format(place=place)
    )


def _stamp(file: Path) -> _Stamp:
    found = file.stat()
    return _Stamp(found.st_ino, found.st_mtime_ns)


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """One process at a time makes or changes the file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(file.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _write(file: Path, keys: _Keys) -> None:
    """Whole or not at all, also when the power fails: a lost key is lost data."""
    descriptor, name = tempfile.mkstemp(prefix=".keys-", dir=file.parent)  # made with 0600
    try:
        with os.fdopen(descriptor, "wb") as written:
            written.write(msgspec.json.format(msgspec.json.encode(keys), indent=2) + b"\n")
            written.flush()
            os.fsync(written.fileno())
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
