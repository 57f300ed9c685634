"""A whole installation for a benchmark or a simulation: ``bondwatch up`` in a directory of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from gateway.embedded.home import Endpoints, Home
from gateway.problem import Problem

START_S: Final = 90.0
_SAMPLE: Final = re.compile(r"^(\w+)(?:\{([^}]*)\})? (\S+)$")


class Instance:
    """Runs the embedded default; a context manager.

    Args:
        directory: where it keeps everything.
        workers: gateway processes.
        broker: ``host:port`` of an MQTT broker instead of the embedded one.
        clock: file of a simulated clock that everything follows; None: the machine's clock.
    """

    def __init__(
        self, directory: Path, *, workers: int = 1, broker: str | None = None, clock: Path | None = None
    ) -> None:
        self.home = Home(directory / "home")
        self._log = directory / "up.log"
        self._environment = dict(os.environ) | {
            "BONDWATCH_HOME": str(self.home.path),
            "BONDWATCH_MQTT_PORT": "0",
            "BONDWATCH_API_PORT": "0",
            "BONDWATCH_WORKERS": str(workers),
        }
        self._broker = broker
        if broker is not None:
            self._environment |= {
                "BONDWATCH_BROKER_URL": f"mqtt://{broker}",
                "BONDWATCH_BROKER_PASSWORD": "bench",
            }
        if clock is not None:
            self._environment["BONDWATCH_CLOCK_FILE"] = str(clock)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gateway.cli", "up"],
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            wait_for(self._announced, START_S, "the installation to start")
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def pid(self) -> int:
        """Of the supervisor, whose descendants are everything that runs."""
        assert self._process is not None
        return self._process.pid

    @property
    def endpoints(self) -> Endpoints:
        return self.home.endpoints()

    @property
    def mqtt(self) -> str:
        """``host:port`` of the MQTT listener."""
        return self._broker or (self.endpoints.mqtt or "").rsplit("/", 1)[-1]

    @property
    def dsn(self) -> str:
        return self.endpoints.database_dsn or ""

    def metrics(self, kind: str) -> dict[str, float]:
        """The samples of all processes of a kind, summed; labels stand in the name as in the text format."""
        total: dict[str, float] = {}
        for name, process in self.endpoints.processes.items():
            if name.startswith(kind) and process.metrics:
                for sample, value in samples(process.metrics):
                    total[sample] = total.get(sample, 0.0) + value
        return total

    def _stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)

    def _announced(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise Problem(f"the installation did not start:\n{self._log.read_text()[-3000:]}")
        found = self.home.last_endpoints()
        return found is not None and found.api is not None


def samples(address: str) -> list[tuple[str, float]]:
    """What a metrics address says now."""
    with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310 - our own loopback address
        text = answer.read().decode()
    found = []
    for line in text.splitlines():
        if match := _SAMPLE.match(line):
            name, labels, value = match.groups()
            found.append((f"{name}{{{labels}}}" if labels else name, float(value)))
    return found


def wait_for(condition: Callable[[], bool], deadline_s: float, what: str, every_s: float = 0.1) -> None:
    """Wait until a condition holds.

    Raises:
        Problem: it didn't within the deadline.
    """
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            raise Problem(f"waited {deadline_s:g} s for {what}")
        time.sleep(every_s)
