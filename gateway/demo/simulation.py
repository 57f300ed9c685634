"""The simulator as a child of the demo: started, asked to end, and its one line of figures read."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from gateway.embedded.home import Endpoints, Home
from gateway.embedded.processes import die_with_parent
from gateway.problem import Problem

# It waits for receipts that are due before it disconnects and counts.
FINISH_S: Final = 90.0
STATE: Final = "simulator"
OUTBOXES: Final = f"{STATE}/outboxes"


@dataclass(frozen=True)
class Published:
    """What the simulated devices say they did.

    Attributes:
        events: distinct events handed to the broker, those left over from an earlier run included.
    """

    events: int


class Simulation:
    """One run of a scenario against the installation.

    Args:
        home: the installation's; the simulator keeps its state beside it.
        endpoints: where API and MQTT are.
        scenario: a scenario's name.
    """

    def __init__(self, home: Home, endpoints: Endpoints, scenario: str) -> None:
        self._log = home.logs / "simulator.log"
        self._figures = home.run / "simulator.json"
        mqtt = urlsplit(endpoints.mqtt or "")
        arguments = {
            "--api": endpoints.api or "",
            "--api-key-file": str(home.secret_file("api_admin_key")),
            "--mqtt": f"{mqtt.hostname}:{mqtt.port}",
            "--state": str(home.path / STATE),
        }
        argv = [sys.executable, "-m", "simulators", scenario]
        argv += [word for pair in arguments.items() for word in pair]
        with self._log.open("ab") as said, self._figures.open("wb") as figures:
            self._said_begins = said.tell()
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=figures,
                stderr=said,
                start_new_session=True,
                # Single-threaded, and the function only makes two system calls.
                preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509
            )

    @property
    def running(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def begun(self) -> bool:
        """Whether its devices are online: it says so once it has registered and connected them."""
        return b"devices are online" in self._words()

    def finish(self, tend: Callable[[Callable[[], bool]], None]) -> Published:
        """Ask it to end, wait until it has, read its figures.

        Args:
            tend: keeps the installation running until the condition it is given holds.

        Raises:
            Problem: it failed, or doesn't end.
        """
        if self.running:
            self._process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + FINISH_S
        tend(lambda: not self.running or time.monotonic() > deadline)
        if self.running:
            self.kill()
            raise Problem(f"the simulator didn't end within {FINISH_S:.0f} s", f"see {self._log}")
        lines = self._figures.read_text().strip().splitlines()
        if self._process.returncode != 0 or not lines:
            last = "\n".join(self._words().decode(errors="replace").strip().splitlines()[-5:])
            raise Problem(
                f"the simulator failed (exit code {self._process.returncode})", last or f"see {self._log}"
            )
        figures = json.loads(lines[-1])
        return Published(figures["published"] + figures.get("carried_over", 0))

    def kill(self) -> None:
        """End it now."""
        if self.running:
            self._process.kill()
            self._process.wait()

    def _words(self) -> bytes:
        with self._log.open("rb") as file:
            file.seek(self._said_begins)
            return file.read()
