"""Facts to findings: each shipment judged again as of the watermark under which it was judged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from devices.observation import EPOCH
from tracking.domain.custody.facts import AreaBook, Facts
from tracking.domain.custody.judge import judge
from tracking.exchange.verify.report import Difference, Part
from tracking.judge.decoding import Undecodable
from tracking.judge.gather import gather
from tracking.judge.outcome import changes
from tracking.store import concern, findings, verify
from tracking.store.database import Connection
from tracking.store.judging import ShipmentRow


def waiting(conn: Connection, watermark: datetime | None) -> set[int]:
    """Shipments that the judge has yet to look at."""
    devices = dict(verify.rows(conn, "device_work"))
    things: dict[int, datetime] = {}
    goods: dict[int, datetime] = {}
    for key, kind, since in verify.rows(conn, "thing_work"):
        one = goods if kind == "goods" else things
        one[key] = min(since, one.get(key, since))
    papers = [key for (key,) in verify.rows(conn, "document_work")]
    return {key for (key,) in verify.rows(conn, "waiting_shipments", watermark=watermark)} | set(
        concern.concerned_shipments(conn, devices, things, goods=goods, documents=papers)
    )


def check(conn: Connection, shipment_ids: Sequence[int], areas: AreaBook) -> Part:
    """Judge these again and compare."""
    part = Part()
    for shipment_id, number, park, closed_at, through, state, version in verify.rows(
        conn, "shipments", ids=list(shipment_ids)
    ):
        part.shipments += 1
        until = through or EPOCH
        shipment = ShipmentRow(shipment_id, number, park, closed_at)
        try:
            facts = gather(conn, [shipment], areas, until)[shipment_id]
        except Undecodable as error:
            part.differs(error.table, error.key, "its bytes can't be read")
            continue
        held = findings.effective(conn, shipment_id)
        judgement = judge(facts, until)
        if version is None:
            part.differs("custody_states", number, "is missing")
            continue
        if version != judgement.rules_version:
            part.other_version += 1
            continue
        wrong = changes(judgement, held)
        if not wrong and state == judgement.state:
            continue
        then = judge(_known(facts, until), until)
        if not changes(then, held) and state == then.state:
            continue
        unsure = part.unsure.setdefault(shipment_id, [])
        if state != judgement.state:
            unsure.append(Difference("custody_states", number, "isn't what the facts tell"))
        for change in wrong:
            says = "isn't what the facts tell" if change.before is not None else "is missing"
            name = f"{number} {change.after.rule} {change.after.finding_id}"
            unsure.append(Difference("findings", name, says))
    return part


def _known(facts: Facts, until: datetime) -> Facts:
    """The facts without what devices have said since. It changes nothing until a due moment is reached."""
    return msgspec.structs.replace(
        facts,
        reports=tuple(one for one in facts.reports if one.time <= until),
        carriages=tuple(
            msgspec.structs.replace(
                carriage,
                last_heard=None if carriage.last_heard is None else min(carriage.last_heard, until),
                last_fix=None if carriage.last_fix is None else min(carriage.last_fix, until),
                samples=tuple(one for one in carriage.samples if one.time <= until),
                positions=tuple(one for one in carriage.positions if one.time <= until),
            )
            for carriage in facts.carriages
        ),
    )
