"""A Mosquitto for a benchmark, with what docs/brokers.md asks of it; from PATH."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psutil

from gateway.bench.instance import wait_for
from gateway.embedded.ports import Ports
from gateway.problem import Problem

LOOPBACK: Final = "127.0.0.1"
PLACES: Final = f"{os.defpath}:/usr/sbin:/usr/local/sbin"
CONFIG: Final = """
listener {port} {host}
allow_anonymous true
persistence true
persistence_location {directory}/
max_queued_messages 0
max_inflight_messages 0
max_packet_size 2000000
"""


class Mosquitto:
    """Runs it on loopback; a context manager.

    Args:
        directory: for its configuration, state and log.

    Raises:
        Problem: there is none on this machine.
    """

    def __init__(self, directory: Path) -> None:
        program = shutil.which("mosquitto") or shutil.which("mosquitto", path=PLACES)
        if program is None:
            raise Problem("there is no mosquitto on PATH", "install it: apt-get install mosquitto")
        directory.mkdir(parents=True)
        self.port = Ports().free(LOOPBACK)
        config = directory / "mosquitto.conf"
        config.write_text(CONFIG.format(port=self.port, host=LOOPBACK, directory=directory))
        if os.geteuid() == 0:
            with config.open("a") as more:
                more.write("user root\n")
        self._command = [program, "-c", str(config)]
        self._log = directory / "log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        wait_for(self._listens, 15, "mosquitto to listen", every_s=0.02)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(15)

    def _listens(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise Problem(f"mosquitto did not start:\n{self._log.read_text(errors='replace')[-2000:]}")
        found = psutil.Process(self.pid).net_connections("tcp")
        return any(one.laddr.port == self.port and one.status == psutil.CONN_LISTEN for one in found)
