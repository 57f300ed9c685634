"""From a fact (`devices.observation`) to the bytes of an event, checked before they are stored."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from devices.observation import Fact, Handover, micros, moment
from devices.signing import Sign, signed

Tail: TypeAlias = bytes | Callable[[int, int], bytes]
"""An event's JSON after its time, or what makes it of run and number: a signature is over these, too."""


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


def signed_tail(fact: Handover, sign: Sign, device: str, time_ms: int) -> Tail:
    """The same of a handover that is signed as soon as it has its number.

    Raises:
        Invalid: as ``tail`` does.
    """
    tail(fact)

    def made(run: int, seq: int) -> bytes:
        return tail(signed(fact, sign, device=device, run=run, seq=seq, time=moment(time_ms * 1000)))

    return made


def written(text: Tail, run: int, seq: int) -> bytes:
    """A tail's bytes."""
    return text if isinstance(text, bytes) else text(run, seq)


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
