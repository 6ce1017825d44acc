"""The folder in which one deployment keeps its embedded database: whose it is, and who is in it.

Every lock here is a `flock`: the kernel drops it with the last process that holds it, so nothing a kill -9 leaves
behind can ever be taken for a living user. (A file with a pid in it can: the number is given out again.)
"""

import contextlib
import fcntl
import os
import pwd
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from gongyu.text import Text, language_of_environment

__all__ = ["DataFolderError", "alone", "claim", "open_file", "refusal", "serve_lock", "try_lock", "usable"]

FORMAT = 1
MARKER = "gongyu.json"
MOMENT = 30.0  # seconds, for what takes none
# What may lie in a folder before its marker does: our locks, and what a file system puts into its own root.
NEUTRAL = frozenset({"start.lock", "users.lock", "serve.lock", "lost+found", f"{MARKER}.new"})


class DataFolderError(Exception):
    """The data folder cannot be used; `text` says why and what to do about it."""

    def __init__(self, text: Text) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return self.text.pick(language_of_environment())


class Marker(msgspec.Struct):
    """`gongyu.json`: that the folder is ours, and the format of what lies in it."""

    format: int


def refusal(*, zh: str, en: str, **values: object) -> DataFolderError:
    return DataFolderError(Text(zh=zh, en=en).format(**values))


def claim(data: Path) -> Path:
    """The folder's real path, once it is known to be ours; an empty or missing one is made ours.

    Call it before anything else is put into the folder: a folder with contents and without our marker is refused.
    """
    folder = data.expanduser().absolute()
    with usable(folder):
        folder = folder.resolve()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        names = {entry.name for entry in folder.iterdir()}
        if MARKER in names:
            _check_marker(folder / MARKER)
        elif names - NEUTRAL:
            raise refusal(
                zh="数据目录 {folder} 不是共育建立的：里面有 {name}，却没有 {marker}。"
                "请用 GONGYU_DATA 指定一个空目录或新目录。",
                en="{folder} was not made by Gongyu: it holds {name} but no {marker}. "
                "Point GONGYU_DATA to an empty or a new folder.",
                folder=folder,
                name=min(names - NEUTRAL),
                marker=MARKER,
            )
        else:
            with alone(folder, patience=MOMENT):
                _write_marker(folder)
    return folder


@contextlib.contextmanager
def usable(folder: Path) -> Iterator[None]:
    """Whatever the system refuses (permissions, a read-only or full disk, a file in the way), said clearly."""
    try:
        yield
    except (OSError, RuntimeError) as error:  # pathlib calls a circle of links a RuntimeError
        raise refusal(
            zh="数据目录 {folder} 无法使用：{error}（所有者：{owner}）。"
            "请以所有者身份运行、修改权限或清理磁盘，或用 GONGYU_DATA 换一个目录。",
            en="The data folder {folder} cannot be used: {error} (owner: {owner}). "
            "Run as its owner, change its permissions or make room, or choose another folder with GONGYU_DATA.",
            folder=folder,
            error=error,
            owner=_owner(folder),
        ) from error


def _check_marker(path: Path) -> None:
    try:
        marker = msgspec.json.decode(path.read_bytes(), type=Marker)
    except msgspec.DecodeError as error:
        raise refusal(
            zh='文件 {path} 已损坏（{error}）。应为 {{"format": {format}}}；请从备份恢复它。',
            en='{path} is damaged ({error}). Expected {{"format": {format}}}; restore it from a backup.',
            path=path,
            error=error,
            format=FORMAT,
        ) from error
    if marker.format > FORMAT:
        raise refusal(
            zh="数据目录由更新版本的共育建立（{path} 的格式为 {found}，本版本只认识到 {format}）。"
            "请升级：pip install -U gongyu。",
            en="The data folder was made by a newer Gongyu ({path} has format {found}, this one knows up to {format}). "
            "Upgrade: pip install -U gongyu.",
            path=path,
            found=marker.format,
            format=FORMAT,
        )


def _write_marker(folder: Path) -> None:
    if (folder / MARKER).exists():
        return  # somebody else's first start was faster
    with open_file(folder / f"{MARKER}.new") as new:
        os.ftruncate(new, 0)
        os.pwrite(new, msgspec.json.encode(Marker(format=FORMAT)) + b"\n", 0)
        os.fsync(new)
    (folder / f"{MARKER}.new").rename(folder / MARKER)


def _owner(path: Path) -> str:
    """Who must run us: the owner of the folder, or of the nearest one above it that we may look at."""
    for at in (path, *path.parents):
        with contextlib.suppress(OSError):
            uid = at.stat().st_uid
            try:
                return pwd.getpwuid(uid).pw_name
            except KeyError:
                return str(uid)
    return "?"


@contextlib.contextmanager
def open_file(path: Path, *, flags: int = 0) -> Iterator[int]:
    """A descriptor of a file of the folder, made if need be; no child inherits it (PEP 446).

    What root makes in an ordinary user's folder is given to that user, who could else not start any more. The folder is
    under the control of that user, so links are not followed and only a file we made ourselves is given away.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CREAT | os.O_EXCL | flags, 0o600)
    except FileExistsError:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CREAT | flags, 0o600)
    else:
        if os.geteuid() == 0:
            folder = path.parent.stat()
            os.fchown(descriptor, folder.st_uid, folder.st_gid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def try_lock(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise refusal(
            zh="数据目录所在的文件系统不支持文件锁（{error}）。请用 GONGYU_DATA 指定本机磁盘上的目录。",
            en="The file system of the data folder has no file locks ({error}). "
            "Choose a folder on a local disk with GONGYU_DATA.",
            error=error,
        ) from error
    return True


@contextlib.contextmanager
def alone(folder: Path, *, patience: float) -> Iterator[None]:
    """Only one process at a time starts or stops the database."""
    with open_file(folder / "start.lock") as descriptor:
        deadline = time.monotonic() + patience
        while not try_lock(descriptor):
            if time.monotonic() > deadline:
                raise refusal(
                    zh="另一个进程正在启动或停止 {folder} 中的数据库，已等待 {patience:.0f} 秒。"
                    "请查看 {folder}/postgresql.log。",
                    en="Another process has been starting or stopping the database in {folder} for {patience:.0f} s. "
                    "See {folder}/postgresql.log.",
                    folder=folder,
                    patience=patience,
                )
            time.sleep(0.01)
        yield


@contextlib.contextmanager
def serve_lock(data: Path) -> Iterator[None]:
    """One `gongyu serve` per data folder; the second is told the pid of the first."""
    folder = claim(data)
    with open_file(folder / "serve.lock") as descriptor:
        if not try_lock(descriptor):
            raise refusal(
                zh="数据目录 {folder} 已有一个 gongyu serve 在运行（进程号 {pid}）。"
                "请先停止它，或用 GONGYU_DATA 指定另一个目录。",
                en="A gongyu serve already runs on {folder} (pid {pid}). "
                "Stop it first, or choose another folder with GONGYU_DATA.",
                folder=folder,
                pid=os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "?",
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
