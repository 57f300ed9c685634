"""What devices, people and partners said of shipments: observations and documents, by what they name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from tracking.domain.custody.facts import Reused
from tracking.domain.custody.intervals import overlap
from tracking.domain.custody.told import Document, Report
from tracking.judge import decoding
from tracking.store import documents, told
from tracking.store.carrying import NOTHING, Carrying
from tracking.store.database import Connection
from tracking.store.told import ToldRow


class Said(Struct, frozen=True):
    """What was said of one shipment, each in its own order.

    Attributes:
        keys: with which those sign that report, by device.
        reused: numbers that came again with another content.
    """

    reports: tuple[Report, ...] = ()
    documents: tuple[Document, ...] = ()
    keys: Mapping[str, tuple[bytes, ...]] = {}
    reused: tuple[Reused, ...] = ()


def said(
    conn: Connection, carrying: Mapping[int, Carrying], ids: Sequence[int], reusing: Collection[int]
) -> dict[int, Said]:
    """What was said of each of these shipments, in a few statements for all.

    Args:
        conn: within the judging's transaction.
        carrying: what they were and what carried them, by shipment.
        ids: the shipments.
        reusing: devices on them of whom a number came again with another content.

    Raises:
        Undecodable: recorded bytes that can't be read.
    """
    papers = documents.concerning(conn, carrying, ids)
    rows = told.told_of(conn, carrying, [(paper.owner, paper.entry) for paper in papers])
    papers += documents.about_observations(
        conn, [(row.owner, row.device_id, row.run, row.seq) for row in rows]
    )
    reused = told.reused(conn, carrying, rows) if rows or reusing else {}
    known = documents.keys(conn, (row.device_id for row in rows)) if rows else {}
    heard: dict[int, list[ToldRow]] = {}
    for row in rows:
        heard.setdefault(row.owner, []).append(row)
    filed: dict[int, dict[int, Document]] = {}
    for paper in papers:
        filed.setdefault(paper.owner, {})[paper.entry] = decoding.document(paper)
    return {
        owner: Said(
            _reports(heard.get(owner, ()), carrying.get(owner, NOTHING)),
            tuple(sorted(filed.get(owner, {}).values(), key=lambda one: (one.time, one.entry))),
            {row.device: known[row.device_id] for row in heard.get(owner, ()) if row.device_id in known},
            reused.get(owner, ()),
        )
        for owner in ids
    }


def _reports(rows: Sequence[ToldRow], carrying: Carrying) -> tuple[Report, ...]:
    found = (decoding.report(row, _attached(row, carrying)) for row in rows)
    return tuple(sorted((one for one in found if one is not None), key=lambda one: one.order))


def _attached(row: ToldRow, carrying: Carrying) -> frozenset[str]:
    """What the device was on when it said that, of what concerns the owner."""
    moment = (row.event_time, row.event_time)
    return frozenset(
        one.uri
        for one in carrying.carriers
        if one.device_id == row.device_id and overlap((one.begins, one.ends), moment)
    )
