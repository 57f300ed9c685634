"""Payload bytes -> observations. One file a dialect, one registry.

A codec is a pure function. It raises nothing but ``Unreadable``, whatever the bytes; it accounts for every
event of a readable payload exactly once; it keeps each event's own bytes; its positions are in WGS-84.
"""

from __future__ import annotations

from typing import Final

from devices.codecs import native
from devices.codecs.outcome import BadEvent, Codec, Unreadable

CODECS: Final[dict[str, Codec]] = {
    "native": native.decode,
}
"""Dialect of a device (its registration names it) -> codec."""

__all__ = ["CODECS", "BadEvent", "Codec", "Unreadable"]
