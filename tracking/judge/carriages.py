"""Devices on goods, with what they told, measured and missed while they were."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from devices.observation import moment
from tracking.domain.custody.facts import PRIMARY, Carriage, Milestone
from tracking.domain.custody.intervals import overlap
from tracking.domain.tracks import DeviceState, Standing, Track
from tracking.store import documents, measured
from tracking.store.carrying import Carrier
from tracking.store.database import Connection
from tracking.store.judging import MilestoneRow


def carriages(
    conn: Connection,
    rows: Sequence[tuple[int, Carrier]],
    told: Mapping[int, Sequence[MilestoneRow]],
    gappy: Container[int],
) -> list[Carriage]:
    """A carriage for each row, in the same order, in a few statements for all.

    Args:
        conn: within the judging's transaction.
        rows: shipment and carrier.
        told: milestones by the place of their carrier among the rows.
        gappy: devices that miss numbers.
    """
    carriers = [carrier for _, carrier in rows]
    found = [_carriage(carrier, told.get(place, ())) for place, carrier in enumerate(carriers)]
    measuring = measured.measuring(conn, (carrier.device_id for carrier in carriers))

    def of(device_ids: Container[int]) -> dict[int, Carrier]:
        return {place: one for place, one in enumerate(carriers) if one.device_id in device_ids}

    samples = measured.samples(conn, of(measuring))
    missing = measured.missing(conn, of(gappy))
    calibrated = documents.calibrated(conn, carriers)
    positions = measured.fixes(conn, {place: carriers[place] for place in _compared(rows, found)})
    return [
        msgspec.structs.replace(carriage, **more) if more else carriage
        for place, carriage in enumerate(found)
        for more in [
            _more(place, samples=samples, missing=missing, calibrated_at=calibrated, positions=positions)
        ]
    ]


def bare(rows: Sequence[tuple[int, Carrier]], told: Mapping[int, Sequence[MilestoneRow]]) -> list[Carriage]:
    """The same without what was measured and missed, and without asking anybody."""
    return [_carriage(carrier, told.get(place, ())) for place, (_, carrier) in enumerate(rows)]


def milestone(row: MilestoneRow) -> Milestone:
    """A milestone as a fact."""
    return Milestone(row.time, row.kind, row.area, row.detail, (row.at_time, row.at_run, row.at_seq))


def _more(place: int, **found: Mapping[int, Any]) -> dict[str, Any]:
    return {name: values[place] for name, values in found.items() if place in values}


def _carriage(row: Carrier, milestones: Sequence[MilestoneRow]) -> Carriage:
    track = DeviceState.decode(row.state).track if row.state is not None else None
    return Carriage(
        device=row.device,
        role=row.role,
        expected_every_s=row.expected_every_s,
        begins=row.begins,
        ends=row.ends,
        last_heard=None if track is None or track.heard is None else moment(track.heard[0]),
        last_fix=None if track is None or track.fix is None else moment(track.fix.time_us),
        milestones=tuple(milestone(m) for m in milestones),
        leaving={} if track is None else _leaving(track),
        moving_off=_moving_off(track),
        kind=row.kind,
        thing=row.uri,
        is_aboard=row.is_aboard,
    )


def _compared(rows: Sequence[tuple[int, Carrier]], found: Sequence[Carriage]) -> Iterator[int]:
    """The places of devices that give positions while another one of the same shipment does; one of the two
    is primary.
    """
    by_owner: dict[int, list[int]] = {}
    for place, (owner, _) in enumerate(rows):
        if found[place].last_fix is not None:
            by_owner.setdefault(owner, []).append(place)
    for places in by_owner.values():
        for place in places:
            if any(_meet(found[place], found[other]) for other in places):
                yield place


def _meet(one: Carriage, other: Carriage) -> bool:
    return (
        one.device != other.device
        and PRIMARY in (one.role, other.role)
        and overlap((one.begins, one.ends), (other.begins, other.ends)) is not None
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
