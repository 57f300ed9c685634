"""What the supervisor knows of a part: how to start it, when it is ready, how to end it."""

import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

# A signal and how many seconds to wait after it, one after the other until the process is gone.
type_steps = tuple[tuple[signal.Signals, float], ...]

GENTLY: Final[type_steps] = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0))


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
    """A part that runs as long as the system runs."""

    @property
    def name(self) -> str:
        """Its name in messages, logs and endpoints.json."""

    @property
    def patience_s(self) -> float:
        """How long it may take to become ready before it is killed and started again."""

    @property
    def stop_steps(self) -> type_steps:
        """How it is asked to end, then made to."""

    def prepare(self) -> Launch:
        """Make ready what it needs (configuration, directories), end what an earlier life left behind."""

    def ready(self) -> bool:
        """Whether it does its work now. Asked again and again while it starts; answers within a second."""


@dataclass(frozen=True)
class Worker:
    """One of our own processes: ``python -m gateway.cli <command>``."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    ready_url: str
    patience_s: float = 60.0
    stop_steps: type_steps = GENTLY

    def prepare(self) -> Launch:
        """Nothing but the command line: a worker keeps no state outside the database."""
        return Launch(
            [sys.executable, "-m", "gateway.cli", *self.command], {**os.environ, **self.environment}
        )

    def ready(self) -> bool:
        """Whether it says so itself."""
        return answers(self.ready_url)


@dataclass(frozen=True)
class Step:
    """Something that is done once at the start, before what follows it."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    patience_s: float = 600.0
    stop_steps: type_steps = GENTLY

    def prepare(self) -> Launch:
        """The command line."""
        return Launch(
            [sys.executable, "-m", "gateway.cli", *self.command], {**os.environ, **self.environment}
        )

    def ready(self) -> bool:
        """Never while it runs: it is done when it has ended well."""
        return False


def answers(url: str) -> bool:
    """Whether an HTTP server says 200 there."""
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 - our own loopback URL
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False
