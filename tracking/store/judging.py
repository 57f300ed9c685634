"""What a judging gathers: shipments, their terms, what carried them, and its milestones; and what it leaves.

The order of reading matters, because each statement sees what was committed when it began. The watermark is
read first, then what was in what and the devices with their states (``carrying``), then the milestones: so a
state is never newer than the milestones, and time never further than the record. What is committed in
between has left work of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from tracking.domain.custody.facts import READ_KINDS
from tracking.store.arrays import int8s, texts
from tracking.store.database import CUSTODY_CHANNEL, WORK_CHANNEL, Connection, notify, queries
from tracking.store.work import DueKind

SQL: Final = queries("judging")

OF_AREAS: Final = frozenset({"entered", "left", "crossed", "strayed", "returned"})
"""Kinds of milestones that name an area; of the others the newest tells how a device stands."""


class ShipmentRow(NamedTuple):
    """A shipment that is locked for judging."""

    shipment_id: int
    number: str
    park: str
    closed_at: datetime | None


class TermsRow(NamedTuple):
    """One revision of a shipment's terms."""

    shipment_id: int
    revision: int
    valid_from: datetime
    body: Mapping[str, Any]


class Watched(NamedTuple):
    """A device whose milestones are asked for, from when until when."""

    device_id: int
    begins: datetime
    ends: datetime | None


class GateRow(NamedTuple):
    """A gate and its device."""

    code: str
    device_id: int
    device: str
    expected_every_s: int
    last_heard: datetime | None


class MilestoneRow(NamedTuple):
    """A milestone that holds now; ``place`` is that of its device in the question, from 0."""

    place: int
    time: datetime
    kind: str
    area: str | None
    detail: Mapping[str, Any]
    at_time: datetime
    at_run: int
    at_seq: int


class AreaRow(NamedTuple):
    """A revision of an area; its geometry (GeoJSON) only where it is a gate."""

    code: str
    kind: str
    bonded: bool
    parent: str | None
    revision: int
    valid_from: datetime
    valid_to: datetime | None
    properties: Mapping[str, Any]
    geometry: Mapping[str, Any] | None


class ProfileRow(NamedTuple):
    """What a re-fold must know of a device."""

    device_id: int
    name: str
    dialect: str
    datum: str
    expected_every_s: int


def leave_shipments(
    conn: Connection, shipment_ids: Sequence[int], since: datetime, *, urgent: bool = False
) -> None:
    """Leave each of these shipments to be judged once."""
    if shipment_ids:
        parameters = {"ids": list(shipment_ids), "since": since, "urgent": urgent}
        conn.execute(SQL["leave_shipments"], parameters)


def lock_shipments(conn: Connection, shipment_ids: Sequence[int]) -> list[ShipmentRow]:
    """Lock shipments until the transaction ends, in order, and read what they are."""
    return [ShipmentRow(*row) for row in conn.execute(SQL["lock_shipments"], {"ids": list(shipment_ids)})]


def terms_of(conn: Connection, shipment_ids: Sequence[int]) -> list[TermsRow]:
    """Every revision of the terms of these shipments."""
    return [TermsRow(*row) for row in conn.execute(SQL["terms_of"], {"ids": list(shipment_ids)})]


def gates(conn: Connection, codes: Sequence[str]) -> dict[str, GateRow]:
    """Gates that have a device, by code."""
    if not codes:
        return {}
    return {row[0]: GateRow(*row) for row in conn.execute(SQL["gates"], {"codes": list(codes)})}


def milestones_of(conn: Connection, asked: Sequence[Watched]) -> list[MilestoneRow]:
    """The milestones of each device while it is asked for, and those that say how things stood before."""
    if not asked:
        return []
    with conn.cursor(binary=True) as cursor:
        cursor.execute(
            SQL["milestones_of"],
            {
                "device_ids": [one.device_id for one in asked],
                "begins": [one.begins for one in asked],
                "ends": [one.ends for one in asked],
                "kinds": list(READ_KINDS),
                "standing": [kind for kind in READ_KINDS if kind not in OF_AREAS],
            },
        )
        return [MilestoneRow(place - 1, *row) for place, *row in cursor]


def gaps(
    conn: Connection, device_id: int, begins: datetime, ends: datetime | None, longer_than_s: int
) -> list[tuple[datetime, datetime]]:
    """Silences that began in [begins, ends) and lasted longer than asked: (last heard, heard again)."""
    parameters = {"device_id": device_id, "begins": begins, "ends": ends, "longer_than_s": longer_than_s}
    return conn.execute(SQL["gaps"], parameters).fetchall()


