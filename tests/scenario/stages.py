"""Installations to play on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from devices.observation import micros
from gateway.clock import SimulatedClock, set_forward
from simulators.playing.player import Player
from tests.fault.api import Api
from tests.fault.stack import Stack
from tests.fault.waiting import until
from tracking.store import positions, work
from tracking.store.database import connect

NEAR_US = 500_000
SETTLED_S = 120.0


class Staged(Api):
    """The system under test, under a simulated clock that jumps."""

    def __init__(self, stack: Stack, clock: Path) -> None:
        super().__init__(stack.api, stack.key)
        self._stack = stack
        self._clock = clock

    @property
    def broker(self) -> tuple[str, int]:
        return "127.0.0.1", self._stack.mqtt_port

    def reach(self, moment: datetime) -> None:
        if SimulatedClock(self._clock).now_us() + NEAR_US < micros(moment):
            set_forward(self._clock, micros(moment))

    def settle(self, moment: datetime) -> None:
        published = datetime.fromtimestamp(SimulatedClock(self._clock).now_us() / 1e6, UTC)
        moment = max(moment, published)
        with connect(self._stack.dsn) as conn:

            def is_settled() -> bool:
                through = positions.watermark(conn)
                return through is not None and through >= moment and work.unfinished(conn, through) == 0

            until(is_settled, SETTLED_S, f"everything up to {moment:%Y-%m-%d %H:%M} to be judged")


class Stage(Player):
    """One installation under a simulated clock, and the means to kill parts of it."""

    def __init__(self, stack: Stack, clock: Path) -> None:
        super().__init__(Staged(stack, clock))
        self.stack = stack


@contextmanager
def stage(directory: Path, begins: datetime) -> Iterator[Stage]:
    """A new installation in a directory, whose clock shows this moment."""
    clock = directory / "clock"
    set_forward(clock, micros(begins))
    clock.chmod(0o644)
    stack = Stack(directory, clock=clock)
    try:
        stack.start()
        playing = Stage(stack, clock)
        try:
            yield playing
        finally:
            playing.close()
    finally:
        stack.stop()
