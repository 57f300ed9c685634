"""What is dropped because of its age, week by week; what stays because it is evidence, or a fold may need it.

The rows of a week go in one transaction with what is left of them: the subtrees of their batches that are
gone whole, an entry that is a leaf of the log, and a note at each device and at each archived shipment.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from tracking.domain.ledger.pruned import Gone, PrunedTree
from tracking.store import carrying, documents, told
from tracking.store.arrays import byteas, int4s, int8s
from tracking.store.database import Connection, queries

SQL: Final = queries("retention")
SERIES: Final = queries("observations")

WEEK: Final = timedelta(weeks=1)
MARGIN: Final = timedelta(weeks=1)
"""Evidence reaches so far beyond a custody: how things stood before, what was told after."""

LOCK: Final = 0x42570012
"""Advisory lock of whoever drops."""

BATCHES: Final = 200
"""Looked at in one statement."""

SHIPMENTS: Final = 500
"""Whose evidence is looked for at once."""

MOMENT: Final = timedelta(microseconds=1)


class Evidence(NamedTuple):
    """A device's events that a shipment rests on.

    Attributes:
        shipment_id: None: a person has declared it to be in error, which must stay to be seen.
        is_archived: an archive holds them, too.
    """

    device_id: int
    begins: datetime
    ends: datetime | None
    shipment_id: int | None
    is_archived: bool

    def meets(self, begins: datetime, ends: datetime) -> bool:
        """Whether some of it lies in an interval."""
        return self.begins < ends and (self.ends is None or begins < self.ends)


class Week(NamedTuple):
    """What is to become of a week.

    Attributes:
        going: devices whose events go.
        evidence: devices whose events stay, because they are evidence.
        needed: devices whose events stay, because a fold may start there.
    """

    begins: datetime
    going: Sequence[int]
    evidence: Sequence[int]
    needed: Sequence[int]


def evidence(conn: Connection, shipment_ids: Sequence[int] | None = None) -> list[Evidence]:
    """All the evidence of these shipments; None: of all, and what was corrected.

    That is what devices said while they carried a shipment, with a margin, and what gates, scanners and
    others told of its things.
    """
    archived: dict[int, bool] = dict(conn.execute(SQL["custodies"], {"ids": shipment_ids}).fetchall())
    numbers = sorted(archived)
    found = []
    for begin in range(0, len(numbers), SHIPMENTS):
        found += _evidence(conn, {number: archived[number] for number in numbers[begin : begin + SHIPMENTS]})
    if shipment_ids is None:
        corrected = conn.execute(SQL["corrected"]).fetchall()
        found += [Evidence(device, time, time + MOMENT, None, False) for device, time in corrected]
    return found


def _evidence(conn: Connection, archived: Mapping[int, bool]) -> list[Evidence]:
    carried = carrying.carrying(conn, carrying.goods_of(conn, list(archived)))
    papers = documents.concerning(conn, carried, list(archived))
    reports = told.told_of(conn, carried, [(paper.owner, paper.entry) for paper in papers])
    by_carriage = [
        Evidence(
            one.device_id,
            one.begins - MARGIN,
            None if one.ends is None else one.ends + MARGIN,
            shipment_id,
            archived[shipment_id],
        )
        for shipment_id, found in carried.items()
        for one in found.carriers
    ]
    return by_carriage + [
        Evidence(one.device_id, one.event_time, one.event_time + MOMENT, one.owner, archived[one.owner])
        for one in reports
    ]


def plan(
    conn: Connection,
    held: Collection[Evidence],
    *,
    before: datetime,
    evidence_before: datetime | None,
    floor: datetime,
) -> list[Week]:
    """What would go.

    Args:
        conn: any connection.
        held: all evidence.
        before: weeks that end by then lose what is nobody's evidence.
        evidence_before: weeks that end by then lose what archived shipments rest on, too; None: none does.
        floor: nothing older may arrive any more.
    """
    found = []
    for (begins,) in conn.execute(SQL["weeks"], {"before": before}).fetchall():
        ends = begins + WEEK
        if ends > before:
            continue
        may_go = evidence_before is not None and ends <= evidence_before
        kept = {one.device_id for one in held if one.meets(begins, ends) and not (one.is_archived and may_go)}
        asked = {"week": begins, "ends": ends, "floor": floor}
        there: dict[int, bool] = dict(conn.execute(SQL["devices_of_week"], asked).fetchall())
        found.append(
            Week(
                begins,
                going=[one for one, is_needed in there.items() if one not in kept and not is_needed],
                evidence=[one for one in there if one in kept],
                needed=[one for one, is_needed in there.items() if one not in kept and is_needed],
            )
        )
    return [week for week in found if week.going or week.evidence or week.needed]


def drop(conn: Connection, week: Week, held: Collection[Evidence], *, by: str, now: datetime) -> int:
    """Drop what goes of a week, in one transaction; returns how many events that were."""
    if not week.going:
        return 0
    ends, devices = week.begins + WEEK, list(week.going)
    rows = {"week": week.begins, "ends": ends, "devices": devices}
    with conn.transaction():
        conn.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
        going: dict[int, list[int]] = {}
        for batch_id, leaf in conn.execute(SQL["leaves_of_week"], rows):
            going.setdefault(batch_id, []).append(leaf)
        events = sum(map(len, going.values()))
        numbers = sorted(going)
        for begin in range(0, len(numbers), BATCHES):
            _prune(conn, {number: going[number] for number in numbers[begin : begin + BATCHES]})
        conn.execute(SERIES["lift_decompression_limit"])
        conn.execute(SQL["delete_observations"], rows)
        conn.execute(SQL["delete_readings"], rows)
        conn.execute(SQL["note_devices"], rows)
        touched = {
            one.shipment_id
            for one in held
            if one.shipment_id is not None
            and one.is_archived
            and one.device_id in set(devices)
            and one.meets(week.begins, ends)
        }
        conn.execute(SQL["note_archives"], {"shipments": sorted(touched), "at": now})
        kept = len(week.evidence) + len(week.needed)
        conn.execute(
            SQL["add_retention"],
            {
                "week": week.begins,
                "events": events,
                "devices": len(devices),
                "kept": kept,
                "by": by,
                "at": now,
            },
        )
    return events


def trees(conn: Connection, batches: Sequence[int]) -> dict[int, PrunedTree]:
    """The trees of these batches, of what is left of them and of what is known to be gone."""
    asked = {"batches": list(batches)}
    hashes: dict[int, dict[int, bytes]] = {batch: {} for batch in batches}
    gone: dict[int, list[Gone]] = {batch: [] for batch in batches}
    for batch, leaf, hashed in conn.execute(SQL["batch_leaves"], asked):
        hashes[batch][leaf] = hashed
    for batch, *one in conn.execute(SQL["gone_of"], asked):
        gone[batch].append(Gone(*one))
    sizes = conn.execute(SQL["batch_sizes"], asked)
    return {batch: PrunedTree(size, hashes[batch], gone[batch]) for batch, size in sizes}


def dropped_through(conn: Connection, device_id: int) -> datetime | None:
    """Up to when events of a device are gone; None: none are."""
    row = conn.execute(SQL["dropped_through"], {"device_id": device_id}).fetchone()
    return None if row is None else row[0]


def _prune(conn: Connection, going: Mapping[int, Sequence[int]]) -> None:
    """Replace what is known to be gone of these batches.

    Raises:
        Missing: an event of one of them is missing already and nobody dropped it: verify names it.
    """
    batches = sorted(going)
    found = trees(conn, batches)
    gone = [(batch, one) for batch in batches for one in found[batch].without(going[batch])]
    conn.execute(SQL["forget_gone"], {"batches": batches})
    conn.execute(
        SQL["add_gone"],
        {
            "batches": int8s([batch for batch, _ in gone]),
            "begins": int4s([one.begins for _, one in gone]),
            "ends": int4s([one.ends for _, one in gone]),
            "hashes": byteas([one.hash for _, one in gone]),
        },
    )
