"""Which thing an event itself names."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from devices.identifiers import parse_thing
from devices.observation import Gate, Handover, Position, Reading, Scan, Seal

_THINGS_KNOWN: Final = 1 << 16


def subject(fact: Any) -> str | None:
    """The thing that a fact itself names, as a URI; None where the attachment decides."""
    match fact:
        case Position(thing=str(text)):
            return thing_uri(text)
        case Scan(code=text) | Reading(thing=str(text)) | Seal(thing=str(text)):
            return thing_uri(text)
        case Gate(plate=str(text)):
            return thing_uri(text)
        case Handover(thing=str(text)) | Handover(code=str(text)):
            return thing_uri(text)
    return None


@lru_cache(maxsize=_THINGS_KNOWN)
def thing_uri(text: str) -> str | None:
    """The URI of what a text names; None when it names nothing."""
    try:
        return parse_thing(text).uri
    except ValueError:
        return None
