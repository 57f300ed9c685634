"""The topic grammar, both directions.

``bw/v1/{park}/{device}/{channel}`` is a device's own tree; ``bw/v1/{park}/alerts/{severity}`` is for sirens
and displays. A code is 1 to 64 of ``A-Z a-z 0-9 _ -``, so a topic holds no wildcard, no dot and no empty
level, and its name means the same in MQTT (``/``) and in NATS (``.``). The device code ``alerts`` is
reserved: whoever listens to a park's alerts must not hear a device.

Source: ``docs/device-guide.md``, "Topics".
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from msgspec import Struct

ROOT: Final = "bw/v1"

EVENTS: Final = "events"
RECEIPTS: Final = "receipts"
COMMANDS: Final = "commands"
PRESENCE: Final = "presence"

CHANNELS: Final[dict[str, str]] = {
    EVENTS: "what the device reports: one event, or an array of 1 to 1000",
    RECEIPTS: "what the gateway has committed or rejected",
    COMMANDS: "what the device is asked to do",
    PRESENCE: "whether the device is connected; retained, and its last will",
}
"""Channel of a device -> what it carries."""

SEVERITIES: Final = ("critical", "major", "minor", "info")
"""The last level of an alert topic, most severe first."""

RESERVED_DEVICE: Final = "alerts"

_CODE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_TOPIC_LEVELS: Final = 5
_KNOWN_TOPICS: Final = 1 << 17


class Topic(Struct, frozen=True):
    """A topic of one device, taken apart."""

    park: str
    device: str
    channel: str

    @property
    def name(self) -> str:
        """The device's natural name, ``SIP/TRK-001``; also its MQTT user name."""
        return f"{self.park}/{self.device}"

    def agrees_with(self, stated: str | None) -> bool:
        """Whether an event that states its device may have come by this topic.

        Args:
            stated: the event's ``device`` field: the device code, or park code and device code; None agrees.
        """
        return stated is None or stated in (self.device, self.name)


def is_code(text: str) -> bool:
    """Whether the text is a code: 1 to 64 of ``A-Z a-z 0-9 _ -``."""
    return _CODE.fullmatch(text) is not None


def device_name(park: str, code: str) -> str:
    """A device's natural name, ``SIP/TRK-001``.

    Raises:
        ValueError: a part is no code, or the device code is reserved.
    """
    _check_code("park", park)
    _check_code("device", code)
    if code == RESERVED_DEVICE:
        raise ValueError(f"device code {code!r} is reserved for the park's alerts")
    return f"{park}/{code}"


def split_name(name: str) -> tuple[str, str]:
    """Park code and device code of a natural name.

    Raises:
        ValueError: the name is not ``PARK/DEVICE``.
    """
    park, slash, code = name.partition("/")
    if not slash:
        raise ValueError(f"device name {name!r} is not PARK/DEVICE")
    device_name(park, code)
    return park, code


@lru_cache(maxsize=_KNOWN_TOPICS)
def parse(topic: str) -> Topic:
    """Take a device's topic apart; remembered per topic, because a device's messages all come by the same.

    Raises:
        ValueError: not ``bw/v1/{park}/{device}/{channel}`` with good codes and a known channel.
    """
    levels = topic.split("/")
    if len(levels) != _TOPIC_LEVELS or levels[0] != "bw" or levels[1] != "v1":
        raise ValueError(f"topic {topic!r} is not {ROOT}/{{park}}/{{device}}/{{channel}}")
    _, _, park, device, channel = levels
    if channel not in CHANNELS:
        raise ValueError(f"topic {topic!r} has no known channel; known: {', '.join(CHANNELS)}")
    device_name(park, device)
    return Topic(park, device, channel)


def events_topic(name: str) -> str:
    """Where the device of that name publishes its events."""
    return _device_topic(name, EVENTS)


def receipts_topic(name: str) -> str:
    """Where the gateway tells the device of that name what is committed."""
    return _device_topic(name, RECEIPTS)


def commands_topic(name: str) -> str:
    """Where the device of that name is asked to do something."""
    return _device_topic(name, COMMANDS)


def presence_topic(name: str) -> str:
    """Where the device of that name says whether it is connected."""
    return _device_topic(name, PRESENCE)


def alerts_topic(park: str, severity: str) -> str:
    """Where alerts of that severity in that park are published.

    Raises:
        ValueError: the park is no code, or the severity is unknown.
    """
    _check_code("park", park)
    if severity not in SEVERITIES:
        raise ValueError(f"severity {severity!r} is none of {', '.join(SEVERITIES)}")
    return f"{ROOT}/{park}/{RESERVED_DEVICE}/{severity}"


def _device_topic(name: str, channel: str) -> str:
    park, code = split_name(name)
    return f"{ROOT}/{park}/{code}/{channel}"


def _check_code(what: str, text: str) -> None:
    if not is_code(text):
        raise ValueError(f"{what} code {text!r} is not 1 to 64 of A-Z a-z 0-9 _ -")
