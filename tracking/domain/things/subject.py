"""Which thing an event itself names, and what a scan says of one thing in another."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple

from devices.identifiers import Thing, parse_thing
from devices.observation import Gate, Handover, Position, Reading, Scan, Seal
from tracking.domain.things.events import CHANGES, Change

_THINGS_KNOWN: Final = 1 << 16


class Move(NamedTuple):
    """What goes into what, or comes out. No parent: out of whatever it is in."""

    child: Thing
    parent: Thing | None


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


def moved(fact: Any) -> Move | None:
    """What a scan says of a thing in another; None for all other facts.

    What goes in needs a parent; what comes out leaves what it is in.
    """
    if type(fact) is not Scan or fact.action not in CHANGES:
        return None
    child = _thing(fact.code)
    parent = None if fact.parent is None else _thing(fact.parent)
    if child is None or (parent is None and CHANGES[fact.action] is Change.INTO):
        return None
    return Move(child, parent)


def thing_uri(text: str) -> str | None:
    """The URI of what a text names; None when it names nothing."""
    found = _thing(text)
    return None if found is None else found.uri


@lru_cache(maxsize=_THINGS_KNOWN)
def _thing(text: str) -> Thing | None:
    try:
        return parse_thing(text)
    except ValueError:
        return None
