"""What is dropped because of its age, week by week; what stays because it is evidence, or a fold may need it.

The rows of a week go in one transaction with what is left of them: the subtrees of their batches that are
gone whole, an entry that is a leaf of the log, and a note at each device and at each archived shipment.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

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

LEAVES: Final = 10_000
"""Fetched at once."""

SHIPMENTS: Final = 500
"""Whose evidence is looked for and held at once; so many corrections, too."""

MOMENT: Final = timedelta(microseconds=1)

CLOCKS_APART: Final = timedelta(minutes=1)
"""So much the clocks of those who record and of who archives may differ."""


class Evidence(NamedTuple):
    """A device's events that a shipment rests on.

    Attributes:
        shipment_id: None: a person has declared it to be in error, which must stay to be seen.
        archived_at: an archive holds them, too, as far as they were recorded by then; None: none does.
    """

    device_id: int
    begins: datetime
    ends: datetime | None
    shipment_id: int | None
    archived_at: datetime | None

    def meets(self, begins: datetime, ends: datetime) -> bool:
        """Whether some of it lies in an interval."""
        return self.begins < ends and (self.ends is None or begins < self.ends)

    def holds(self, recorded_at: datetime) -> bool:
        """Whether the archive holds what was recorded at a moment."""
        return self.archived_at is not None and recorded_at < self.archived_at - CLOCKS_APART


class Present(NamedTuple):
    """What is there of a device in a week.

    Attributes:
        is_needed: a fold may start there.
        newest: when the last of it was recorded.
    """

    is_needed: bool
    newest: datetime


class Week(NamedTuple):
    """What is to become of a week.

    Attributes:
        going: devices whose events go.
        evidence: devices whose events stay, because they are evidence.
        needed: devices whose events stay, because a fold may start there.
        archives: archived shipments that rest on some of what goes.
    """

    begins: datetime
    going: Sequence[int]
    evidence: Sequence[int]
    needed: Sequence[int]
    archives: Sequence[int]


def evidence(conn: Connection, shipment_ids: Sequence[int] | None = None) -> Iterator[Evidence]:
    """All the evidence of these shipments; None: of all, and what was corrected. Read as it is asked for.

    That is what devices said while they carried a shipment, with a margin, and what gates, scanners and
    others told of its things.
    """
    ids = None if shipment_ids is None else list(shipment_ids)
    for page in _pages(conn, "custodies", {"ids": ids}):
        yield from _evidence(conn, dict(page))
    if shipment_ids is None:
        for page in _pages(conn, "corrected", {}):
            for _, device, time in page:
                yield Evidence(device, time, time + MOMENT, None, None)


def _pages(conn: Connection, query: str, asked: Mapping[str, Any]) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of a query that is asked by its first column."""
    after = 0
    while page := conn.execute(SQL[query], {**asked, "after": after, "limit": SHIPMENTS}).fetchall():
        yield page
        after = page[-1][0]


def _evidence(conn: Connection, archived: Mapping[int, datetime | None]) -> list[Evidence]:
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
    conn: Connection, *, before: datetime, evidence_before: datetime | None, floor: datetime
) -> list[Week]:
    """What would go. Holds the devices of each week, and evidence for a moment only.

    Args:
        conn: any connection.
        before: weeks that end by then lose what is nobody's evidence.
        evidence_before: weeks that end by then lose what archives hold, too; None: none does.
        floor: nothing older may arrive any more.
    """
    there: dict[datetime, dict[int, Present]] = {}
    for (begins,) in conn.execute(SQL["weeks"], {"before": before}).fetchall():
        if begins + WEEK <= before:
            asked = {"week": begins, "ends": begins + WEEK, "floor": floor}
            rows = conn.execute(SQL["devices_of_week"], asked)
            there[begins] = {device: Present(is_needed, newest) for device, is_needed, newest in rows}
    kept: dict[datetime, set[int]] = {begins: set() for begins in there}
    for begins, one in _met(conn, there):
        may_go = evidence_before is not None and begins + WEEK <= evidence_before
        if not (may_go and one.holds(there[begins][one.device_id].newest)):
            kept[begins].add(one.device_id)
    going = {
        begins: [one for one, found in devices.items() if one not in kept[begins] and not found.is_needed]
        for begins, devices in there.items()
    }
    archives = _archives(conn, going) if evidence_before is not None else {}
    weeks = [
        Week(
            begins,
            going=going[begins],
            evidence=[one for one in devices if one in kept[begins]],
            needed=[one for one, found in devices.items() if one not in kept[begins] and found.is_needed],
            archives=sorted(archives.get(begins, ())),
        )
        for begins, devices in there.items()
    ]
    return [week for week in weeks if week.going or week.evidence or week.needed]


def _met(conn: Connection, weeks: Mapping[datetime, Collection[int]]) -> Iterator[tuple[datetime, Evidence]]:
    """Each piece of evidence of these devices with each of the weeks that it meets."""
    for one in evidence(conn):
        for begins, devices in weeks.items():
            if one.device_id in devices and one.meets(begins, begins + WEEK):
                yield begins, one


def _archives(conn: Connection, going: Mapping[datetime, Sequence[int]]) -> dict[datetime, set[int]]:
    """The archived shipments that rest on what goes, by week."""
    found: dict[datetime, set[int]] = {}
    for begins, one in _met(conn, {begins: frozenset(devices) for begins, devices in going.items()}):
        if one.shipment_id is not None and one.archived_at is not None:
            found.setdefault(begins, set()).add(one.shipment_id)
    return found


def drop(conn: Connection, week: Week, *, by: str, now: datetime) -> int:
    """Drop what goes of a week, in one transaction; returns how many events that were."""
    if not week.going:
        return 0
    ends, devices = week.begins + WEEK, list(week.going)
    rows = {"week": week.begins, "ends": ends, "devices": devices}
    with conn.transaction():
        conn.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
        events = 0
        for going in _leaves(conn, rows):
            events += sum(map(len, going.values()))
            _prune(conn, going)
        conn.execute(SERIES["lift_decompression_limit"])
        conn.execute(SQL["delete_observations"], rows)
        conn.execute(SQL["delete_readings"], rows)
        conn.execute(SQL["note_devices"], rows)
        conn.execute(SQL["note_archives"], {"shipments": list(week.archives), "at": now})
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


def _leaves(conn: Connection, rows: Mapping[str, Any]) -> Iterator[dict[int, list[int]]]:
    """The leaves that go, by batch; some whole batches at once, because a week is more than fits."""
    with conn.cursor(name="leaves_of_week") as cursor:
        cursor.itersize = LEAVES
        cursor.execute(SQL["leaves_of_week"], rows)
        going: dict[int, list[int]] = {}
        for batch_id, leaf in cursor:
            if batch_id not in going and len(going) == BATCHES:
                yield going
                going = {}
            going.setdefault(batch_id, []).append(leaf)
        if going:
            yield going


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
