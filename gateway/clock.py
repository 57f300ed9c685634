"""The clock: the machine's, or a simulated one that the whole installation follows.

A simulated clock is a file of lines ``real simulated``, both in microseconds since the epoch: at that moment
of the machine's clock it was set, and from there it runs on as fast as the machine's. It is only ever set
forward. What has been received and recorded keeps the moment that the clock showed then, so a story of weeks
is played in minutes, and what is due falls due in its turn.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from pathlib import Path
from typing import Final, Protocol


class Clock(Protocol):
    """What time it is, microseconds since the epoch, UTC."""

    def now_us(self) -> int:
        """Now."""
        ...

    def at_us(self, real_us: int) -> int:
        """What it showed at a moment of the machine's clock."""
        ...

    def real_us(self, shown_us: int) -> int:
        """The last moment of the machine's clock at which it showed no more than this."""
        ...


class MachineClock:
    """The machine's own."""

    def now_us(self) -> int:
        """Now."""
        return time.time_ns() // 1000

    def at_us(self, real_us: int) -> int:
        """The same."""
        return real_us

    def real_us(self, shown_us: int) -> int:
        """The same."""
        return shown_us


class SimulatedClock:
    """A clock that a file sets.

    Args:
        path: of the file; at least one line must be there when the clock is first read.
    """

    def __init__(self, path: Path) -> None:
        self._path: Final = path
        self._read = 0
        self._real: list[int] = []
        self._shown: list[int] = []

    def now_us(self) -> int:
        """Now."""
        return self.at_us(time.time_ns() // 1000)

    def at_us(self, real_us: int) -> int:
        """What it showed at a moment of the machine's clock; before it was first set: its first moment."""
        self._follow()
        index = bisect_right(self._real, real_us) - 1
        return self._shown[0] if index < 0 else self._shown[index] + real_us - self._real[index]

    def real_us(self, shown_us: int) -> int:
        """The last moment of the machine's clock at which it showed no more than this."""
        self._follow()
        index = bisect_right(self._shown, shown_us) - 1
        if index < 0:
            return 0
        real = self._real[index] + shown_us - self._shown[index]
        return min(real, self._real[index + 1] - 1) if index + 1 < len(self._real) else real

    def _follow(self) -> None:
        if self._path.stat().st_size == self._read:
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            added = file.read()
        whole = added[: added.rfind(b"\n") + 1]
        for line in whole.splitlines():
            real, shown = line.split()
            self._real.append(int(real))
            self._shown.append(int(shown))
        self._read += len(whole)


def set_forward(path: Path, shown_us: int) -> None:
    """Set the clock of an installation; it never goes back.

    Raises:
        ValueError: it shows a later moment already.
    """
    if path.exists() and SimulatedClock(path).now_us() > shown_us:
        raise ValueError("a clock is only set forward")
    with path.open("ab") as file:
        file.write(b"%d %d\n" % (time.time_ns() // 1000, shown_us))


def open_clock(path: Path | None) -> Clock:
    """The machine's clock, or the one that a file sets."""
    return MachineClock() if path is None else SimulatedClock(path)
