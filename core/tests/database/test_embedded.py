import contextlib
import json
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from gongyu.database.embedded import DataFolderError, Embedded, serve_lock, start
from gongyu.database.system_user import Account, let_in, may_run

USER = """
import ctypes, sys
from pathlib import Path
from gongyu.database.embedded import start
if "reaps-nothing" in sys.argv:
    ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: orphans stay zombies, as in a container without init
with start(Path(sys.argv[1])) as database:
    print("up", flush=True)
    sys.stdin.read()
"""
SERVER = """
import sys
from pathlib import Path
from gongyu.database.embedded import serve_lock
with serve_lock(Path(sys.argv[1])):
    print("up", flush=True)
    sys.stdin.read()
"""

Process = subprocess.Popen[str]
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def sql(database: Embedded, statement: str) -> str:
    url = make_url(database.url)
    command = [str(database.bin / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", str(url.query["host"])]
    command += ["-U", str(url.username), "-d", str(url.database), "-c", statement]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603 - ours


def family(data: Path) -> list[psutil.Process]:
    """Every living process of PostgreSQL on this folder, by the name it carries in the process list."""
    inode = data.stat()
    name = f"gongyu.{inode.st_dev:x}.{inode.st_ino:x}."
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.name() == "postgres" and name in " ".join(process.cmdline()):
                found.append(process)
    return found


def postmaster(data: Path) -> psutil.Process:
    return psutil.Process(int((data / "postgresql" / "postmaster.pid").read_text().splitlines()[0]))


@contextlib.contextmanager
def user(data: Path, *words: str, program: str = USER, up: bool = True) -> Iterator[Process]:
    command = [sys.executable, "-c", program, str(data), *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, start_new_session=True) as process:  # noqa: S603 - ours
        try:
            assert process.stdout is not None
            assert not up or process.stdout.readline() == "up\n"
            yield process
        finally:
            process.kill()


def leave(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(20) == 0


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "var"
    yield folder
    if folder.exists():
        kill_all(folder)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "var"
    with start(folder) as database:
        sql(database, "CREATE TABLE promise (word text); INSERT INTO promise VALUES ('共育')")
    return folder


@pytest.fixture
def filled(made: Path, data: Path) -> Path:
    subprocess.run(["/bin/cp", "-a", made, data], check=True)  # noqa: S603 - ours
    return data


def kept(database: Embedded) -> str:
    return sql(database, "SELECT string_agg(word, ',') FROM promise")


async def test_first_start_gives_a_durable_database_on_a_socket_only(data: Path) -> None:
    with start(data) as database:
        engine = create_async_engine(database.url)
        async with engine.connect() as connection:
            names = (
                "listen_addresses fsync synchronous_commit data_checksums server_encoding timezone jit max_connections"
            )
            rows = await connection.execute(
                text("SELECT name, setting FROM pg_settings WHERE lower(name) = ANY(:names)"), {"names": names.split()}
            )
            settings: dict[str, str] = {row.name.lower(): row.setting for row in rows}
            locale = (await connection.execute(text("SELECT datlocale, upper('é') FROM pg_database"))).first()
        await engine.dispose()
        head = postmaster(data)
        assert (os.getsid(head.pid), head.ppid()) != (os.getsid(0), os.getpid())
        assert not database.ensure()
    assert settings == {
        "listen_addresses": "",
        "fsync": "on",
        "synchronous_commit": "on",
        "data_checksums": "on",
        "server_encoding": "UTF8",
        "timezone": "UTC",
        "jit": "off",
        "max_connections": "200",
    }
    assert locale == ("C.UTF-8", "É")
    assert stat.S_IMODE((data / "postgresql").stat().st_mode) == 0o700
    assert json.loads((data / "gongyu.json").read_text()) == {"format": 1}
    assert family(data) == []


def test_failing_statement_leaves_nothing_of_it_in_the_log(filled: Path) -> None:
    with start(filled) as database, pytest.raises(subprocess.CalledProcessError):
        sql(database, "INSERT INTO promise SELECT 'secret of a pupil' WHERE 'secret of a pupil'::int > 0")
    assert "secret of a pupil" not in (filled / "postgresql.log").read_text()


def test_last_of_several_users_stops_it_and_the_others_do_not(filled: Path) -> None:
    with user(filled) as first, user(filled) as second:
        with start(filled) as third:
            head = postmaster(filled)
            leave(first)
            assert kept(third) == "共育"
        assert postmaster(filled) == head
        assert head.is_running()
        leave(second)
    assert family(filled) == []


def test_many_first_users_at_once_make_one_database(data: Path) -> None:
    with contextlib.ExitStack() as users:
        together = [users.enter_context(user(data, up=False)) for _ in range(6)]
        for process in together:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
        assert (data / "postgresql.log").read_text().count("starting PostgreSQL") == 1
        for process in together:
            leave(process)
    assert family(data) == []


def test_killed_user_leaves_it_to_the_next_and_holds_no_pipe_open(filled: Path) -> None:
    with user(filled) as process:
        os.killpg(process.pid, signal.SIGKILL)  # like Ctrl-C, to everything that belongs to the command ...
        assert process.stdout is not None
        assert process.stdout.read() == ""  # ... whose output nobody holds any more
    head = postmaster(filled)
    with start(filled) as database:
        assert postmaster(filled) == head
        assert kept(database) == "共育"
    assert family(filled) == []


def kill(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
            until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)  # noqa: B023 - at once


def kill_postmaster(folder: Path) -> None:
    kill([postmaster(folder)])


def kill_all(folder: Path) -> None:
    kill(family(folder))


def kill_children(folder: Path) -> None:
    kill(set(family(folder)) - {postmaster(folder)})


def terminate(folder: Path) -> None:
    """Of all ways to end it, the one that waits for ever: for its last session."""
    postmaster(folder).terminate()


@pytest.mark.parametrize("blow", [kill_postmaster, kill_all, kill_children, terminate])
def test_next_user_gets_everything_acknowledged_after_a_blow(filled: Path, blow: Callable[[Path], None]) -> None:
    with start(filled) as before:
        url = make_url(before.url)
        session = [str(before.bin / "psql"), "-X", "-h", str(url.query["host"]), "-U", "gongyu", "-c"]
        sleep = [*session, "SELECT pg_sleep(60)"]
        with subprocess.Popen(sleep, stderr=subprocess.DEVNULL) as open_session:  # noqa: S603 - ours
            sql(before, "INSERT INTO promise VALUES ('kept')")
            blow(filled)
            with start(filled) as after:
                assert kept(after) == "共育,kept"
                assert after.url == before.url
            open_session.kill()
        assert kept(before) == "共育,kept"
    assert family(filled) == []


def test_ensure_brings_a_killed_postmaster_back(filled: Path) -> None:
    with start(filled) as database, start(filled) as other:
        kill_postmaster(filled)
        assert [database.ensure(), other.ensure()] == [True, False]
        assert kept(database) == "共育"


def test_corpse_of_the_postmaster_is_not_taken_for_a_living_one(filled: Path) -> None:
    with user(filled, "reaps-nothing"):
        head = postmaster(filled)
        kill_all(filled)
        until(lambda: head.status() == psutil.STATUS_ZOMBIE)
        with start(filled) as database:
            assert kept(database) == "共育"


def test_pid_files_that_name_a_stranger_are_not_believed(filled: Path) -> None:
    with user(filled) as process:
        kill_all(filled)
        process.kill()
    stale = filled / "postgresql" / "postmaster.pid"
    stale.write_text(stale.read_text().replace(stale.read_text().splitlines()[0], str(os.getpid()), 1))
    with start(filled) as database:
        assert kept(database) == "共育"


def test_swept_socket_is_made_again(filled: Path) -> None:
    with start(filled):
        (filled / "postgresql" / ".s.PGSQL.5432").unlink()
        with start(filled) as database:
            assert kept(database) == "共育"


@pytest.mark.parametrize("also_initdb", [False, True])
def test_making_that_was_killed_halfway_is_begun_anew(data: Path, *, also_initdb: bool) -> None:
    with user(data, up=False) as process:
        until((data / "postgresql.new" / "base").exists)
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        kill(children if also_initdb else ())
        assert not (data / "postgresql").exists()
    with start(data) as database:
        assert sql(database, "SELECT current_database()") == "gongyu"
    assert sorted(path.name for path in data.iterdir()) == [
        *("gongyu.json", "postgresql", "postgresql.lock", "postgresql.log", "start.lock", "users.lock")
    ]


def foreign(folder: Path) -> None:
    folder.mkdir()
    (folder / "thesis.doc").touch()


def a_file(folder: Path) -> None:
    folder.touch()


def newer_gongyu(folder: Path) -> None:
    folder.mkdir()
    (folder / "gongyu.json").write_text('{"format": 2, "beyond": "us"}')


def damaged_marker(folder: Path) -> None:
    folder.mkdir()
    (folder / "gongyu.json").write_text('{"form')


def of_version(major: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        folder.mkdir()
        (folder / "gongyu.json").write_text('{"format": 1}')
        (folder / "postgresql").mkdir()
        (folder / "postgresql" / "PG_VERSION").write_text(major)

    return make


@pytest.mark.parametrize(
    ("make", "zh", "en"),
    [
        (foreign, "thesis.doc", "Point GONGYU_DATA to an empty or a new folder"),
        (a_file, "无法使用", "File exists"),
        (newer_gongyu, "更新版本的共育", "has format 2, this one knows up to 1"),
        (damaged_marker, "已损坏", 'Expected {"format": 1}'),
        (of_version("99"), "更新的 PostgreSQL 99", "pip install -U"),
        (of_version("9"), "旧版 PostgreSQL 9", "gongyu district export"),
        (of_version(""), "PG_VERSION", "Restore it from a backup"),
    ],
)
def test_folder_that_is_not_ours_to_use_is_refused_untouched(
    data: Path, make: Callable[[Path], None], zh: str, en: str
) -> None:
    make(data)
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    with pytest.raises(DataFolderError) as refused:
        start(data)
    assert zh in refused.value.text.zh
    assert en in refused.value.text.en
    locks = {data / name for name in ("users.lock", "start.lock")}
    assert {path: path.read_bytes() for path in data.rglob("*") if path.is_file() and path not in locks} == before


def test_broken_setting_is_told_with_the_end_of_the_log(filled: Path) -> None:
    with (filled / "postgresql" / "postgresql.conf").open("a") as conf:
        conf.write("max_connections = many\n")
    with pytest.raises(DataFolderError, match=r"postgres.*\n.*max_connections.*many"):
        start(filled)


def test_second_server_is_told_the_pid_of_the_first(data: Path) -> None:
    with user(data, program=SERVER) as first:
        with pytest.raises(DataFolderError) as refused, serve_lock(data):
            pass
        assert f"(pid {first.pid})" in refused.value.text.en
        assert f"（进程号 {first.pid}）" in refused.value.text.zh
    with serve_lock(data):  # the first was killed
        pass


@pytest.mark.parametrize("name", ["很长" * 30, "with space, $HOME and 'quotes'"])
def test_path_no_socket_can_have_gets_one_elsewhere(tmp_path: Path, name: str) -> None:
    with start(tmp_path / name) as database:
        elsewhere = Path(str(make_url(database.url).query["host"]))
        assert not elsewhere.is_relative_to(tmp_path)
        assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o700
        assert sql(database, "SELECT 1") == "1"
    shutil.rmtree(elsewhere)


@root_only
def test_root_runs_it_as_another_user_and_opens_no_folder_to_everybody(tmp_path: Path) -> None:
    secret = tmp_path / "root-only"
    secret.mkdir(mode=0o700)
    with start(secret / "var") as database:
        assert postmaster(secret / "var").uids().real != 0
        assert sql(database, "SELECT 1") == "1"
    for closed in (secret, secret / "var"):
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        assert "system.posix_acl_access" not in os.listxattr(closed)


@root_only
def test_one_account_alone_is_let_through_to_programs_below_a_closed_folder() -> None:
    one, other = (Account(user.pw_uid, user.pw_gid) for user in map(pwd.getpwnam, ("nobody", "daemon")))
    with tempfile.TemporaryDirectory() as closed:
        program = Path(closed) / "bin" / "postgres"
        program.parent.mkdir()
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        assert not may_run(program, one)
        let_in(program.parent, one)
        assert may_run(program, one)
        assert not may_run(program, other)
        assert "PermissionError" in as_account(pwd.getpwnam("nobody"), partial(os.listdir, closed))


@root_only
def test_ordinary_user_and_root_take_turns_in_the_users_folder() -> None:
    nobody = pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory() as name:
        os.chown(name, nobody.pw_uid, nobody.pw_gid)
        data = Path(name) / "var"

        def start_and_close() -> None:
            with start(data):
                assert postmaster(data).uids().real == nobody.pw_uid

        assert as_account(nobody, start_and_close) == ""
        start_and_close()
        assert as_account(nobody, start_and_close) == ""
        os.chown(data, 0, 0)
        assert "cannot be used: [Errno 13] Permission denied" in as_account(nobody, start_and_close)


def as_account(account: pwd.struct_passwd, action: Callable[[], object]) -> str:
    """What went wrong; in a fork, because the account may not be able to reach the interpreter."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        said = ""
        try:
            os.setgroups([])
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
            action()
        except DataFolderError as error:
            said = error.text.en
        except BaseException as error:  # noqa: BLE001 - the fork must not go on as a second pytest
            said = repr(error)
        finally:
            os.write(writing, said.encode())
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


def until(happens: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.002)
