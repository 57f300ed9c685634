"""The whole system: its workers under the supervisor, and the demo's account."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.embedded.component import answers
from gateway.embedded.processes import alive, wait_gone
from tests.support.installation import ROOT, Installation, until

PARTS = {"nats", "postgres", "gateway-1", "judge", "api"}


@pytest.fixture
def directory() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="bw-demo-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def test_every_part_comes_back_and_none_outlives_the_supervisor(directory: Path) -> None:
    installation = Installation(directory, parts="all")
    try:
        found = installation.start()
        refs = installation.refs()
        assert set(refs) == PARTS
        metrics = {name: process.metrics for name, process in found.processes.items() if process.metrics}
        assert set(metrics) == {"gateway-1", "judge", "api"}
        for name in ("gateway-1", "judge"):
            assert b"\nbondwatch_" in urllib.request.urlopen(metrics[name], timeout=5).read()

        for name in ("gateway-1", "judge", "api"):
            os.kill(refs[name].pid, signal.SIGKILL)
        for name in ("gateway-1", "judge", "api"):
            until(
                lambda name=name: installation.said().count(f"{name} ready") == 2, f"{name} to be ready again"
            )
        assert answers(f"{found.api}/health/live")

        refs = installation.refs()
        assert installation.process is not None
        installation.kill()
        assert wait_gone(refs.values(), 15) == []
        installation.start()
        refs = installation.refs()
        assert installation.stop() == 0
        assert not any(alive(ref) for ref in refs.values())
    finally:
        installation.clear()


@pytest.mark.timeout(240)
def test_the_demo_loses_nothing_and_accounts_for_it(directory: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BONDWATCH_")}
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "demo", "--for", "20", "--json"],
        cwd=ROOT,
        env={**environment, "BONDWATCH_HOME": str(directory / "home")},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    account = json.loads(done.stdout.splitlines()[-1])
    assert set(account) == {"published", "recorded", "duplicates", "rejected", "lost", "alerts"}
    assert account["lost"] == 0
    assert account["published"] > 100
    assert account["recorded"] == account["published"] - account["rejected"]
