"""Which things an event itself names, and what a scan says of one thing in another."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final, NamedTuple

from devices.identifiers import Thing, own_thing, parse_thing
from devices.observation import Gate, Handover, Position, Reading, Scan, Seal
from tracking.domain.things.events import CHANGES, Change

_THINGS_KNOWN: Final = 1 << 16


class Move(NamedTuple):
    """What goes into what, or comes out. No parent: out of whatever it is in."""

    child: Thing
    parent: Thing | None


class Named(NamedTuple):
    """A thing that a fact names; ``is_parent``: only as what another one went into or came out of."""

    thing: Thing
    is_parent: bool = False


def named(fact: Any) -> tuple[Named, ...]:
    """Everything that a gate, a scan, a seal or a handover names, each once; nothing of other facts."""
    match fact:
        case Gate():
            read = [_thing(text) for text in (fact.plate, fact.trailer_plate, *fact.containers) if text]
            numbered = [_own("seal", number) for number in fact.seals]
            found = [*read, *numbered, fact.pass_number and _own("pass", fact.pass_number)]
        case Seal():
            found = [_own("seal", fact.seal), fact.thing and _thing(fact.thing)]
        case Handover():
            found = [_thing(text) for text in (fact.thing, fact.code) if text]
        case Scan():
            code, parent = _thing(fact.code), fact.parent and _thing(fact.parent)
            as_parent = [Named(parent, is_parent=True)] if parent else []
            return _once([*([Named(code)] if code else []), *as_parent])
        case _:
            return ()
    return _once([Named(thing) for thing in found if thing])


def _once(found: Iterable[Named]) -> tuple[Named, ...]:
    by_uri: dict[str, Named] = {}
    for one in found:
        by_uri.setdefault(one.thing.uri, one)
    return tuple(by_uri.values())


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
def _own(kind: str, number: str) -> Thing | None:
    try:
        return own_thing(kind, number)
    except ValueError:
        return None


@lru_cache(maxsize=_THINGS_KNOWN)
def _thing(text: str) -> Thing | None:
    try:
        return parse_thing(text)
    except ValueError:
        return None
