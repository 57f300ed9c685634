"""Which devices speak for a thing: those on it, and those on whatever it is in, while it is.

Decided by intervals each time anew: a scan that is recorded late changes the answer, not the record. The
judge, the trace and the timeline all ask here. Containment is read before the devices' states, and both
before the milestones (``judging`` says why).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from tracking.domain.custody.intervals import overlap, united
from tracking.domain.custody.told import Aboard
from tracking.domain.things.ascent import Above, Link, Span, carried, untangle
from tracking.domain.things.fold import Conflict
from tracking.store import things
from tracking.store.database import Connection, queries

SQL: Final = queries("things")


class Held(NamedTuple):
    """Something whose whereabouts are asked for: a thing of an owner's (a shipment), for a time."""

    owner: int
    thing_id: int
    thing: str
    begins: datetime
    ends: datetime | None


class Carrier(NamedTuple):
    """A device that was on something, or on what that was in (``is_aboard``), and its state (None: never
    heard). ``thing`` is the label of what it was on, ``uri`` its name.
    """

    device_id: int
    device: str
    role: str
    thing: str
    expected_every_s: int
    begins: datetime
    ends: datetime | None
    state: bytes | None
    is_aboard: bool
    kind: str
    uri: str


class Part(NamedTuple):
    """A thing of an owner's, or one that carried it, while it did."""

    thing_id: int
    aboard: Aboard


class Carrying(NamedTuple):
    """What carried an owner's things, in order of device and beginning; these and all they were in, in order
    of beginning; and what contradicts itself there.
    """

    carriers: tuple[Carrier, ...]
    conflicts: tuple[Conflict, ...]
    parts: tuple[Part, ...]


NOTHING: Final = Carrying((), (), ())


class _Thing(NamedTuple):
    thing_id: int
    uri: str
    kind: str
    label: str


class _Device(NamedTuple):
    uri: str
    label: str
    device_id: int
    device: str
    kind: str
    role: str
    expected_every_s: int
    begins: datetime
    ends: datetime | None
    state: bytes | None


def goods_of(conn: Connection, shipment_ids: Sequence[int]) -> list[Held]:
    """The things of these shipments, while they are under custody."""
    with conn.cursor(binary=True) as cursor:
        return [Held(*row) for row in cursor.execute(SQL["goods_of"], {"ids": list(shipment_ids)})]


def carrying(conn: Connection, held: Sequence[Held]) -> dict[int, Carrying]:
    """What carried these things, by owner, in a few statements for all of them."""
    if not held:
        return {}
    asked = {"ids": sorted({one.thing_id for one in held})}
    with conn.cursor(binary=True) as cursor:
        links = [Link(*row) for row in cursor.execute(SQL["links_above"], asked)]
        uris = {one.thing for one in held} | {link.parent for link in links}
        named = {"uris": sorted(uris)}
        above = untangle(links)
        conflicts = [
            *things.conflicts(conn, named["uris"]),
            *(things.ring(conn, link) for link in above.rings),
        ]
        known = {thing.uri: thing for thing in map(_Thing._make, cursor.execute(SQL["things_named"], named))}
        devices: dict[str, list[_Device]] = {}
        for row in cursor.execute(SQL["devices_on"], named):
            device = _Device(*row)
            devices.setdefault(device.uri, []).append(device)
    owned: dict[int, list[Span]] = {}
    for one in held:
        owned.setdefault(one.owner, []).append(Span(one.thing, one.begins, one.ends))
    return {owner: _carrying(spans, above, known, devices, conflicts) for owner, spans in owned.items()}


def _carrying(
    spans: Sequence[Span],
    above: Above,
    known: Mapping[str, _Thing],
    devices: Mapping[str, Sequence[_Device]],
    conflicts: Sequence[Conflict],
) -> Carrying:
    found: dict[tuple[int, str, str], list[tuple[tuple[datetime, datetime | None], tuple[_Device, ...]]]] = {}
    goods = {span.thing for span in spans}
    doubtful: set[Conflict] = set()
    parts: list[Part] = []
    by_child: dict[str, list[Conflict]] = {}
    for conflict in conflicts:
        by_child.setdefault(conflict.child, []).append(conflict)
    for span in carried(spans, above):
        meanwhile = (span.begins, span.ends)
        thing = known[span.thing]
        aboard = Aboard(thing.uri, thing.kind, thing.label, thing.uri in goods, *meanwhile)
        parts.append(Part(thing.thing_id, aboard))
        doubtful |= {
            one for one in by_child.get(span.thing, ()) if overlap((one.begins, one.ends), meanwhile)
        }
        for device in devices.get(span.thing, ()):
            shared = overlap((device.begins, device.ends), meanwhile)
            if shared is not None:
                key = (device.device_id, device.role, device.uri)
                found.setdefault(key, []).append((shared, (device,)))
    carriers = [
        Carrier(
            device.device_id, device.device, device.role, device.label, device.expected_every_s, begins, ends,
            device.state, device.uri not in goods, device.kind, device.uri,
        )
        for pieces in found.values()
        for (begins, ends), (device, *_) in united(pieces)
    ]  # fmt: skip
    return Carrying(
        tuple(sorted(carriers, key=lambda c: (c.device_id, c.begins, c.role, c.thing))),
        tuple(sorted(doubtful, key=lambda c: (c.begins, c.child, c.kind))),
        tuple(sorted(parts, key=lambda part: (part.aboard.begins, part.aboard.thing))),
    )
