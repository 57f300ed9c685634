"""Rows to facts. Which device an observation is about is decided here, by intervals, each time anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

import msgspec

from devices.observation import moment
from tracking.domain.custody.facts import (
    AreaRevision,
    Carriage,
    Facts,
    Milestone,
    Silence,
    TermsRevision,
)
from tracking.domain.custody.judge import windows
from tracking.domain.custody.terms import Terms, decode
from tracking.domain.things.fold import Conflict
from tracking.domain.tracks import DeviceState, Standing, Track
from tracking.store import carrying as carrying_
from tracking.store import judging
from tracking.store.carrying import Carrier, Carrying
from tracking.store.database import Connection
from tracking.store.judging import MilestoneRow, ShipmentRow, TermsRow

NOTHING: Final = Carrying((), ())


def gather(
    conn: Connection,
    shipments: Sequence[ShipmentRow],
    areas: Mapping[str, tuple[AreaRevision, ...]],
    until: datetime,
) -> dict[int, Facts]:
    """The facts of locked shipments, by shipment id, in a handful of statements for all of them.

    Args:
        conn: within the judging's transaction.
        shipments: what is to be judged.
        areas: what areas are.
        until: the watermark, which was read before anything else.
    """
    ids = [shipment.shipment_id for shipment in shipments]
    terms: dict[int, list[TermsRow]] = {}
    for row in judging.terms_of(conn, ids):
        terms.setdefault(row.shipment_id, []).append(row)
    carrying = carrying_.carrying(conn, carrying_.goods_of(conn, ids))
    rows = [(owner, carrier) for owner, found in carrying.items() for carrier in found.carriers]
    told: dict[int, list[MilestoneRow]] = {}
    for milestone in judging.milestones_of(conn, [carrier for _, carrier in rows]):
        told.setdefault(milestone.place, []).append(milestone)
    carriages: dict[int, list[tuple[Carrier, Carriage]]] = {}
    for place, (owner, carrier) in enumerate(rows):
        carriage = _carriage(carrier, told.get(place, []))
        carriages.setdefault(owner, []).append((carrier, carriage))
    return {
        shipment.shipment_id: _facts(
            conn,
            shipment,
            terms.get(shipment.shipment_id, []),
            carriages.get(shipment.shipment_id, []),
            carrying.get(shipment.shipment_id, NOTHING).conflicts,
            areas,
            until,
        )
        for shipment in shipments
    }


def _facts(
    conn: Connection,
    shipment: ShipmentRow,
    terms: Sequence[TermsRow],
    carriages: Sequence[tuple[Carrier, Carriage]],
    conflicts: tuple[Conflict, ...],
    areas: Mapping[str, tuple[AreaRevision, ...]],
    until: datetime,
) -> Facts:
    facts = Facts(
        shipment=shipment.number,
        terms=tuple(
            TermsRevision(row.revision, row.valid_from, _terms(msgspec.json.encode(row.body)))
            for row in terms
        ),
        carriages=tuple(carriage for _, carriage in carriages),
        areas=areas,
        conflicts=conflicts,
        closed_at=shipment.closed_at,
    )
    asked = windows(facts, until)
    if not asked:
        return facts
    measured: dict[str, list[Silence]] = {}
    ids = {row.device: row.device_id for row, _ in carriages}
    for window in asked:
        found = judging.gaps(conn, ids[window.device], window.begins, window.ends, window.longer_than_s)
        measured.setdefault(window.device, []).extend(Silence(*gap) for gap in found)
    return msgspec.structs.replace(
        facts,
        carriages=tuple(
            msgspec.structs.replace(
                carriage, gaps=tuple(sorted(set(measured.get(carriage.device, [])), key=_since))
            )
            for carriage in facts.carriages
        ),
    )


def _carriage(row: Carrier, milestones: Sequence[MilestoneRow]) -> Carriage:
    track = DeviceState.decode(row.state).track if row.state is not None else None
    return Carriage(
        device=row.device,
        role=row.role,
        expected_every_s=row.expected_every_s,
        begins=row.begins,
        ends=row.ends,
        is_aboard=row.is_aboard,
        last_heard=None if track is None or track.heard is None else moment(track.heard[0]),
        last_fix=None if track is None or track.fix is None else moment(track.fix.time_us),
        milestones=tuple(
            Milestone(m.time, m.kind, m.area, m.detail, (m.at_time, m.at_run, m.at_seq)) for m in milestones
        ),
        leaving={} if track is None else _leaving(track),
        moving_off=_moving_off(track),
    )


def _leaving(track: Track) -> dict[str, datetime]:
    return {
        code: moment(presence.prior.time_us)
        for code, presence in track.areas.items()
        if presence.standing is Standing.LEAVING and presence.prior is not None
    }


def _moving_off(track: Track | None) -> datetime | None:
    fix = None if track is None else track.leaving_from
    return None if fix is None else moment(fix.time_us)


def _since(silence: Silence) -> datetime:
    return silence.last_heard


@lru_cache(maxsize=4096)
def _terms(body: bytes) -> Terms:
    """Terms are read once for all shipments that have the same."""
    return decode(body)
