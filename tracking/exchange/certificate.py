"""Makes a shipment's certificate from the record: everything read in one snapshot, under one signed head.

1. summary   the shipment, its devices, how it stands
2. head      the newest checkpoint; what isn't below it yet can't be shown
3. rows      of the log, each with its path; the corrections of what concerns it among them
4. events    that the last word about each finding cites, each with its path in its batch
5. sign      the whole, where the log's key is at hand
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import msgspec
from psycopg import IsolationLevel

from devices.canonical import canonical
from tracking.domain.ledger import proof
from tracking.domain.ledger.certificate import FORMAT, LEDGER, SUMMED, Certificate, Head, Proven, Raw
from tracking.domain.ledger.checkpoint import Checkpoint, Signer
from tracking.domain.ledger.pruned import Missing
from tracking.exchange import coverage
from tracking.exchange.evidence import observed
from tracking.store import certificate as store
from tracking.store import corrections, log, reading, retention
from tracking.store.database import Connection


class Unknown(Exception):
    """There is no such shipment."""


class NotYetSigned(Exception):
    """Something of the shipment has no place below a signed head yet; the next one is seconds away."""


def make(conn: Connection, number: str, now: datetime, signer: Signer | None) -> Certificate:
    """The certificate of a shipment as it stands.

    Raises:
        Unknown: there is no such shipment.
        NotYetSigned: try again in a few seconds.
    """
    conn.isolation_level = IsolationLevel.REPEATABLE_READ
    try:
        with conn.transaction():
            unsigned = _make(conn, number, now)
    finally:
        conn.isolation_level = None
    if signer is None:
        return unsigned
    return msgspec.structs.replace(unsigned, signature=signer.sign_text(unsigned.text).hex())


def _make(conn: Connection, number: str, now: datetime) -> Certificate:
    shipment = reading.shipment(conn, number)
    if shipment is None:
        raise Unknown(number)
    heads = log.checkpoints(conn, limit=1)
    if not heads:
        raise NotYetSigned("nothing has been signed yet")
    head = heads[0]
    rows = _Rows(conn, head.size)
    rows.add(store.keys(conn, shipment["shipment_id"]))
    ledger = sorted(rows.of(LEDGER), key=lambda row: int(row["number"]))
    findings = sorted(_last(ledger), key=lambda row: (row["opened_at"], row["finding"]))
    events, batches = _events(conn, findings)
    rows.add({"batch": batches})
    rows.add(_corrections(conn, shipment["shipment_id"], findings))
    custody = reading.custody_state(conn, shipment["shipment_id"])
    carrying = reading.carriers(conn, shipment["shipment_id"])
    return Certificate(
        format=FORMAT,
        shipment={
            "key": shipment["shipment_id"],
            "number": number,
            "park": shipment["park"],
            "reference": shipment["reference"],
            "things": shipment["things"],
            "state": shipment["state"],
        },
        made_at=_plain(now),
        judged_through=_plain(custody["judged_through"]) if custody else None,
        checkpoint=_head(conn, head),
        ledger_entries=len(ledger),
        rows=rows.proven,
        events=events,
        findings=[{name: row[name] for name in SUMMED} for row in findings],
        custody=_plain(dict(custody or {}) | {"coverage": _coverage(conn, number)}),
        completeness={"devices": _plain(store.completeness(conn, carrying))},
    )


def _coverage(conn: Connection, number: str) -> dict[str, Any]:
    covered = coverage.shipment(conn, number)
    if covered is None:
        raise Unknown(number)
    return coverage.told(covered)


def _last(ledger: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The last entry about each finding; withdrawn ones are left out."""
    last = {row["finding"]: row for row in ledger}
    return [row for row in last.values() if row["state"] != "withdrawn"]


def _head(conn: Connection, head: Checkpoint) -> Head:
    key = next(key for key in log.keys(conn) if key.key_id == head.key_id)
    return Head(head.text.decode(), head.signature.hex(), key.public_key.hex())


def _corrections(
    conn: Connection, shipment_id: int, findings: Sequence[Mapping[str, Any]]
) -> dict[str, list[int]]:
    """The corrections that concern the shipment, and what took them back, by kind of row.

    Raises:
        NotYetSigned: a finding still rests on what was corrected; it is about to be judged.
    """
    found = corrections.of_shipment(conn, shipment_id)
    standing = {correction.observation: correction.entry for correction in found if correction.stands}
    for finding in findings:
        for observation in observed(finding["evidence"]):
            if observation in standing:
                says = f"what follows from correction {standing[observation]}"
                raise NotYetSigned(f"{says} stands below no signed head yet")
    return {
        "correction": sorted(correction.entry for correction in found),
        "retraction": sorted(
            correction.retraction.entry for correction in found if correction.retraction is not None
        ),
    }


class _Rows:
    """Rows of the log, each with its path below the head."""

    def __init__(self, conn: Connection, size: int) -> None:
        self.proven: list[Proven] = []
        self._conn = conn
        self._size = size
        self._rows: dict[str, list[dict[str, Any]]] = {}

        @cache
        def subtree(begin: int, end: int) -> bytes:
            return log.subtree(conn, begin, end)

        self._subtree: Callable[[int, int], bytes] = subtree

    def add(self, wanted: Mapping[str, Sequence[int]]) -> None:
        for kind, keys in wanted.items():
            texts = store.rows(self._conn, kind, keys)
            places = store.places(self._conn, kind, keys, self._size)
            missing = set(keys) - (texts.keys() & places.keys())
            if missing:
                raise NotYetSigned(f"{len(missing)} rows ({kind}) stand below no signed head yet")
            for key in sorted(texts, key=places.__getitem__):
                path = proof.inclusion(places[key], self._size, self._subtree)
                text = texts[key].decode()
                self.proven.append(Proven(text, places[key], [hashed.hex() for hashed in path]))
                self._rows.setdefault(kind, []).append(msgspec.json.decode(text))

    def of(self, kind: str) -> list[dict[str, Any]]:
        return self._rows.get(kind, [])


def _events(conn: Connection, findings: Sequence[Mapping[str, Any]]) -> tuple[list[Raw], list[int]]:
    cited = observed([piece for finding in findings for piece in finding["evidence"]])
    found = store.events(conn, [(one.device, one.time, one.run, one.seq) for one in cited])
    trees = retention.trees(conn, sorted({event.batch for event in found}))

    def path(batch: int, leaf: int) -> list[str]:
        tree = trees[batch]
        try:
            return [one.hex() for one in proof.inclusion(leaf, tree.size, tree.subtree)]
        except Missing:
            return []  # an event of the batch was taken away: whoever checks finds that nothing is proven

    shown = [
        Raw(
            device=event.device,
            time=_plain(event.time),
            run=event.run,
            seq=event.seq,
            dialect=event.dialect,
            batch=event.batch,
            leaf=event.leaf,
            raw=b64encode(event.body).decode(),
            path=path(event.batch, event.leaf),
        )
        for event in found
    ]
    return shown, sorted(trees)


def _plain(value: Any) -> Any:
    """As canonical JSON spells it."""
    return msgspec.json.decode(canonical(value))
