"""The whole system: its workers under the supervisor, and the demo's account."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from gateway.embedded.component import answers
from gateway.embedded.home import Home
from gateway.embedded.processes import alive, end_all, wait_gone
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


@pytest.mark.timeout(300)
def test_the_demo_tells_its_story_and_accounts_for_it_whatever_is_killed(directory: Path) -> None:
    """Everything is killed midway; it is started again, each part is killed once, then Ctrl-C."""
    scenario = directory / "fast.toml"
    told = resources.files("simulators").joinpath("scenarios", "demo.toml").read_text(encoding="utf-8")
    scenario.write_text(re.sub(r"(?m)^speed = .*", "speed = 400.0", told), encoding="utf-8")
    demo = DemoProcess(directory, scenario)
    try:
        demo.start()
        until(lambda: demo.story_ms(turn=0) > (time.time() - 2700) * 1000, "ten minutes of the story", 90)
        demo.kill_everything()
        demo.start()
        for name in ("gateway-1", "judge", "api", "nats", "postgres"):
            story_ms = demo.story_ms(turn=1)
            until(lambda story_ms=story_ms: demo.story_ms(turn=1) > story_ms, "the story to go on", 90)
            os.kill(demo.home.endpoints().processes[name].ref.pid, signal.SIGKILL)
        until(lambda: demo.story_ms(turn=1) > time.time() * 1000 - 20_000, "the past to be uploaded", 120)
        account = demo.interrupted()
    finally:
        demo.clear()
    assert account["lost"] == account["waiting"] == 0, account
    assert account["rejected"] <= 1, "rubbish has no outbox: it goes out once, if at all"
    assert account["published"] > 5_000
    assert account["recorded"] == account["published"] - account["rejected"]
    assert account["alerts"] == {"forbidden_zone_entry": 1, "route_deviation": 1, "seal_broken_in_transit": 1}


class DemoProcess:
    """``bondwatch demo`` under test."""

    def __init__(self, directory: Path, scenario: Path) -> None:
        self.home = Home(directory / "home")
        self._said = directory / "said"
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith("BONDWATCH_")
        } | {"BONDWATCH_HOME": str(self.home.path)}
        self._command = [sys.executable, "-m", "gateway.cli", "demo", "--json", "--scenario", str(scenario)]
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        with self._said.open("ab") as said:
            self._process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                start_new_session=True,
            )

    def story_ms(self, turn: int) -> int:
        """How far a crew has told its story."""
        assert self._process is not None
        assert self._process.poll() is None, self._said.read_text()[-4000:]
        noted = self.home.path / "simulator" / "turns.json"
        return int(json.loads(noted.read_text()).get(str(turn), 0)) if noted.exists() else 0

    def kill_everything(self) -> None:
        assert self._process is not None
        for process in self.home.endpoints().processes.values():
            os.kill(process.ref.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait(10)

    def interrupted(self) -> dict[str, Any]:
        """Its account after Ctrl-C."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        out, _ = self._process.communicate(timeout=200)
        assert self._process.returncode == 0, self._said.read_text()[-4000:]
        return dict(json.loads(out.splitlines()[-1]))

    def clear(self) -> None:
        """Leave nothing running, however the test ended."""
        found = self.home.last_endpoints()
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)
        refs = [process.ref for process in found.processes.values()] if found else []
        end_all([ref for ref in refs if alive(ref)], (signal.SIGKILL, 10.0))