def reference_revision(conn: Connection) -> int:
    """The revision of areas and devices."""
    row = conn.execute(SQL["reference_revision"]).fetchone()
    assert row is not None  # the migration made the row
    return int(row[0])


def area_revisions(conn: Connection) -> list[AreaRow]:
    """Every revision of every area."""
    return [AreaRow(*row) for row in conn.execute(SQL["area_revisions"])]


def put_custody_states(
    conn: Connection,
    states: Mapping[int, Mapping[str, Any]],
    *,
    judged_through: datetime,
    rules_version: int,
    recorded_at: datetime,
) -> None:
    """Show how shipments stand, by shipment."""
    if not states:
        return
    conn.execute(
        SQL["put_custody_states"],
        {
            "shipment_ids": int8s(list(states)),
            "states": texts([msgspec.json.encode(state).decode() for state in states.values()]),
            "judged_through": judged_through,
            "rules_version": rules_version,
            "recorded_at": recorded_at,
        },
    )


def tell_custody(conn: Connection, payloads: Sequence[str]) -> None:
    """Tell open pages, when this transaction commits, whose custody has been judged anew."""
    conn.execute(SQL["tell_custody"], {"channel": CUSTODY_CHANNEL, "payloads": list(payloads)})


def settle_dues(conn: Connection, kind: DueKind, dues: Mapping[int, datetime | None]) -> None:
    """Let each device or shipment have its one due row at this moment, or none.

    The caller holds the rows of the devices or shipments and has finished what work it took. A due row that
    another judge has taken stays: that judge waits for us, looks again, and settles it. Waiting for it here
    would be a deadlock.
    """
    if not dues:
        return
    parameters: dict[str, Any] = {"kind": kind, "keys": list(dues)}
    standing: dict[int, datetime] = dict(conn.execute(SQL["standing_dues"], parameters).fetchall())
    added = {key: due for key, due in dues.items() if due is not None and key not in standing}
    wrong = [key for key, due in standing.items() if dues[key] != due]
    held = (
        {key for (key,) in conn.execute(SQL["hold_dues"], {"kind": kind, "keys": wrong})} if wrong else set()
    )
    moved = {key: due for key in held if (due := dues[key]) is not None}
    dropped = sorted(held - moved.keys())
    if dropped:
        conn.execute(SQL["drop_dues"], {"kind": kind, "keys": dropped})
    for query, some in (("move_dues", moved), ("add_dues", added)):
        if some:
            conn.execute(SQL[query], {"kind": kind, "keys": list(some), "dues": list(some.values())})


def device_profiles(conn: Connection, device_ids: Sequence[int]) -> list[ProfileRow]:
    """What re-folds must know of these devices."""
    return [ProfileRow(*row) for row in conn.execute(SQL["device_profiles"], {"ids": list(device_ids)})]


def replan(conn: Connection, changed_from: datetime) -> int:
    """Leave re-folds and judgings for every device heard since a moment; returns how many devices."""
    row = conn.execute(SQL["replan"], {"changed_from": changed_from}).fetchone()
    assert row is not None  # an aggregate always has a row
    with conn.cursor() as cursor:
        notify(cursor, WORK_CHANNEL)
    return int(row[0])


def refolds_waiting(conn: Connection) -> int:
    """Devices that wait to be folded again."""
    row = conn.execute(SQL["refolds_waiting"]).fetchone()
    assert row is not None  # an aggregate always has a row
    return int(row[0])


def oldest_ready(conn: Connection, watermark: datetime | None) -> datetime | None:
    """Since when (event time) the oldest work has been ready; None when there is none."""
    row = conn.execute(SQL["oldest_ready"], {"watermark": watermark}).fetchone()
    return row[0] if row else None


def forget_event_ids(conn: Connection, before: datetime) -> int:
    """Forget ids of events recorded before a moment; returns how many."""
    return conn.execute(SQL["forget_event_ids"], {"before": before}).rowcount


def try_lock(conn: Connection, lock: int) -> bool:
    """Take an advisory lock until the transaction ends, unless somebody has it."""
    row = conn.execute(SQL["try_lock"], {"lock": lock}).fetchone()
    return row is not None and bool(row[0])
