"""Documents: what people, partners and customs say, added to and never changed.

What a document is about stands beside it: shipments, things (a gate pass is one), a device, or one
observation of a device. The same said again is one document.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, NamedTuple

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from devices.canonical import canonical
from devices.identifiers import Thing
from tracking.domain.custody.documents import Body, fields
from tracking.store import carrying as carrying_
from tracking.store import things as things_
from tracking.store.arrays import int4s, int8s, moments
from tracking.store.carrying import Carrier, Carrying
from tracking.store.concern import PAPER_REACH
from tracking.store.database import Connection, queries
from tracking.store.registry import Row, Unknown, add_work
from tracking.store.told import told_of

SQL: Final = queries("documents")


class About(NamedTuple):
    """What a document is about.

    Attributes:
        shipments: numbers.
        things: a pass among them: what is said of that pass.
        device_id: of the device that is calibrated, or that has made an observation.
        observation: run and number of that observation.
    """

    shipments: Sequence[str] = ()
    things: Sequence[Thing] = ()
    device_id: int | None = None
    observation: tuple[int, int] | None = None


class DocumentRow(NamedTuple):
    """A document that concerns an owner."""

    owner: int
    entry: int
    kind: str
    number: str
    time: datetime
    body: Mapping[str, Any]
    source: str
    by: str
    recorded_at: datetime
    things: Sequence[str]


class Added(NamedTuple):
    """What a document came to."""

    entry: int
    is_new: bool


def add(
    conn: Connection,
    *,
    number: str,
    time: datetime,
    body: Body,
    source: str,
    about: About,
    by: str,
    recorded_at: datetime,
) -> Added:
    """Record a document and leave the work that follows; the same again changes nothing.

    Raises:
        Unknown: it names a shipment that isn't there.
    """
    kind, said = str(body.__struct_config__.tag), fields(body)
    with conn.transaction():
        shipments = _shipment_ids(conn, about.shipments)
        uris = sorted({thing.uri for thing in about.things})
        digest = sha256(
            canonical(
                {
                    "kind": kind,
                    "number": number,
                    "time": time,
                    "body": said,
                    "source": source,
                    "shipments": sorted(shipments),
                    "things": uris,
                    "device": about.device_id,
                    "observation": None if about.observation is None else list(about.observation),
                }
            )
        ).digest()
        row = {
            "kind": kind, "number": number, "time": time, "body": Jsonb(said), "source": source, "by": by,
            "recorded_at": recorded_at, "digest": digest,
        }  # fmt: skip
        added = conn.execute(SQL["add_document"], row).fetchone()
        if added is None:
            stands = conn.execute(SQL["document_of_digest"], {"digest": digest}).fetchone()
            assert stands is not None  # whoever was faster has committed: the insert has waited for that
            return Added(stands[0], is_new=False)
        (entry,) = added
        things_.add_things(conn, about.things)
        run, seq = about.observation or (None, None)
        links = {"entry": entry, "shipment_ids": sorted(shipments.values()), "uris": uris}
        conn.execute(SQL["add_links"], links | {"device_id": about.device_id, "run": run, "seq": seq})
        add_work(conn, "document", entry, time)
    return Added(entry, is_new=True)


def concerning(conn: Connection, carrying: Mapping[int, Carrying], ids: Sequence[int]) -> list[DocumentRow]:
    """The documents that concern these shipments, in order of time and entry.

    Args:
        conn: any connection.
        carrying: what they were and what carried them, by shipment.
        ids: the shipments.
    """
    parts = [(owner, *part) for owner, found in carrying.items() for part in found.parts]
    parameters = {
        "shipment_ids": list(ids),
        "owners": int8s([owner for owner, _, _ in parts]),
        "thing_ids": int8s([thing_id for _, thing_id, _ in parts]),
        "begins": moments([part.begins for _, _, part in parts]),
        "ends": moments([part.ends for _, _, part in parts]),
        "reach": PAPER_REACH,
    }
    return [DocumentRow(*row) for row in conn.execute(SQL["concerning"], parameters)]


def of_shipment(conn: Connection, shipment_id: int) -> list[DocumentRow]:
    """The documents that concern a shipment, with what is said of observations of it, by time and entry."""
    carrying = carrying_.carrying(conn, carrying_.goods_of(conn, [shipment_id]))
    papers = concerning(conn, carrying, [shipment_id])
    told = told_of(conn, carrying, [(paper.owner, paper.entry) for paper in papers])
    papers += about_observations(conn, [(row.owner, row.device_id, row.run, row.seq) for row in told])
    return sorted(
        {paper.entry: paper for paper in papers}.values(), key=lambda paper: (paper.time, paper.entry)
    )


def about_observations(conn: Connection, told: Sequence[tuple[int, int, int, int]]) -> list[DocumentRow]:
    """What is said of observations, given as (owner, device_id, run, seq)."""
    if not told:
        return []
    owners, device_ids, runs, seqs = zip(*told, strict=True)
    parameters = {
        "owners": int8s(owners),
        "device_ids": int8s(device_ids),
        "runs": int4s(runs),
        "seqs": int8s(seqs),
    }
    return [DocumentRow(*row) for row in conn.execute(SQL["about_observations"], parameters)]


def calibrated(conn: Connection, carriers: Sequence[Carrier]) -> dict[int, datetime]:
    """When each device was last calibrated, as of the end of its carriage, by place."""
    if not carriers:
        return {}
    parameters = {
        "device_ids": [carrier.device_id for carrier in carriers],
        "ends": [carrier.ends for carrier in carriers],
    }
    return {place - 1: time for place, time in conn.execute(SQL["calibrated"], parameters)}


def keys(conn: Connection, device_ids: Iterable[int]) -> dict[int, tuple[bytes, ...]]:
    """Every public key with which these devices ever signed, by device."""
    found: dict[int, list[bytes]] = {}
    for device_id, key in conn.execute(SQL["keys"], {"device_ids": sorted(set(device_ids))}):
        found.setdefault(device_id, []).append(b64decode(key))
    return {device_id: tuple(held) for device_id, held in found.items()}


def of_thing(conn: Connection, uri: str) -> list[Row]:
    """Everything that is said of a thing, oldest first."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(SQL["of_thing"], {"uri": uri}).fetchall()


def _shipment_ids(conn: Connection, numbers: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = dict(conn.execute(SQL["shipment_ids"], {"numbers": list(numbers)}).fetchall())
    for number in numbers:
        if number not in found:
            raise Unknown("shipment", number)
    return found
