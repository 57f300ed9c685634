"""An embedded installation as a process of its own: broker and database, and what else a test asks for.

Run as a program it supervises; imported, it starts that program and looks at it from outside.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from gateway.embedded.home import Endpoints, Home
from gateway.embedded.processes import ProcessRef, alive, end_all

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]


def until(condition: Callable[[], T], what: str, deadline_s: float = 45.0) -> T:
    """The first true answer."""
    end = time.monotonic() + deadline_s
    while not (answer := condition()):
        assert time.monotonic() < end, f"waited {deadline_s:g} s for {what}"
        time.sleep(0.03)
    return answer


class Installation:
    """A supervisor under test.

    Args:
        directory: where its home and its console are.
        prefix: a command that runs it (another user).
        parts: ``servers`` (broker, database, migrations) or ``all``.
    """

    def __init__(self, directory: Path, *, prefix: Sequence[str] = (), parts: str = "servers") -> None:
        self.home = Home(directory / "home")
        self.console = directory / "console"
        self._command = [*prefix, sys.executable, "-m", "tests.support.installation", parts]
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("BONDWATCH_")
        }
        self.environment |= {
            "BONDWATCH_HOME": str(self.home.path),
            "BONDWATCH_MQTT_PORT": "0",
            "BONDWATCH_API_PORT": "0",
        }
        self.process: subprocess.Popen[bytes] | None = None

    def launch(self) -> subprocess.Popen[bytes]:
        """Start it, don't wait."""
        with self.console.open("ab") as output:
            self.process = subprocess.Popen(
                self._command,
                env=self.environment,
                cwd=ROOT,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return self.process

    def start(self) -> Endpoints:
        """Start it and wait until every part is ready."""
        process = self.launch()
        said = len(self.said())

        def ready() -> bool:
            assert process.poll() is None, f"ended with {process.returncode}:\n{self.said()}"
            return "everything ready" in self.said()[said:]

        until(ready, "everything to be ready")
        return self.home.endpoints()

    def said(self) -> str:
        """Its console."""
        return self.console.read_text() if self.console.exists() else ""

    def refs(self) -> dict[str, ProcessRef]:
        """The parts that endpoints.json names now."""
        found = self.home.last_endpoints()
        return {name: process.ref for name, process in found.processes.items()} if found else {}

    def kill(self) -> None:
        """End the supervisor with -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it by a signal; its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(40)

    def clear(self) -> None:
        """Leave nothing running, however the test ended."""
        refs = list(self.refs().values())
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        end_all([ref for ref in refs if alive(ref)], (signal.SIGKILL, 10.0))


def main() -> None:
    """Supervise until a signal."""
    from gateway import cli, logging
    from gateway.embedded import plan
    from gateway.embedded.ports import Ports
    from gateway.embedded.supervisor import Stopped, Supervisor
    from gateway.problem import Problem
    from gateway.settings import Settings

    settings = Settings.load(log_format="console")
    logging.configure(settings, "test")
    try:
        home = Home(settings.home).prepare()
        parts = [plan.servers(settings, home, Ports()), plan.migrations(settings)]
        if sys.argv[1] == "all":
            parts = plan.stages(settings, home)
        supervisor = Supervisor(home, parts)
        with suppress(Stopped), supervisor.running():
            print("everything ready", flush=True)
            supervisor.watch()
    except Problem as problem:
        cli.fail(problem)


if __name__ == "__main__":
    main()
