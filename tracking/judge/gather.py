"""Rows to facts. Which device an observation is about is decided here, by intervals, each time anew."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

import msgspec

from tracking.domain.custody.facts import (
    AreaBook,
    Carriage,
    Facts,
    GateWatch,
    ParkRules,
    Silence,
    TermsRevision,
)
from tracking.domain.custody.judge import windows
from tracking.domain.custody.terms import Terms, decode
from tracking.judge import gates, said
from tracking.judge.carriages import bare, carriages
from tracking.judge.said import Said
from tracking.store import carrying as carrying_
from tracking.store import judging, measured, park_rules
from tracking.store.carrying import NOTHING, Carrier, Carrying
from tracking.store.database import Connection
from tracking.store.judging import MilestoneRow, ShipmentRow, TermsRow, Watched


class _Found(msgspec.Struct, frozen=True):
    """What was found of one shipment."""

    terms: tuple[TermsRevision, ...]
    carriages: Sequence[tuple[Carrier, Carriage]]
    carrying: Carrying
    gates: tuple[GateWatch, ...]
    said: Said
    park_rules: tuple[ParkRules, ...]


def gather(
    conn: Connection,
    shipments: Sequence[ShipmentRow],
    areas: AreaBook,
    until: datetime,
) -> dict[int, Facts]:
    """The facts of locked shipments, by shipment id, in a handful of statements for all of them.

    Args:
        conn: within the judging's transaction.
        shipments: what is to be judged.
        areas: what areas are.
        until: the watermark, which was read before anything else.

    Raises:
        Undecodable: recorded bytes that can't be read.
    """
    ids = [shipment.shipment_id for shipment in shipments]
    terms: dict[int, list[TermsRevision]] = {}
    for row in judging.terms_of(conn, ids):
        terms.setdefault(row.shipment_id, []).append(_revision(row))
    carrying = carrying_.carrying(conn, carrying_.goods_of(conn, ids))
    rows = [(owner, carrier) for owner, found in carrying.items() for carrier in found.carriers]
    watches = gates.watches(conn, shipments, terms, areas)
    asked = [Watched(one.device_id, one.begins, one.ends) for _, one in rows]
    told: dict[int, list[MilestoneRow]] = {}
    for milestone in judging.milestones_of(conn, asked + [watch.asked for watch in watches]):
        told.setdefault(milestone.place, []).append(milestone)
    carried: dict[int, list[tuple[Carrier, Carriage]]] = {}
    gappy, reusing = measured.odd(conn, (carrier.device_id for _, carrier in rows))
    for (owner, carrier), carriage in zip(rows, carriages(conn, rows, told, gappy), strict=True):
        carried.setdefault(owner, []).append((carrier, carriage))
    watched: dict[int, list[GateWatch]] = {}
    for place, watch in enumerate(watches, start=len(rows)):
        watched.setdefault(watch.owner, []).append(watch.told(told.get(place, [])))
    spoken = said.said(conn, carrying, ids, reusing)
    changed = park_rules.of_parks(conn, (shipment.park for shipment in shipments))
    return {
        shipment.shipment_id: _facts(
            conn,
            shipment,
            _Found(
                tuple(terms.get(shipment.shipment_id, [])),
                carried.get(shipment.shipment_id, []),
                carrying.get(shipment.shipment_id, NOTHING),
                tuple(watched.get(shipment.shipment_id, [])),
                spoken[shipment.shipment_id],
                changed.get(shipment.park, ()),
            ),
            areas,
            until,
        )
        for shipment in shipments
    }


def outline(conn: Connection, shipments: Sequence[ShipmentRow], areas: AreaBook) -> dict[int, Facts]:
    """The facts of shipments as far as legs, seals and papers need them, by shipment id: without what sensors
    measured, what is missing, and the gates around. For whoever can't wait; nothing is locked.

    Args:
        conn: within a transaction.
        shipments: whose facts.
        areas: what areas are.

    Raises:
        Undecodable: recorded bytes that can't be read.
    """
    ids = [shipment.shipment_id for shipment in shipments]
    if not ids:
        return {}
    terms: dict[int, list[TermsRevision]] = {}
    for row in judging.terms_of(conn, ids):
        terms.setdefault(row.shipment_id, []).append(_revision(row))
    carrying = carrying_.carrying(conn, carrying_.goods_of(conn, ids))
    rows = [(owner, carrier) for owner, found in carrying.items() for carrier in found.carriers]
    asked = [Watched(one.device_id, one.begins, one.ends) for _, one in rows]
    told: dict[int, list[MilestoneRow]] = {}
    for milestone in judging.milestones_of(conn, asked):
        told.setdefault(milestone.place, []).append(milestone)
    carried: dict[int, list[Carriage]] = {}
    for (owner, _), carriage in zip(rows, bare(rows, told), strict=True):
        carried.setdefault(owner, []).append(carriage)
    spoken = said.said(conn, carrying, ids, ())
    return {
        shipment.shipment_id: Facts(
            shipment=shipment.number,
            terms=tuple(terms.get(shipment.shipment_id, [])),
            carriages=tuple(carried.get(shipment.shipment_id, [])),
            areas=areas,
            closed_at=shipment.closed_at,
            aboard=tuple(part.aboard for part in carrying.get(shipment.shipment_id, NOTHING).parts),
            reports=spoken[shipment.shipment_id].reports,
            documents=spoken[shipment.shipment_id].documents,
        )
        for shipment in shipments
    }


def _facts(
    conn: Connection,
    shipment: ShipmentRow,
    found: _Found,
    areas: AreaBook,
    until: datetime,
) -> Facts:
    facts = Facts(
        shipment=shipment.number,
        terms=found.terms,
        carriages=tuple(carriage for _, carriage in found.carriages),
        areas=areas,
        closed_at=shipment.closed_at,
        aboard=tuple(part.aboard for part in found.carrying.parts),
        reports=found.said.reports,
        documents=found.said.documents,
        gates=found.gates,
        keys=found.said.keys,
        reused=found.said.reused,
        conflicts=found.carrying.conflicts,
        park_rules=found.park_rules,
    )
    asked = windows(facts, until)
    if not asked:
        return facts
    silences: dict[str, list[Silence]] = {}
    ids = {row.device: row.device_id for row, _ in found.carriages}
    for window in asked:
        gaps = judging.gaps(conn, ids[window.device], window.begins, window.ends, window.longer_than_s)
        silences.setdefault(window.device, []).extend(Silence(*gap) for gap in gaps)
    return msgspec.structs.replace(
        facts,
        carriages=tuple(
            msgspec.structs.replace(
                carriage, gaps=tuple(sorted(set(silences.get(carriage.device, [])), key=_since))
            )
            for carriage in facts.carriages
        ),
    )


def _since(silence: Silence) -> datetime:
    return silence.last_heard


def _revision(row: TermsRow) -> TermsRevision:
    return TermsRevision(row.revision, row.valid_from, _terms(msgspec.json.encode(row.body)))


@lru_cache(maxsize=4096)
def _terms(body: bytes) -> Terms:
    """Terms are read once for all shipments that have the same."""
    return decode(body)
