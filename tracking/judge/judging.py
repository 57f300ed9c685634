"""Shipments: gather facts, fold custody, commit. One transaction.

1. take      due work of shipments and of the devices that carry them; other judges pass it over
2. lock      the shipments concerned, in order; whoever judges them meanwhile commits first
3. gather    facts, as committed by now
4. judge     facts -> findings                                                        pure
5. write     findings in versions, alerts, outbox, how it stands
6. finish    delete the work, settle when to look again

Dying before the commit leaves the work as it was. Whichever of two concurrent changes commits last, its work
is judged after both: step 3 reads after step 2 has waited.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from time import perf_counter
from typing import Final

from devices.observation import EPOCH
from tracking.domain.custody.facts import Facts
from tracking.domain.custody.judge import Judgement, judge
from tracking.domain.custody.rules import RULES_VERSION
from tracking.judge import measures
from tracking.judge.announce import announce, tell_judged
from tracking.judge.gather import gather
from tracking.judge.outcome import changes
from tracking.judge.places import Areas
from tracking.store import concern, findings, judging, work
from tracking.store.database import Connection
from tracking.store.work import Work, WorkKind


class Judging:
    """The task of judging shipments."""

    name: Final = "shipments"
    kinds: Final[tuple[WorkKind, ...]] = ("device", "shipment", "shipment_due")
    limit: Final = 50

    def __init__(self) -> None:
        self._areas = Areas()

    def do(self, conn: Connection, taken: Sequence[Work], watermark: datetime | None, now: datetime) -> None:
        """Steps 2 to 6, within the transaction that took the work."""
        changed: dict[int, datetime] = {}
        concerned: set[int] = set()
        for row in taken:
            if row.kind == "device":
                changed[row.key] = min(changed.get(row.key, row.changed_from), row.changed_from)
            else:
                concerned.add(row.key)
        concerned.update(concern.concerned_shipments(conn, changed, {}))
        dues = judge_shipments(conn, self._areas, sorted(concerned), watermark, now)
        work.finish(conn, [row.work_id for row in taken])
        judging.settle_dues(conn, "shipment_due", dues)


def judge_shipments(
    conn: Connection, areas: Areas, shipment_ids: Sequence[int], watermark: datetime | None, now: datetime
) -> dict[int, datetime | None]:
    """Judge shipments by all their facts, as of the watermark. Within a transaction.

    Returns:
        When to look at each again though nothing has come; None: never.
    """
    if not shipment_ids:
        return {}
    until = watermark or EPOCH
    with measures.step("gather"):
        shipments = judging.lock_shipments(conn, shipment_ids)
        facts = gather(conn, shipments, areas.current(conn), until)
        held = findings.effective_of(conn, [shipment.shipment_id for shipment in shipments])
    with measures.step("judge"):
        judged = [(shipment, _judged(facts[shipment.shipment_id], until)) for shipment in shipments]
        found = [(shipment, changes(judgement, held[shipment.shipment_id])) for shipment, judgement in judged]
    with measures.step("commit"):
        findings.replace(
            conn,
            [(shipment.shipment_id, change.after) for shipment, changed in found for change in changed],
            recorded_at=now,
        )
        for shipment, changed in found:
            announce(conn, shipment, changed, now)
            for change in changed:
                measures.FINDINGS.labels(change.after.rule, change.after.state).inc()
        judging.put_custody_states(
            conn,
            {shipment.shipment_id: judgement.state for shipment, judgement in judged},
            judged_through=until,
            rules_version=RULES_VERSION,
            recorded_at=now,
        )
        tell_judged(conn, shipments)
    return {shipment.shipment_id: judgement.next_due for shipment, judgement in judged}


def _judged(facts: Facts, until: datetime) -> Judgement:
    started = perf_counter()
    judgement = judge(facts, until)
    measures.JUDGING_SECONDS.observe(perf_counter() - started)
    return judgement
