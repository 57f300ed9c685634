"""Containment: events as they are recorded, stays and conflicts as they follow from them.

Events are facts and stay. Stays and conflicts are derived whole from a thing's events; what changes is
superseded, never rewritten.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
from psycopg.types.json import Jsonb

from devices.identifiers import Thing
from tracking.domain.things.ascent import Link
from tracking.domain.things.events import Event
from tracking.domain.things.fold import Conflict, History, Kind, Stay
from tracking.store.arrays import float8s, int4s, int8s, moments, texts, timestamps
from tracking.store.database import Connection, queries

SQL: Final = queries("things")


class EventRow(NamedTuple):
    """A containment event for the record. ``device_id`` 0: reported ``by`` somebody, not observed."""

    child: Thing
    parent: Thing | None
    action: str
    quantity: float | None
    time_us: int
    device_id: int = 0
    run: int = -1
    seq: int = -1
    by: str = ""


class Standing(NamedTuple):
    """What holds of some things now, each with its key."""

    stays: dict[Stay, int]
    conflicts: dict[Conflict, int]


def add_things(conn: Connection, named: Iterable[Thing]) -> None:
    """Make the things that nobody has named before, all in one statement and one order.

    Whoever names things in several statements of a transaction begins with one that names them all: two
    such transactions could else each wait for the other.
    """
    given = [(thing.uri, thing.kind, thing.label) for thing in {one.uri: one for one in named}.values()]
    if given:
        conn.execute(SQL["add_things"], [texts(column) for column in zip(*given, strict=True)])


def add_events(conn: Connection, rows: Sequence[EventRow], *, recorded_at: datetime) -> int:
    """Record containment events, the things that they name, and the work that follows.

    Returns:
        Of how many things something new is said.
    """
    if not rows:
        return 0
    add_things(conn, [thing for row in rows for thing in (row.child, row.parent) if thing is not None])
    _, _, actions, quantities, times, device_ids, runs, seqs, reporters = zip(*rows, strict=True)
    added = conn.execute(
        SQL["add_events"],
        (
            recorded_at,
            texts([row.child.uri for row in rows]),
            texts([None if row.parent is None else row.parent.uri for row in rows]),
            texts(actions),
            float8s(quantities),
            timestamps(times),
            int8s(device_ids),
            int4s(runs),
            int8s(seqs),
            texts(reporters),
        ),
    )
    return added.rowcount


def lock(conn: Connection, thing_ids: Sequence[int]) -> dict[int, str]:
    """Lock things until the transaction ends, in order; their URIs by key."""
    return dict(conn.execute(SQL["lock_things"], {"ids": list(thing_ids)}).fetchall())


def events_of(conn: Connection, thing_ids: Sequence[int]) -> dict[int, list[Event]]:
    """Every containment event of these things."""
    found: dict[int, list[Event]] = {}
    for child_id, *row in conn.execute(SQL["events_of"], {"ids": list(thing_ids)}):
        found.setdefault(child_id, []).append(Event(*row))
    return found


def standing(conn: Connection, thing_ids: Sequence[int]) -> Standing:
    """The stays and conflicts of these things that hold now."""
    ids = {"ids": list(thing_ids)}
    stays = {
        Stay(child, parent, begins, ends, quantity, _event(began), _event(ended) if ended else None): key
        for key, child, parent, begins, ends, quantity, began, ended in conn.execute(SQL["stays_of"], ids)
    }
    conflicts = {_conflict(*row): key for key, *row in conn.execute(SQL["conflicts_of"], ids)}
    return Standing(stays, conflicts)


def conflicts(conn: Connection, uris: Sequence[str]) -> list[Conflict]:
    """Where what is said of these things contradicts itself, as it holds now."""
    return [_conflict(*row) for _, *row in conn.execute(SQL["conflicts_named"], {"uris": list(uris)})]


def ring(conn: Connection, refused: Link) -> Conflict:
    """A link that would close a ring, as a conflict."""
    named = {"child": refused.child, "parent": refused.parent, "at": refused.begins}
    evidence = tuple(_event(began) for (began,) in conn.execute(SQL["began"], named))
    return Conflict(Kind.CYCLE, refused.child, (refused.parent,), refused.begins, refused.ends, evidence)


def replace(conn: Connection, held: Standing, histories: Sequence[History], *, recorded_at: datetime) -> None:
    """Let these histories hold instead of what held."""
    stays = {stay for history in histories for stay in history.stays}
    conflicts = {conflict for history in histories for conflict in history.conflicts}
    gone, come = held.stays.keys() - stays, stays - held.stays.keys()
    past, new = held.conflicts.keys() - conflicts, conflicts - held.conflicts.keys()
    for query, keys in (
        ("supersede_stays", [held.stays[stay] for stay in gone]),
        ("supersede_conflicts", [held.conflicts[conflict] for conflict in past]),
    ):
        if keys:
            conn.execute(SQL[query], {"ids": keys, "at": recorded_at})
    _add_stays(conn, sorted(come, key=lambda stay: (stay.child, stay.begins, stay.parent)), recorded_at)
    for conflict in sorted(new, key=lambda one: (one.child, one.begins, one.kind)):
        conn.execute(
            SQL["add_conflict"],
            {
                "child": conflict.child,
                "kind": conflict.kind.value,
                "parents": list(conflict.parents),
                "valid_from": conflict.begins,
                "valid_to": conflict.ends,
                "evidence": Jsonb(msgspec.to_builtins(conflict.evidence)),
                "recorded_at": recorded_at,
            },
        )


def leave_contents(conn: Connection, said: Mapping[int, datetime]) -> None:
    """Whoever is in these things from their moments on is to be judged."""
    if said:
        conn.execute(SQL["leave_contents"], (int8s(list(said)), moments(list(said.values()))))


def _add_stays(conn: Connection, stays: Sequence[Stay], recorded_at: datetime) -> None:
    if not stays:
        return
    conn.execute(
        SQL["add_stays"],
        (
            recorded_at,
            texts([stay.child for stay in stays]),
            texts([stay.parent for stay in stays]),
            moments([stay.begins for stay in stays]),
            moments([stay.ends for stay in stays]),
            float8s([stay.quantity for stay in stays]),
            texts([_json(stay.began) for stay in stays]),
            texts([None if stay.ended is None else _json(stay.ended) for stay in stays]),
        ),
    )


def _conflict(
    kind: str,
    child: str,
    parents: Sequence[str],
    begins: datetime,
    ends: datetime | None,
    evidence: Sequence[Mapping[str, Any]],
) -> Conflict:
    return Conflict(Kind(kind), child, tuple(parents), begins, ends, tuple(_event(one) for one in evidence))


def _event(document: Mapping[str, Any]) -> Event:
    return msgspec.convert(document, Event)


def _json(event: Event) -> str:
    return msgspec.json.encode(event).decode()
