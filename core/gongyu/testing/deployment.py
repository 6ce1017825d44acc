"""A deployment as an operator has it: a data folder, the `gongyu` command, a real server on loopback."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

import httpx
import psutil
import sqlalchemy as sa

from gongyu.access.tokens import create_token
from gongyu.config import Config
from gongyu.people.models import Membership, Org, Person
from gongyu.platform import Platform, open_platform
from gongyu.testing import warm

__all__ = ["Deployment", "Server"]

T = TypeVar("T")
_GONGYU: Final = Path(sys.executable).with_name("gongyu")


class Deployment:
    """One data folder; everything in it is reached the way an operator reaches it."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("GONGYU_")},
            "GONGYU_DATA": str(data),
            "GONGYU_LANG": "en",
        }

    def gongyu(self, *arguments: str, check: bool = True, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        done = warm.gongyu(arguments, environment=self.environment, seconds=seconds)
        if check and done.returncode != 0:
            raise AssertionError(done.stderr + done.stdout)
        return done

    def apply(self, slug: str, plugins: str) -> None:
        file = self.data.parent / f"{slug}.toml"
        file.write_text(f'[district]\nslug = "{slug}"\nname = "{slug}"\n{plugins}', encoding="utf-8")
        self.gongyu("district", "apply", str(file))

    def on_platform(self, work: Callable[[Platform], Awaitable[T]]) -> T:
        async def whole() -> T:
            async with open_platform(Config.from_environment(self.environment)) as platform:
                return await work(platform)

        return asyncio.run(whole())

    def token(self, slug: str, *, role: str = "districtAdministrator") -> str:
        """A person with this role in the district's root org, and a token for everything they may do."""

        async def make(platform: Platform) -> str:
            async with platform.database.work(platform.state(slug).district) as session:
                root = (await session.execute(sa.select(Org.id).where(Org.parent_id.is_(None)))).scalar_one()
                person = Person(name=role)
                session.add(person)
                await session.flush()
                session.add(Membership(person_id=person.id, org_id=root, role=role, begins_on=date(2020, 1, 1)))
                await session.flush()
                expires = datetime.now(UTC) + timedelta(days=1)
                return await create_token(session, person=person.id, name="test", scopes=["*"], expires_at=expires)

        return self.on_platform(make)

    @contextlib.contextmanager
    def serving(self, *, workers: int = 1) -> Iterator["Server"]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with (self.data.parent / "serve.log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own command
                [_GONGYU, "serve", "--port", str(port), "--workers", str(workers)],
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            server = Server(process, f"http://127.0.0.1:{port}")
            try:
                server.wait_until_ready()
                yield server
            finally:
                server.stop()


class Server:
    """A running `gongyu serve`."""

    def __init__(self, process: subprocess.Popen[bytes], url: str) -> None:
        self.process, self.url = process, url

    def wait_until_ready(self, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/readyz", timeout=2).status_code == httpx.codes.OK:
                    return
            if self.process.poll() is not None:
                raise AssertionError("the server ended")
            time.sleep(0.05)
        raise AssertionError("the server is not ready")

    def workers(self) -> list[psutil.Process]:
        """Those of its processes that answer."""
        found = []
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended, and another takes its place
                if "spawn_main" in " ".join(child.cmdline()):
                    found.append(child)
        return found

    def kill(self) -> None:
        """Kill -9 of the server and all its workers."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()
