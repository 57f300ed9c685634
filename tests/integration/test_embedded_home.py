"""The data directory, its ports, its processes' figures: the small parts under the supervisor."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from gateway.embedded import account, ports
from gateway.embedded.account import Account
from gateway.embedded.home import SECRETS, Endpoints, Home, Process
from gateway.embedded.processes import alive, reference, wait_gone
from gateway.metrics import MetricsServer
from gateway.problem import Problem
from tests.support.installation import ROOT


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home").prepare()


def test_secrets_are_made_once_and_differ(home: Home) -> None:
    before = {name: home.secret(name) for name in SECRETS}
    assert len(set(before.values())) == len(SECRETS)
    assert all(len(value) >= 40 for value in before.values())
    Home(home.path).prepare()
    assert {name: home.secret(name) for name in SECRETS} == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_secret_that_others_may_read_is_refused(home: Home, mode: int) -> None:
    home.secret_file("api_admin_key").chmod(mode)
    with pytest.raises(Problem, match="readable by others"):
        home.secret("api_admin_key")


def test_an_empty_or_missing_secret_is_refused(home: Home) -> None:
    home.secret_file("api_admin_key").write_text("\n")
    with pytest.raises(Problem, match="is empty"):
        home.secret("api_admin_key")
    home.secret_file("api_admin_key").unlink()
    with pytest.raises(Problem, match="no secret"):
        home.secret("api_admin_key")


def test_an_existing_directory_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    Home(tmp_path).prepare()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o750


def test_the_lock_names_its_owner_and_falls_with_it(home: Home) -> None:
    code = (
        "import sys; from pathlib import Path; from gateway.embedded.home import Home\n"
        "Home(Path(sys.argv[1])).lock(); print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(home.path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(Problem, match=rf"pid {other.pid}\b"):
            home.lock()
        other.kill()
    home.lock()
    home.unlock()


def test_endpoints_of_an_instance_that_is_gone_are_not_believed(home: Home) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        ref = reference(process.pid)
        assert ref is not None
        assert alive(ref)
        home.announce(Endpoints(ref, mqtt="mqtt://127.0.0.1:1", processes={"nats": Process(ref)}))
        assert home.endpoints().processes["nats"].pid == process.pid
        process.kill()
    assert not alive(ref)
    with pytest.raises(Problem, match="nothing runs"):
        home.endpoints()


def test_a_reused_pid_is_another_process() -> None:
    ours = reference(os.getpid())
    assert ours is not None
    assert alive(ours)
    assert not alive(type(ours)(ours.pid, ours.ticks - 1, ours.boot))
    assert not alive(type(ours)(ours.pid, ours.ticks, "another boot"))


def test_free_ports_differ_and_lie_below_those_of_outgoing_connections() -> None:
    given = ports.Ports()
    found = {given.free("127.0.0.1") for _ in range(50)}
    assert len(found) == 50
    first_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert max(found) < max(first_outgoing, ports.FREE_RANGE.stop)


def test_no_port_is_given_twice() -> None:
    given = ports.Ports()
    port = given.free("127.0.0.1")
    with pytest.raises(Problem, match="two parts"):
        given.claim("127.0.0.1", port, "BONDWATCH_API_PORT")
    assert ports.Ports().claim("127.0.0.1", port, "BONDWATCH_API_PORT") == port


def test_a_port_just_left_is_free_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            server.accept()[0].close()
        assert not ports.is_free("127.0.0.1", port)
    assert ports.is_free("127.0.0.1", port)


def test_who_runs_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    chosen = account.for_database(tmp_path / "new")
    assert chosen.name in account.CANDIDATES
    assert chosen.switch() == {"user": chosen.uid, "group": chosen.gid, "extra_groups": []}
    monkeypatch.setattr(os, "geteuid", lambda: chosen.uid)
    assert account.for_database(tmp_path).is_us
    assert account.for_database(tmp_path).switch() == {}


def test_reach_is_judged_along_the_whole_way(tmp_path: Path) -> None:
    stranger = Account(uid=54321, gid=54321, name="stranger")
    inner = tmp_path / "open" / "inner"
    inner.mkdir(parents=True)
    for folder in (inner.parent, inner):
        folder.chmod(0o711)
    reachable = stranger.reaches(tmp_path / "x")
    assert stranger.reaches(inner / "file") is reachable
    inner.parent.chmod(0o710)
    assert not stranger.reaches(inner / "file")


def test_metrics_and_readiness_are_served_on_loopback() -> None:
    server = MetricsServer(0)
    base = f"http://127.0.0.1:{server.port}"
    try:
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(f"{base}/ready", timeout=5)
        server.ready()
        assert urllib.request.urlopen(f"{base}/ready", timeout=5).status == 200
        assert b"python_info" in urllib.request.urlopen(f"{base}/metrics", timeout=5).read()
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{base}/", timeout=5)
    finally:
        server.close()


def test_logs_for_machines_are_json_with_process_and_without_local_values() -> None:
    code = (
        "import logging, structlog; from gateway import process\n"
        "process.begin('judge'); hidden = 'hunter' + '2'\n"
        "logging.getLogger('uvicorn').warning('a %s', 'b')\n"
        "try: raise ValueError('broken')\n"
        "except ValueError: structlog.get_logger().exception('failed', shipment='S-1')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"BONDWATCH_LOG_FORMAT": "json", "BONDWATCH_PROCESS": "judge-2", "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=True,
    )
    first, second = (json.loads(line) for line in done.stderr.splitlines())
    assert (first["event"], first["level"], first["process"]) == ("a b", "warning", "judge-2")
    assert (second["event"], second["shipment"]) == ("failed", "S-1")
    assert "ValueError: broken" in second["exception"]
    assert "hunter2" not in done.stderr


def test_a_child_ends_with_its_parent(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, signal; from gateway.embedded.processes import die_with_parent\n"
        "child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE,"
        " preexec_fn=die_with_parent(signal.SIGKILL), start_new_session=True)\n"
        "print(child.pid, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        child = reference(int(parent.stdout.readline()))
        assert child is not None
        parent.send_signal(signal.SIGKILL)
    assert wait_gone([child], 5) == []
