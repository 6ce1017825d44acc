"""Opens what an operator hands over (a zip, a folder, a single file) without trusting it.

Nothing is unpacked to disk, so a path trick could not write anywhere; a zip that tries one is refused all the same.
Sizes are checked before reading (ASVS 5.0 5.2.3) and again while reading: the directory of a zip can lie.
"""

import copy
import io
import lzma
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from msgspec import Struct

from gongyu.people.roster.findings import Findings

__all__ = ["UNREADABLE", "Limits", "Member", "Package", "content", "open_package", "sound_zip", "true_chunks"]

UNREADABLE = (
    OSError,
    EOFError,
    NotImplementedError,  # zipfile: a compression method it does not know
    RuntimeError,  # zipfile: a password is needed
    ValueError,  # zipfile: dates and names that cannot be
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
)
"""What reading a damaged or hostile zip may raise."""

_JUNK = re.compile(r"^(?:\..*|~\$.*|thumbs\.db|desktop\.ini|__MACOSX)$", re.IGNORECASE)
_UTF8_NAME = 0x800  # general purpose bit 11: the name is UTF-8 (APPNOTE 4.4.4)
_ENCRYPTED = 0x1
_MEGABYTE = 1 << 20


class Limits(Struct, frozen=True):
    """A roster of 300,000 people is some 200 MB of CSV, which compresses 5 to 30 times."""

    files: int = 500
    total: int = 1024 * _MEGABYTE
    ratio: int = 200
    ratio_from: int = 10 * _MEGABYTE  # a short file of equal rows compresses well and harms nobody


class Member(Struct, frozen=True):
    name: str
    """The path inside the package, with `/`."""
    open: Callable[[], IO[bytes]]

    @property
    def base(self) -> str:
        return self.name.rpartition("/")[2]


class Package(Struct, frozen=True):
    name: str
    members: tuple[Member, ...] = ()
    zipped: bool = False


@contextmanager
def open_package(path: Path, findings: Findings, *, limits: Limits | None = None) -> Iterator[Package]:
    """The files in it; an empty package when it had to be refused, and the findings say why."""
    limits = limits or Limits()
    with ExitStack() as stack:
        try:
            package = _opened(path, findings, limits, stack)
        except UNREADABLE as error:
            findings.add("path_unreadable", file=path.name, reason=type(error).__name__)
            package = Package(path.name)
        yield package


def _opened(path: Path, findings: Findings, limits: Limits, stack: ExitStack) -> Package:
    if not path.exists():
        findings.add("path_missing", file=path.name)
        return Package(path.name)
    before = findings.count
    if path.is_dir():
        package = Package(path.name, _folder(path, findings, limits))
    elif path.stat().st_size > limits.total:
        findings.add("package_size", file=path.name, limit=limits.total // _MEGABYTE)
        return Package(path.name)
    elif (book := _zip(path, findings, stack)) is None:
        package = (
            Package(path.name, (Member(path.name, lambda: path.open("rb")),))
            if findings.count == before
            else Package(path.name)
        )
    else:
        package = Package(path.name, _entries(book, path.name, findings, limits), zipped=True)
    if not package.members and findings.count == before:
        findings.add("package_empty", file=path.name)
    return package


def _folder(folder: Path, findings: Findings, limits: Limits) -> tuple[Member, ...]:
    found: list[Path] = []
    total = 0
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _JUNK.match(name))
        for name in sorted(folders + files):
            path = Path(here, name)
            if path.is_symlink():  # it may point to anything this process can read
                findings.add("path_link", file=path.relative_to(folder).as_posix())
            elif path.is_file() and not _JUNK.match(name):
                found.append(path)
                total += path.stat().st_size
        if len(found) > limits.files:
            findings.add("package_files", file=folder.name, count=len(found), limit=limits.files)
            return ()
    if total > limits.total:
        findings.add("package_size", file=folder.name, limit=limits.total // _MEGABYTE)
        return ()
    return tuple(Member(path.relative_to(folder).as_posix(), _opener(path)) for path in found)


def _opener(path: Path) -> Callable[[], IO[bytes]]:
    return lambda: path.open("rb")


def _zip(path: Path, findings: Findings, stack: ExitStack) -> zipfile.ZipFile | None:
    """The zip, or None for any other file: a workbook is a zip too, but one document."""
    with path.open("rb") as file:
        if file.read(2) != b"PK":
            return None
    try:
        book = stack.enter_context(zipfile.ZipFile(path))
    except UNREADABLE:
        findings.add("zip_broken", file=path.name)
        return None
    return None if "[Content_Types].xml" in book.NameToInfo else book


def _entries(book: zipfile.ZipFile, name: str, findings: Findings, limits: Limits) -> tuple[Member, ...]:
    if not sound_zip(book.infolist(), name, findings, limits):
        return ()
    members = []
    for info in book.infolist():
        shown = _display(info)
        if info.is_dir() or any(_JUNK.match(part) for part in shown.split("/")):
            continue
        if shown.lower().endswith((".zip", ".7z", ".rar", ".gz", ".tar")):
            findings.add("zip_nested", file=shown)
            continue
        members.append(Member(shown, _entry_opener(book, info)))
    return tuple(members)


def _entry_opener(book: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    return lambda: book.open(info)


def _display(info: zipfile.ZipInfo) -> str:
    """Chinese Windows writes names in GBK without saying so; zipfile then assumes the DOS code page 437."""
    if info.flag_bits & _UTF8_NAME or info.filename.isascii():
        return info.filename
    try:
        return info.filename.encode("cp437").decode("gb18030")
    except UnicodeError:
        return info.filename


def sound_zip(infos: Sequence[zipfile.ZipInfo], name: str, findings: Findings, limits: Limits) -> bool:
    """Whether its directory promises nothing dangerous; the first reason against it is a finding."""
    if len(infos) > limits.files:
        findings.add("package_files", file=name, count=len(infos), limit=limits.files)
    elif any(_unsafe(info) for info in infos):
        findings.add("zip_path", file=name)
    elif any(info.flag_bits & _ENCRYPTED for info in infos):
        findings.add("zip_encrypted", file=name)
    elif sum(info.file_size for info in infos) > limits.total:
        findings.add("package_size", file=name, limit=limits.total // _MEGABYTE)
    elif any(
        info.file_size > limits.ratio_from and info.file_size > limits.ratio * max(info.compress_size, 1)
        for info in infos
    ):
        findings.add("zip_ratio", file=name, limit=limits.ratio)
    else:
        return True
    return False


def _unsafe(info: zipfile.ZipInfo) -> bool:
    name = info.orig_filename  # zipfile itself rewrites backslashes and cuts at a NUL
    return (
        "\\" in name
        or "\0" in name
        or name.startswith("/")
        or re.match(r"[A-Za-z]:", name) is not None
        or ".." in PurePosixPath(name).parts
        or stat.S_ISLNK(info.external_attr >> 16)
    )


def true_chunks(book: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """The entry's bytes; more than its directory promised is an error.

    zipfile stops at the promised size, but the workbook reader, which gets the same file, may not.
    """
    probe = copy.copy(info)
    probe.file_size = info.file_size + 1
    size = 0
    with book.open(probe) as entry:
        while chunk := entry.read(_MEGABYTE):
            size += len(chunk)
            if size > info.file_size:
                raise zipfile.BadZipFile(f"{info.filename}: longer than promised")
            yield chunk


def content(member: Member, limit: int) -> io.BytesIO:
    """The whole member in memory, for the workbook reader, which must seek."""
    with member.open() as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise zipfile.BadZipFile(f"{member.name}: larger than {limit}")
    return io.BytesIO(data)
