"""What the database says after a run, against what was published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tests.fault import stage, story
from tracking.store import positions, work
from tracking.store.database import Connection

Key = tuple[str, int, int]

RECORDED = """
select p.code || '/' || d.code, o.run, o.seq, count(*)
from observations o join devices d using (device_id) join parks p using (park_id)
group by 1, 2, 3
"""

FINDINGS = """
select s.number, count(*)
from findings f join shipments s using (shipment_id)
where f.superseded_at is null and f.state <> 'withdrawn' and f.verdict = 'finding'
  and f.rule = 'route_deviation'
group by 1
"""

UNSENT = """
select (select count(*) from outbox where sent_at is null),
       (select count(*) from rejections)
"""


class Counts(NamedTuple):
    """The figures of a run."""

    recorded: int
    lost: int
    doubled: int
    strangers: int


def count(conn: Connection, published: Mapping[str, tuple[int, Sequence[int]]]) -> Counts:
    """Compare what is recorded with what was published: by device, its run and its numbers."""
    recorded = {(device, run, seq): times for device, run, seq, times in conn.execute(RECORDED)}
    expected = {(device, run, seq) for device, (run, numbers) in published.items() for seq in numbers}
    return Counts(
        recorded=len(recorded),
        lost=len(expected - recorded.keys()),
        doubled=sum(times - 1 for times in recorded.values()),
        strangers=len(recorded.keys() - expected),
    )


def settled(
    conn: Connection, published: Mapping[str, tuple[int, Sequence[int]]], events: int
) -> tuple[Counts, int]:
    """The figures of a run, and how many route deviations every truck has: exactly those of its story.

    Args:
        conn: of the run's database.
        published: see ``count``.
        events: of each truck.

    Raises:
        RuntimeError: nobody published what is recorded, or a truck has more or fewer deviations.
    """
    counts, found, wanted = count(conn, published), findings(conn), story.excursions(events)
    if counts.strangers:
        raise RuntimeError(f"{counts.strangers} recorded events that nobody published")
    wrong = {name: n for name in published if (n := found.get(stage.shipment_of(name), 0)) != wanted}
    if wrong:
        raise RuntimeError(f"expected {wanted} route deviations a truck, found {wrong}")
    return counts, wanted


def quiet(conn: Connection) -> bool:
    """Whether nothing waits to be folded again, judged or sent, and nothing was rejected.

    The work is counted first: what it still brings forth is in the outbox by the time that one is counted.
    """
    owed = work.unfinished(conn, positions.watermark(conn))
    unsent, rejections = conn.execute(UNSENT).fetchone() or (1, 1)
    if rejections:
        raise RuntimeError(f"{rejections} rejections; the run publishes nothing that may be rejected")
    return owed == 0 and unsent == 0


def findings(conn: Connection) -> dict[str, int]:
    """Route deviations by shipment number."""
    return {number: int(n) for number, n in conn.execute(FINDINGS)}


def raised(conn: Connection) -> set[str]:
    """Every finding that an alert was raised for."""
    return {row[0] for row in conn.execute("select finding_id from alert_findings")}
