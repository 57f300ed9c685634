"""Seals that are cut again and again, so that the time from a publish to its alert can be measured."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Coroutine, Sequence
from typing import Any, Final

from msgspec import Struct

from simulators.load_device import Login
from simulators.load_open import Meter, OpenDevice

EVERY_S: Final = 2.0
CUTS: Final = 30
"""Then another shipment takes its place: cut for hours, one would have thousands of findings, and nobody has
such a shipment to judge."""

_STOOD_MS: Final = (120_000, 90_000, 60_000, 30_000, 0)
"""Fixes from before the run, so that the goods are known to stand in the yard."""

_SEAL: Final = b'{"run":%d,"seq":%d,"time":%d,"type":"seal","seal":"LOAD-%d","state":"%b"}'
_YARD: Final = b'{"run":%d,"seq":%d,"time":%d,"type":"position","lon":%f,"lat":%f,"accuracy_m":5}'


class Probe(Struct, frozen=True):
    """A device whose seal is cut again and again, and the shipment that it is on.

    Attributes:
        login: of the device.
        shipment: its number.
        lon, lat: where it stands.
        first_s: when it is cut first, seconds since the run's beginning.
    """

    login: Login
    shipment: str
    lon: float
    lat: float
    first_s: float


def turns_s(at_once: int, for_s: float) -> list[float]:
    """When each probe of a run is cut first, so that so many are cut at a time, in turn.

    Args:
        at_once: how many.
        for_s: how long the run is, seconds.
    """
    turn_s = CUTS * EVERY_S
    return [
        turn * turn_s + EVERY_S * (0.5 + number / at_once)
        for turn in range(math.ceil(for_s / turn_s))
        for number in range(at_once)
    ]


class Clock:
    """The run's clock: everything is due on the monotonic one; events carry the wall clock's time."""

    def __init__(self) -> None:
        self.begun_us, self.wall_ms = 0, 0

    def begin(self, begun_us: int) -> None:
        """The run begins at that moment of the monotonic clock, microseconds; every process says the same."""
        self.begun_us = begun_us
        self.wall_ms = time.time_ns() // 1_000_000 - (time.monotonic_ns() // 1000 - begun_us) // 1000

    def now_s(self) -> float:
        """Seconds since the beginning; negative before it."""
        return (time.monotonic_ns() // 1000 - self.begun_us) / 1e6

    def at_ms(self, due_us: int) -> int:
        """Unix milliseconds of a moment of the monotonic clock."""
        return self.wall_ms + (due_us - self.begun_us) // 1000


class Probing:
    """All probes of a process.

    Args:
        probes: the devices and their shipments.
        run: of their events.
        clock: of the run.
        meter: takes the latencies of alerts; what the probes themselves send isn't counted as load.
    """

    def __init__(self, probes: Sequence[Probe], run: int, clock: Clock, meter: Meter) -> None:
        self._probes, self._run, self._clock, self._meter = probes, run, clock, meter
        apart = Meter()
        self.devices = [OpenDevice(one.login, one.login.name, run, apart, receipted=True) for one in probes]
        self.awaited: dict[tuple[str, int], int] = {}
        self._expected = 0

    @property
    def alerts(self) -> tuple[int, int]:
        """Expected so far, and heard."""
        return self._expected, self._expected - len(self.awaited)

    def tasks(self, for_s: float) -> list[Coroutine[Any, Any, None]]:
        """One for each probe; they end by themselves."""
        return [self._probe(number, for_s) for number in range(len(self._probes))]

    def alert(self, shipment: str, opened_ms: int) -> None:
        """An open alert came."""
        due_us = self.awaited.pop((shipment, opened_ms), None)
        if due_us is not None:
            self._meter.measured("alert", due_us, 1)

    async def _probe(self, number: int, for_s: float) -> None:
        """Stand in the yard; lock the seal, cut it, and so on."""
        device, probe, clock = self.devices[number], self._probes[number], self._clock
        due_s = probe.first_s
        last_s = min(for_s, due_s + CUTS * EVERY_S)
        await asyncio.sleep(max(0.0, due_s - EVERY_S / 2 - clock.now_s()))
        for before_ms in _STOOD_MS:
            self._say(device, _YARD, probe.lon, probe.lat, before_ms=before_ms)
        while due_s < last_s:
            self._say(device, _SEAL, number, b"locked")
            await asyncio.sleep(max(0.0, due_s - clock.now_s()))
            due_us = clock.begun_us + round(due_s * 1e6)
            time_ms = self._say(device, _SEAL, number, b"cut", due_us=due_us)
            self.awaited[probe.shipment, time_ms] = due_us
            self._expected += 1
            await asyncio.sleep(EVERY_S / 2)
            due_s += EVERY_S
        self._say(device, _SEAL, number, b"locked")

    def _say(
        self, device: OpenDevice, template: bytes, *rest: Any, due_us: int | None = None, before_ms: int = 0
    ) -> int:
        """Publish one event, due now or then; when it happened, Unix milliseconds."""
        due_us = due_us or time.monotonic_ns() // 1000
        time_ms = self._clock.at_ms(due_us) - before_ms
        device.publish(due_us, 1, template % (self._run, device.last + 1, time_ms, *rest))
        return time_ms
