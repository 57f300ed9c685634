"""The clock of an installation that is simulated on: set forward at a pace, or as fast as it goes."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from devices.observation import micros
from gateway.clock import SimulatedClock, set_forward

LONGEST_WAIT_S: Final = 0.5
"""Of the machine's time, where nothing happens in the story: then its clock jumps."""

_NEAR_US: Final = 500_000


class Pace:
    """How fast a story's time passes.

    Args:
        speed: seconds of the story in one of ours; None: as fast as it goes.
    """

    def __init__(self, speed: float | None) -> None:
        self._speed = speed
        self._shown: datetime | None = None
        self._due = 0.0

    def wait(self, moment: datetime) -> None:
        """Wait until a moment of the story has come. Who is late goes on at once, and doesn't hurry after."""
        now = time.monotonic()
        if self._speed is not None and self._shown is not None:
            passed_s = max(0.0, (moment - self._shown).total_seconds()) / self._speed
            self._due += min(passed_s, LONGEST_WAIT_S)
            if self._due > now:
                time.sleep(self._due - now)
        self._due = max(self._due, now)
        self._shown = moment


class ClockFile:
    """The file that sets an installation's clock."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, moment: datetime) -> None:
        """Write its first line, readable by every process of the installation."""
        set_forward(self.path, micros(moment))
        self.path.chmod(0o644)

    def now(self) -> datetime:
        """What it shows."""
        return datetime.fromtimestamp(SimulatedClock(self.path).now_us() / 1e6, UTC)

    def reach(self, moment: datetime) -> None:
        """Set it forward to a moment, unless it is as good as there."""
        if SimulatedClock(self.path).now_us() + _NEAR_US < micros(moment):
            set_forward(self.path, micros(moment))
