"""What the simulated world is made of: devices, what they are on, and what they report when."""

from __future__ import annotations

from typing import NamedTuple

from devices.observation import Fact


class Report(NamedTuple):
    """One fact at its time. Ordered by time, then by device."""

    time_ms: int
    device: str
    fact: Fact


class DeviceSpec(NamedTuple):
    """A device to register."""

    park: str
    code: str
    kind: str
    expected_every_s: int

    @property
    def name(self) -> str:
        """Its natural name."""
        return f"{self.park}/{self.code}"


class Attachment(NamedTuple):
    """A device on a thing."""

    device: str
    thing: str
    role: str
