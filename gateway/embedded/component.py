"""What the supervisor knows of a part: how to start it, when it is ready, how to end it."""

import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias

# A signal and how many seconds to wait after it, one after the other until the process is gone.
StopSteps: TypeAlias = tuple[tuple[signal.Signals, float], ...]

GENTLY: Final[StopSteps] = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0))


@dataclass(frozen=True)
class Launch:
    """One child process, as it is to be spawned."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    # Sent by the kernel when the supervisor dies. SIGKILL for parts whose work is safe at any moment.
    on_orphaned: signal.Signals = signal.SIGKILL
    switch_user: Mapping[str, Any] = field(default_factory=dict)
    folder: str | None = None


class Component(Protocol):
    """A part of the system that is a process."""

    @property
    def name(self) -> str:
        """Its name in messages, logs and endpoints.json."""

    @property
    def once(self) -> bool:
        """Whether it is done when it has ended well; else it runs as long as the system does."""

    @property
    def patience_s(self) -> float:
        """How long it may take to become ready (or to be done) before it is killed and started again."""

    @property
    def stop_steps(self) -> StopSteps:
        """How it is asked to end, then made to."""

    @property
    def announces(self) -> Mapping[str, str]:
        """Fields of endpoints.json that are true once it is ready."""

    @property
    def metrics(self) -> str | None:
        """URL of its Prometheus metrics."""

    def prepare(self) -> Launch:
        """Make ready what it needs (configuration, directories), end what an earlier life left behind."""

    def ready(self) -> bool:
        """Whether it does its work now. Asked again and again while it starts; answers within a second."""


@dataclass(frozen=True)
class Worker:
    """One of our own processes: ``python -m gateway.cli <command>``.

    Args:
        name: the process's name.
        command: what follows ``bondwatch`` on the command line.
        environment: its settings.
        metrics_port: where it serves ``/metrics`` and ``/ready`` on loopback; 0: it is a step done once.
        announces: see ``Component``.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    metrics_port: int = 0
    announces: Mapping[str, str] = field(default_factory=dict)
    patience_s: float = 60.0
    stop_steps: StopSteps = GENTLY

    @property
    def once(self) -> bool:
        """A worker without a port to ask at is a step."""
        return self.metrics_port == 0

    @property
    def metrics(self) -> str | None:
        """Where its figures are."""
        return None if self.once else f"http://127.0.0.1:{self.metrics_port}/metrics"

    def prepare(self) -> Launch:
        """Nothing but the command line: a worker keeps no state outside the database."""
        argv = [sys.executable, "-m", "gateway.cli", *self.command]
        return Launch(argv, {**os.environ, **self.environment})

    def ready(self) -> bool:
        """Whether it says so itself."""
        return not self.once and answers(f"http://127.0.0.1:{self.metrics_port}/ready")


def answers(url: str) -> bool:
    """Whether an HTTP server says 200 there."""
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 - our own loopback URL
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False
