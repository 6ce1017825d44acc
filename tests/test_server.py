"""What only the assembled system can show: switches seen by every worker, keys that outlive kills, a database gone."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
from sqlalchemy.engine import make_url

from gongyu.database import embedded
from gongyu.testing.deployment import Deployment, Server

NOTICES = "/api/v1/ezhou/bulletin/notices"


def _within(seconds: float, holds: Callable[[], bool]) -> float:
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        if holds():
            return time.monotonic() - started
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds} s")


def _everywhere(server: Server, path: str, status: int, headers: dict[str, str]) -> bool:
    """Asked on twenty new connections at once, so that each of two workers is met: all by one is one in a million."""

    def ask(_: int) -> int:
        return httpx.get(server.url + path, headers=headers, timeout=5).status_code

    with ThreadPoolExecutor(20) as threads:
        return all(found == status for found in threads.map(ask, range(20)))


def test_switching_is_seen_by_every_worker_within_a_second(deployment: Deployment) -> None:
    deployment.apply("ezhou", "")
    headers = {"Authorization": f"Bearer {deployment.token('ezhou')}"}
    with deployment.serving(workers=2) as server:
        assert _everywhere(server, NOTICES, 404, headers)
        deployment.gongyu("district", "enable", "ezhou", "bulletin", "kindness")
        _within(1, lambda: _everywhere(server, NOTICES, 200, headers))
        # The hook ran (its welcome notice is there), and the other plugin has reacted to the event of it.
        assert [notice["title"] for notice in httpx.get(server.url + NOTICES, headers=headers).json()["items"]] == [
            "公告栏已启用"
        ]
        thanks = f"{server.url}/api/v1/ezhou/kindness/count"
        _within(2, lambda: httpx.get(thanks, headers=headers).json() == 1)
        deployment.gongyu("district", "disable", "ezhou", "bulletin")
        _within(1, lambda: _everywhere(server, NOTICES, 404, headers))
        assert httpx.get(thanks, headers=headers).json() == 1


def test_one_key_one_effect_at_64_parallel_sends_and_after_kill(deployment: Deployment) -> None:
    deployment.apply("ezhou", "[plugins.bulletin]")
    headers = {"Authorization": f"Bearer {deployment.token('ezhou')}", "Idempotency-Key": '"one"'}
    body = {"title": "家长会", "body": "周五晚七点"}

    def send(url: str) -> tuple[int, bytes]:
        answer = httpx.post(url + NOTICES, json=body, headers=headers, timeout=30)
        return answer.status_code, answer.content

    with deployment.serving(workers=2) as server:
        with ThreadPoolExecutor(64) as threads:
            answers = set(threads.map(send, [server.url] * 64))
        assert len(answers) == 1
        assert next(iter(answers))[0] == 201
        other = httpx.post(server.url + NOTICES, json=body | {"body": "改期"}, headers=headers)
        assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-mismatch")
        server.kill()
    with deployment.serving() as server:
        assert {send(server.url)} == answers
        listed = httpx.get(server.url + NOTICES, headers=headers).json()["items"]
        assert [notice["title"] for notice in listed] == ["公告栏已启用", "家长会"]


def test_server_serves_again_after_its_database_was_killed(deployment: Deployment) -> None:
    deployment.apply("ezhou", "[plugins.bulletin]")
    headers = {"Authorization": f"Bearer {deployment.token('ezhou')}"}
    with deployment.serving() as server:
        worker = server.process.pid
        assert httpx.get(server.url + NOTICES, headers=headers).status_code == 200
        for process in _postgres(deployment):
            os.kill(process.pid, signal.SIGKILL)
        statuses = set()

        def well() -> bool:
            answer = httpx.get(server.url + NOTICES, headers=headers, timeout=15)
            statuses.add(answer.status_code)
            return answer.status_code == 200

        _within(15, well)
        assert statuses <= {200, 503}  # clean refusals, never a 500
        assert server.process.pid == worker
        # Switching still reaches the workers: their signal connection came back too.
        deployment.gongyu("district", "disable", "ezhou", "bulletin")
        _within(3, lambda: httpx.get(server.url + NOTICES, headers=headers).status_code == 404)


def test_worker_that_dies_while_the_database_is_away_comes_back_with_it(deployment: Deployment) -> None:
    database = embedded.start(deployment.data.parent / "database")
    folder = Path(tempfile.mkdtemp(prefix="gongyu-"))  # short, as the name of a socket must be
    try:
        url = make_url(database.url)
        socket = Path(str(url.query["host"]), ".s.PGSQL.5432")
        door = folder / socket.name
        door.symlink_to(socket)
        away = url.update_query_dict({"host": str(folder)}).render_as_string(hide_password=False)
        deployment.environment["GONGYU_DATABASE_URL"] = away
        deployment.apply("ezhou", "[plugins.bulletin]")
        headers = {"Authorization": f"Bearer {deployment.token('ezhou')}"}
        with deployment.serving(workers=2) as server:
            _within(20, lambda: len(server.workers()) == 2)
            door.unlink()  # nobody gets a new connection
            killed = server.workers()[0]
            killed.kill()
            time.sleep(5)
            assert server.process.poll() is None
            door.symlink_to(socket)
            _within(20, lambda: len([one for one in server.workers() if one.pid != killed.pid]) == 2)
            _within(20, lambda: _everywhere(server, NOTICES, 200, headers))
    finally:
        database.close()
        shutil.rmtree(folder)


def test_worker_that_dies_while_asked_whether_it_lives_is_replaced_at_once(deployment: Deployment) -> None:
    with deployment.serving() as server:
        (worker,) = server.workers()
        worker.suspend()
        time.sleep(1.5)  # the supervisor asks twice a second, and is waiting for the answer by now
        worker.kill()
        _within(10, lambda: [one.pid for one in server.workers()] not in ([], [worker.pid]))
        server.wait_until_ready()


def test_second_server_on_the_same_data_is_refused(deployment: Deployment) -> None:
    with deployment.serving() as server:
        second = deployment.gongyu("serve", "--port", "1", check=False)
        assert second.returncode == 1
        assert f"(pid {server.process.pid})" in second.stderr


def test_workers_end_with_their_supervisor_and_leave_the_data_free(deployment: Deployment) -> None:
    """Killed alone, as the kernel does when memory is short: nothing serves on, and the next server may start."""
    with deployment.serving(workers=2) as server:
        workers = server.workers()
        assert len(workers) == 2
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
        _, left = psutil.wait_procs(workers, timeout=15)
        assert left == []
    with deployment.serving() as server:
        assert httpx.get(f"{server.url}/healthz").status_code == 200


def _postgres(deployment: Deployment) -> list[psutil.Process]:
    """The postmaster and all its children that live in this deployment's folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.name() == "postgres" and str(deployment.data) in " ".join([*process.cmdline(), process.cwd()]):
                found.append(process)
        except (psutil.AccessDenied, psutil.NoSuchProcess):
            continue
    return found
