"""From a fact (`devices.observation`) to the bytes of an event, checked before they are stored."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from devices.observation import Fact, micros


class Invalid(ValueError):
    """The fact says something that no gateway would take (a latitude of 91): it was not stored."""


def tail(fact: Fact) -> bytes:
    """The event's JSON after its time: ``"type":"position","lon":120.8,"lat":31.3}``.

    What is not known is left out.

    Raises:
        Invalid: a value is out of its range or of the wrong type.
    """
    fields: dict[str, Any] = msgspec.to_builtins(fact)
    said = {name: value for name, value in fields.items() if value is not None and value != []}
    try:
        msgspec.convert(said, type(fact))
    except msgspec.ValidationError as error:
        raise Invalid(f"{said.get('type')}: {error}") from error
    return msgspec.json.encode(said)[1:]


def milliseconds(time: datetime | int) -> int:
    """An event's time on the wire: milliseconds since the epoch.

    Args:
        time: an aware datetime, or the milliseconds themselves.

    Raises:
        Invalid: a datetime without an offset.
    """
    if isinstance(time, int):
        return time
    if time.tzinfo is None:
        raise Invalid(f"time {time.isoformat()} has no offset from UTC")
    return micros(time) // 1000
