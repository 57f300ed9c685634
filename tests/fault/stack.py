"""The system under test: ``bondwatch up`` in a directory of its own, and the means to kill parts of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.fault.waiting import until
from tests.support.brokers import Mosquitto

START_S = 90


class Stack:
    """One running installation.

    Args:
        directory: everything it keeps.
        mosquitto: an external broker; None: the embedded one.
        password: of the external broker.
        clock: file of a simulated clock that everything follows; None: the machine's clock.
    """

    def __init__(
        self,
        directory: Path,
        mosquitto: Mosquitto | None = None,
        password: str | None = None,
        clock: Path | None = None,
    ) -> None:
        self.home = directory / "home"
        self.mosquitto = mosquitto
        self.clock = clock
        self.log = directory / "up.log"
        self._environment = dict(os.environ) | {
            "BONDWATCH_HOME": str(self.home),
            "BONDWATCH_MQTT_PORT": "0",
            "BONDWATCH_API_PORT": "0",
            "BONDWATCH_LOG_FORMAT": "console",
        }
        if mosquitto is not None:
            self._environment |= {
                "BONDWATCH_BROKER_URL": f"mqtt://127.0.0.1:{mosquitto.mqtt_port}",
                "BONDWATCH_BROKER_PASSWORD": password or "",
            }
        if clock is not None:
            self._environment["BONDWATCH_CLOCK_FILE"] = str(clock)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start everything and wait until the API answers."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gateway.cli", "up"],
                env=self._environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            until(self._ready, START_S, "the API to be announced")
        except TimeoutError as error:
            raise RuntimeError(f"the system did not start:\n{self.log.read_text()[-4000:]}") from error

    def run(self, *arguments: str, timeout_s: float = 60) -> str:
        """Run a ``bondwatch`` command against this installation."""
        command = [sys.executable, "-m", "gateway.cli", *arguments]
        return subprocess.run(
            command, env=self._environment, check=True, capture_output=True, text=True, timeout=timeout_s
        ).stdout

    def endpoints(self) -> dict[str, Any]:
        """What run/endpoints.json says."""
        found: dict[str, Any] = json.loads((self.home / "run" / "endpoints.json").read_text())
        return found

    @property
    def api(self) -> str:
        return str(self.endpoints()["api"])

    @property
    def key(self) -> str:
        return (self.home / "secrets" / "api_admin_key").read_text().strip()

    @property
    def dsn(self) -> str:
        return str(self.endpoints()["database_dsn"])

    @property
    def mqtt_port(self) -> int:
        if self.mosquitto is not None:
            return self.mosquitto.mqtt_port
        return int(str(self.endpoints()["mqtt"]).rsplit(":", 1)[1])

    def kill(self, victim: str) -> None:
        """End one part with -9: ``gateway``, ``judge``, ``broker`` or ``database``."""
        if victim == "broker" and self.mosquitto is not None:
            self.mosquitto.stop(signal.SIGKILL)
            self.mosquitto.start()
            return
        pid = self._pid(victim)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        until(lambda: self._pid(victim, missing=True) not in {None, pid}, 60, f"{victim} to be restarted")

    def stop(self) -> int:
        """Stop cleanly; the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            return self._process.wait()

    def _pid(self, victim: str, *, missing: bool = False) -> int | None:
        names = {"broker": "nats", "database": "postgres"}
        for name, process in self.endpoints()["processes"].items():
            if name.startswith(names.get(victim, victim)):
                return int(process["ref"]["pid"])
        if missing:
            return None
        raise LookupError(f"no {victim} among {list(self.endpoints()['processes'])}")

    def _ready(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"the system ended:\n{self.log.read_text()[-4000:]}")
        with suppress(OSError, ValueError):
            return bool(self.endpoints().get("api"))
        return False
