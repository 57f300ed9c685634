"""What carried a thing, however deep: parcel in case, on pallet, in container, on wagon, in train.

No thing carries itself. Of the stays that would close a ring, the one that began last is refused for as long
as the ring would last, and that is a conflict. Which one that is depends only on the stays above a thing, so
every reader who has those comes to the same answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

from msgspec import Struct

Moments: TypeAlias = tuple[datetime, datetime | None]


class Span(Struct, frozen=True, order=True):
    """A thing during [begins, ends)."""

    thing: str
    begins: datetime
    ends: datetime | None


class Link(Struct, frozen=True):
    """A thing in another during [begins, ends): a stay, as far as going up it is concerned."""

    begins: datetime
    child: str
    parent: str
    ends: datetime | None


class Above(Struct, frozen=True):
    """Everything that things are in, however deep, without rings.

    Attributes:
        links: by child, in order of beginning.
        rings: what was refused, and when.
    """

    links: Mapping[str, Sequence[Link]]
    rings: tuple[Link, ...]


def untangle(links: Iterable[Link]) -> Above:
    """Take links in the order in which they began; refuse what would close a ring.

    Args:
        links: with every link, those of its parent, too, and so on upwards.
    """
    given = sorted(links, key=_order)
    parents = {link.parent for link in given}
    taken: dict[str, list[Link]] = {}
    rings: list[Link] = []
    for link in given:
        rest: list[Moments] = [(link.begins, link.ends)]
        if link.child in parents:  # what has nothing in it can't be in itself
            for begins, ends in _reaching(link, taken):
                rings.append(Link(begins, link.child, link.parent, ends))
                rest = [piece for whole in rest for piece in _without(whole, (begins, ends))]
        held = taken.setdefault(link.child, [])
        if rest == [(link.begins, link.ends)]:
            held.append(link)
        else:
            held += [Link(begins, link.child, link.parent, ends) for begins, ends in rest]
    return Above(taken, tuple(rings))


def _order(link: Link) -> tuple[datetime, str, str]:
    return (link.begins, link.child, link.parent)


def carried(spans: Iterable[Span], above: Above) -> list[Span]:
    """These spans and those of everything that carried them meanwhile; one thing's never touch or overlap.

    Ten thousand parcels in one container are one ascent: what is in the same thing goes on up as one.
    """
    found: dict[str, list[Moments]] = {}
    wave: dict[str, list[Moments]] = {}
    for span in spans:
        wave.setdefault(span.thing, []).append((span.begins, span.ends))
    while wave:
        following: dict[str, list[Moments]] = {}
        for thing, moments in wave.items():
            whole = _united(moments)
            found.setdefault(thing, []).extend(whole)
            for link in above.links.get(thing, ()):
                for piece in whole:
                    shared = _shared(piece, (link.begins, link.ends))
                    if shared is not None:
                        following.setdefault(link.parent, []).append(shared)
        wave = following
    return [Span(thing, *moments) for thing in sorted(found) for moments in _united(found[thing])]


def _reaching(link: Link, taken: Mapping[str, Sequence[Link]]) -> list[Moments]:
    """When, during a link, what it is in would be in the thing itself."""
    spans = carried([Span(link.parent, link.begins, link.ends)], Above(taken, ()))
    return [(span.begins, span.ends) for span in spans if span.thing == link.child]


def _shared(one: Moments, other: Moments) -> Moments | None:
    begins = max(one[0], other[0])
    ends = _earlier(one[1], other[1])
    return (begins, ends) if ends is None or begins < ends else None


def _without(whole: Moments, part: Moments) -> Iterator[Moments]:
    shared = _shared(whole, part)
    if shared is None:
        yield whole
        return
    if whole[0] < shared[0]:
        yield (whole[0], shared[0])
    if shared[1] is not None and (whole[1] is None or shared[1] < whole[1]):
        yield (shared[1], whole[1])


def _united(moments: Iterable[Moments]) -> list[Moments]:
    found: list[Moments] = []
    for begins, ends in sorted(moments, key=lambda piece: piece[0]):
        if found and (found[-1][1] is None or begins <= found[-1][1]):
            first, last = found[-1]
            found[-1] = (first, None if last is None or ends is None else max(last, ends))
        else:
            found.append((begins, ends))
    return found


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or other is None:
        return one if other is None else other
    return min(one, other)
