"""Requests nobody would think of, to the whole API with every plugin on: whatever comes, it is never our fault."""

import subprocess
import sys
from pathlib import Path

import pytest

from gongyu.host import load_host
from gongyu.testing.deployment import Deployment


@pytest.mark.timeout(1200)
def test_no_request_makes_the_server_fail(deployment: Deployment, tmp_path: Path) -> None:
    deployment.apply("ezhou", "\n".join(f"[plugins.{name}]" for name in load_host().plugins))
    token = deployment.token("ezhou")
    schemathesis = Path(sys.executable).with_name("schemathesis")
    with deployment.serving() as server:
        done = subprocess.run(  # noqa: S603 - a tool of the environment, our own server
            [
                *(schemathesis, "run", f"{server.url}/api/v1/ezhou/openapi.json", "--no-color", "--seed", "20260901"),
                *("--header", f"Authorization: Bearer {token}", "--phases", "coverage,fuzzing"),
                *("--checks", "not_a_server_error", "--max-examples", "2", "--continue-on-failure"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-20_000:]
