"""PostgreSQL refuses to run as root, rightly. When we are root it runs as somebody else, who must get at its files.

The wheel's own answer opens every folder above the data and the programs to everybody, /root included. Here the data
need no way at all (`cluster.HERE`), and where the programs cannot be reached one account gets the right to pass through
(not to list) the folders above them, by an access control list (acl(5)); nobody else gets anything.
"""

import os
import pwd
import shutil
import stat
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gongyu.database.data_folder import refusal

__all__ = ["Account", "account_for", "let_in", "may_enter", "may_run"]

NAME = "gongyu"
ACCESS = "system.posix_acl_access"
# linux/posix_acl_xattr.h: a version, then (tag, permissions, id) in the order of the tags.
USER_OBJ, USER, GROUP_OBJ, MASK, OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
VERSION, NOBODY, EXECUTE = 2, 0xFFFFFFFF, 1


class Account(NamedTuple):
    uid: int
    gid: int

    @property
    def name(self) -> str:
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return str(self.uid)


def account_for(folder: Path, cluster: Path) -> Account | None:
    """As whom the database runs; None says: as ourselves.

    What exists decides, so that root and an ordinary user can take turns: the owner of the database, else the owner of
    the data folder, else an account of our own.
    """
    if os.geteuid() != 0:
        return None
    if cluster.exists() and (owner := cluster.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)  # by number: a new container may have lost the name
    try:
        found = pwd.getpwuid(folder.stat().st_uid)
    except KeyError:
        found = None
    if found is None or found.pw_uid == 0:
        found = _lookup(NAME) or _make() or _lookup("nobody")
    if found is None:
        raise refusal(
            zh="PostgreSQL 不能以 root 身份运行，而系统用户 {name} 不存在也无法建立。"
            "请执行 useradd --system {name}，或以普通用户运行。",
            en="PostgreSQL does not run as root, and the system user {name} neither exists nor can be made. "
            "Run useradd --system {name}, or run Gongyu as an ordinary user.",
            name=NAME,
        )
    return Account(found.pw_uid, found.pw_gid)


def _lookup(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _make() -> pwd.struct_passwd | None:
    if (useradd := shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")) is None:
        return None
    options = ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"]
    subprocess.run([useradd, *options, NAME], check=False, capture_output=True)  # noqa: S603 - no outside input
    return _lookup(NAME)  # also when another process was faster


def may_enter(folder: Path, account: Account) -> bool:
    return _succeeds(["/bin/sh", "-c", 'cd -- "$1"', "sh", str(folder)], account)


def may_run(program: Path, account: Account) -> bool:
    return _succeeds([str(program), "--version"], account)


def _succeeds(command: Sequence[str], account: Account) -> bool:
    """Asking the kernel by doing it: mount options, lists and security modules all have a word in this."""
    try:
        return not subprocess.run(  # noqa: S603 - paths of ours, no shell reads them as code
            command, check=False, capture_output=True, cwd="/", user=account.uid, group=account.gid, extra_groups=[]
        ).returncode
    except PermissionError:
        return False


def let_in(folder: Path, account: Account) -> None:
    """Let the account pass through `folder` and the folders above it; what cannot be changed is left as it is."""
    if sys.platform != "linux":
        return
    for at in reversed((folder, *folder.parents)):
        mode = at.stat().st_mode
        if mode & stat.S_IXOTH:
            continue
        try:
            entries = _entries(at, mode)
            entries[USER, account.uid] = entries.get((USER, account.uid), 0) | EXECUTE
            entries[MASK, NOBODY] = entries.get((MASK, NOBODY), entries[GROUP_OBJ, NOBODY]) | EXECUTE
            packed = [struct.pack("<HHI", tag, entries[tag, who], who) for tag, who in sorted(entries)]
            os.setxattr(at, ACCESS, struct.pack("<I", VERSION) + b"".join(packed))
        except OSError:
            return  # the caller tries again and says which folder is in the way


def _entries(folder: Path, mode: int) -> dict[tuple[int, int], int]:
    if sys.platform == "linux" and ACCESS in os.listxattr(folder):
        packed = os.getxattr(folder, ACCESS)
        return {(tag, who): allowed for tag, allowed, who in struct.iter_unpack("<HHI", packed[4:])}
    return {
        (USER_OBJ, NOBODY): mode >> 6 & 7,
        (GROUP_OBJ, NOBODY): mode >> 3 & 7,
        (OTHER, NOBODY): mode & 7,
    }
