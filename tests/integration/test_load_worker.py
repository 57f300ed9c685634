"""Processes of the open-loop generator: how they connect again, how they end, how much they may open."""

from __future__ import annotations

import resource
import signal
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil
import pytest

from simulators.load_device import Login
from simulators.load_run import Crowd, Target, Wanted, run
from tests.support.brokers import Broker, nats_server, running
from tests.support.installation import until

ROOT: Final = Path(__file__).parents[2]
CONNECT, PUBLISH, DISCONNECT = 1, 3, 14
ADMITTED: Final = b"\x20\x02\x00\x00"


class Fickle(socketserver.ThreadingTCPServer):
    """A broker that breaks its first connection at the first publish, the second before it is admitted."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Session)
        self.connections = 0

    @property
    def target(self) -> Target:
        return Target("127.0.0.1", self.server_address[1])


class Session(socketserver.StreamRequestHandler):
    server: Fickle

    def handle(self) -> None:
        self.server.connections += 1
        number = self.server.connections
        while (packet := self._packet()) is not None:
            kind, body = packet
            if kind == CONNECT:
                if number == 2:
                    return
                self.wfile.write(ADMITTED)
            elif kind == PUBLISH:
                if number == 1:
                    return
                size = int.from_bytes(body[:2])
                self.wfile.write(b"\x40\x02" + body[2 + size : 4 + size])

    def _packet(self) -> tuple[int, bytes] | None:
        head = self.rfile.read(1)
        length = shift = 0
        while head and (digit := self.rfile.read(1)):
            length |= (digit[0] & 0x7F) << shift
            shift += 7
            if not digit[0] & 0x80:
                return head[0] >> 4, self.rfile.read(length)
        return None


@contextmanager
def fickle() -> Iterator[Fickle]:
    with Fickle() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_an_attempt_that_fails_leaves_the_next_one_alone() -> None:
    wanted = Wanted(rate=10, for_s=2, per_publish=1, processes=1, drain_s=10, bare=True)
    with fickle() as broker:
        outcome = run(broker.target, wanted, Crowd([Login("LOAD/L-000000", "x")]))
    assert (outcome.figures.durable, outcome.figures.unanswered) == (20, 0)
    assert outcome.figures.connections == 2
    assert broker.connections == 3


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running(nats_server(tmp_path / "broker")) as one:
        yield one


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 130), (signal.SIGHUP, 130), (signal.SIGKILL, -9)]
)
def test_a_load_that_is_told_to_end_leaves_nothing(
    broker: Broker, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    said = tmp_path / "said"
    with said.open("w") as output:
        command = ["load", "--bare", "--broker", f"mqtt://127.0.0.1:{broker.mqtt_port}", "--processes", "2"]
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "gateway.cli",
                *command,
                "--rate",
                "100",
                "--devices",
                "10",
                "--for",
                "100",
            ],
            cwd=ROOT,
            stdout=output,
            stderr=output,
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # noqa: PLW1509 - it allocates nothing
        )
    try:
        until(lambda: "durable" in said.read_text(), "the load to run")
        workers = psutil.Process(process.pid).children(recursive=True)
        assert len([one for one in workers if "simulators.load_worker" in one.cmdline()]) == 2
        process.send_signal(number)
        assert process.wait(20) == code
        _, alive = psutil.wait_procs(workers, timeout=10)
        assert alive == []
    finally:
        process.kill()


def load_with(hard: int, broker: Broker) -> subprocess.CompletedProcess[str]:
    """A load of 120 devices in one process, of which 64 files are open at most unless it asks for more."""
    how = [
        "--bare",
        "--broker",
        f"mqtt://127.0.0.1:{broker.mqtt_port}",
        "--devices",
        "120",
        "--per-publish",
        "1",
    ]
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "gateway.cli",
            "load",
            *how,
            "--rate",
            "120",
            "--for",
            "1",
            "--processes",
            "1",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard)),
    )


def test_more_devices_than_files_of_a_shell_connect(broker: Broker) -> None:
    done = load_with(4096, broker)
    assert done.returncode == 0, done.stderr


def test_more_devices_than_files_of_the_machine_are_refused_with_the_number(broker: Broker) -> None:
    done = load_with(150, broker)
    assert done.returncode == 1
    assert "120 connections of one process need 184 open files, and it may have 150" in done.stderr
    assert "is the broker there" not in done.stderr
