"""What the simulated world is made of: devices, what they are on, what they report, and what firms say."""

from __future__ import annotations

from typing import Any, NamedTuple

from devices.observation import Fact


class Report(NamedTuple):
    """One fact at its time. Ordered by time, then by device."""

    time_ms: int
    device: str
    fact: Fact


class Paper(NamedTuple):
    """What a firm or an office says over the API at its time: POST to ``path`` below ``/v1``."""

    time_ms: int
    path: str
    body: dict[str, Any]

    @property
    def device(self) -> str:
        """Nobody's: of one moment papers come before reports."""
        return ""


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
    """A device on a thing, from a moment on (RFC 3339)."""

    device: str
    thing: str
    role: str
    begins: str
