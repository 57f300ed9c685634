"""A shipment's certificate: one document that a stranger can check without us.

It holds the rows of the log that the shipment's custody rests on (its ledger, its terms, what it consists of,
the batches of the events cited), each with the path that proves it below one signed checkpoint; the raw bytes
of every event that a finding cites, each with the path that proves it in its batch; and our summary of it
all. The whole is signed by the log's key, so that the summary is ours, too.

Checking it needs the document and the public key, nothing else.

Source: RFC 9162 (Merkle trees and proofs), RFC 8785 (canonical JSON), RFC 8032 (Ed25519).
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct

from devices.canonical import canonical
from tracking.domain.ledger import merkle, proof

FORMAT: Final = "bondwatch certificate 1"
CHECKPOINT_FORMAT: Final = "bondwatch checkpoint 1"

LEDGER: Final = "custody"
"""Kind of the rows that are entries of the ledger."""

SUMMED: Final = ("finding", "rule", "cause", "verdict", "state", "severity", "opened_at", "closed_at")
"""What the summary repeats of the last entry about each finding."""


class Proven(Struct, frozen=True, forbid_unknown_fields=True):
    """A row of the log: its canonical JSON, its place, and the hashes from there up to the root."""

    row: str
    index: int
    path: list[str]


class Raw(Struct, frozen=True, forbid_unknown_fields=True):
    """An event's own bytes, in Base64, and their path up to the root of their batch."""

    device: str
    time: str
    run: int
    seq: int
    dialect: str
    batch: int
    leaf: int
    raw: str
    path: list[str]


class Head(Struct, frozen=True, forbid_unknown_fields=True):
    """The signed head that everything stands below: the exact text, signature and key in hexadecimal."""

    signed: str
    signature: str
    public_key: str


class Certificate(Struct, frozen=True, forbid_unknown_fields=True):
    """See the module.

    Attributes:
        format: always ``FORMAT``.
        shipment: number, park, reference, and the ``key`` by which the rows of the log name it.
        made_at: when this was put together, RFC 3339.
        judged_through: up to when custody was judged.
        checkpoint: the head.
        ledger_entries: how many the ledger has.
        rows: of the log.
        events: that findings cite.
        findings: the last word about each, withdrawn ones left out, as ``SUMMED``.
        custody: how it stands: legs, continuity, coverage, doubts.
        completeness: what was counted of the devices that carried the shipment.
        signature: of the log's key over the canonical JSON of all the rest, in hexadecimal; None when the
            key was not at hand: then only what is proven by paths is proven.
    """

    format: str
    shipment: dict[str, Any]
    made_at: str
    judged_through: str | None
    checkpoint: Head
    ledger_entries: int
    rows: list[Proven]
    events: list[Raw]
    findings: list[dict[str, Any]]
    custody: dict[str, Any]
    completeness: dict[str, Any]
    signature: str | None = None

    @property
    def text(self) -> bytes:
        """What is signed."""
        document = msgspec.to_builtins(self)
        del document["signature"]
        return canonical(document)


def read(document: bytes) -> Certificate:
    """A certificate from its file.

    Raises:
        ValueError: it is none; says why.
    """
    try:
        found = msgspec.json.decode(document, type=Certificate)
    except msgspec.DecodeError as error:
        raise ValueError(f"not a certificate: {error}") from None
    if found.format != FORMAT:
        raise ValueError(f"a certificate of the format {found.format!r}, which this version can't check")
    return found


def check(certificate: Certificate, trusted: bytes) -> Iterator[str]:
    """Everything that is wrong with a certificate; nothing when it is in order.

    Args:
        certificate: the document.
        trusted: the public key that the log is known to be signed with, 32 bytes.
    """
    yield from _check_signatures(certificate, trusted)
    size, root = _head(certificate.checkpoint)
    rows = list(_rows(certificate))
    for proven, _ in rows:
        leaf = merkle.leaf_hash(proven.row.encode())
        if not proof.includes(leaf, proven.index, size, _hashes(proven.path), root):
            yield f"row {proven.index} of the log isn't below the checkpoint"
    if len({proven.index for proven, _ in rows}) < len(rows):
        yield "a row of the log is there twice"
    yield from _check_ledger(certificate, [row for _, row in rows])
    yield from _check_events(certificate, {r["key"]: r for _, r in rows if r["leaf"] == "batch"})
    yield from _check_evidence(certificate, [row for _, row in rows])


def _check_signatures(certificate: Certificate, trusted: bytes) -> Iterator[str]:
    head = certificate.checkpoint
    if bytes.fromhex(head.public_key) != trusted:
        yield "its checkpoint names another key than the one to be trusted"
    if not _is_signed(head.signed.encode(), head.signature, trusted):
        yield "its checkpoint isn't signed by the trusted key"
    if certificate.signature is None:
        yield "it isn't signed as a whole"
    elif not _is_signed(certificate.text, certificate.signature, trusted):
        yield "it was changed since it was signed"


def _is_signed(text: bytes, signature: str, key: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(bytes.fromhex(signature), text)
    except (InvalidSignature, ValueError):
        return False
    return True


def _head(head: Head) -> tuple[int, bytes]:
    signed = msgspec.json.decode(head.signed, type=dict[str, Any])
    if signed.get("format") != CHECKPOINT_FORMAT:
        return 0, b""
    return int(signed["size"]), bytes.fromhex(signed["root"])


def _rows(certificate: Certificate) -> Iterator[tuple[Proven, dict[str, Any]]]:
    for proven in certificate.rows:
        yield proven, msgspec.json.decode(proven.row, type=dict[str, Any])


def _check_ledger(certificate: Certificate, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The ledger is whole, and the summary is what it says."""
    shipment = certificate.shipment.get("key")
    ledger = sorted((row for row in rows if row["leaf"] == LEDGER), key=_number)
    named = [row for row in rows if row["leaf"] == "shipment" and row["key"] == shipment]
    if [row["number"] for row in named] != [certificate.shipment.get("number")]:
        yield "the row that names the shipment is missing"
    if [row["number"] for row in ledger] != list(range(1, certificate.ledger_entries + 1)):
        yield f"the ledger isn't whole: entries 1 to {certificate.ledger_entries} are to be there, each once"
    for row in ledger:
        if row["shipment"] != shipment or row["of_shipment"] != shipment:
            yield f"entry {row['number']} belongs to another shipment"
    last = {row["finding"]: row for row in ledger}
    told = [
        {name: row[name] for name in SUMMED}
        for row in sorted(last.values(), key=lambda row: (row["opened_at"], row["finding"]))
        if row["state"] != "withdrawn"
    ]
    if certificate.findings != told:
        yield "the findings aren't what the ledger says"


def _number(row: Mapping[str, Any]) -> int:
    return int(row["number"])


def _check_events(certificate: Certificate, batches: Mapping[int, Mapping[str, Any]]) -> Iterator[str]:
    """Each event stands in its batch, and is the one that it is called."""
    for event in certificate.events:
        name = f"event {event.device} run {event.run} seq {event.seq}"
        batch = batches.get(event.batch)
        if batch is None:
            yield f"{name}: its batch {event.batch} is missing"
            continue
        try:
            raw = b64decode(event.raw, validate=True)
        except NotBase64:
            yield f"{name}: its bytes can't be read"
            continue
        leaf, root = merkle.leaf_hash(raw), bytes.fromhex(batch["root"])
        if not proof.includes(leaf, event.leaf, batch["events"], _hashes(event.path), root):
            yield f"{name}: its bytes aren't those that were recorded"
        elif event.dialect == "native" and not _is_called(event, raw):
            yield f"{name}: its bytes are of another event"


def _is_called(event: Raw, raw: bytes) -> bool:
    """Whether an event in our own dialect has the numbers under which it is shown."""
    told = msgspec.json.decode(raw, type=dict[str, Any])
    return "id" in told or (told.get("run", 0), told.get("seq")) == (event.run, event.seq)


def _check_evidence(certificate: Certificate, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Everything that a finding rests on is there."""
    there = {(event.device, event.run, event.seq) for event in certificate.events}
    terms = {row["revision"] for row in rows if row["leaf"] == "terms"}
    summed = {finding["finding"] for finding in certificate.findings}
    in_error = _in_error(rows)
    last = {row["finding"]: row for row in sorted((r for r in rows if r["leaf"] == LEDGER), key=_number)}
    for name, row in last.items():
        if name not in summed:
            continue
        if row["terms_revision"] not in terms:
            yield f"{row['rule']} {name}: revision {row['terms_revision']} of the terms is missing"
        for device, (_, run, seq) in cited(row["evidence"]):
            event = f"{row['rule']} {name}: the event {device} run {run} seq {seq}"
            if (device, run, seq) not in there:
                yield f"{event} is missing"
            if (device, run, seq) in in_error:
                yield f"{event} was declared to be in error"


def _in_error(rows: Sequence[Mapping[str, Any]]) -> set[tuple[str, int, int]]:
    """The events that corrections are about which nobody has taken back."""
    retracted = {row["correction"] for row in rows if row["leaf"] == "retraction"}
    return {
        (row["device"], row["run"], int(row["seq"]))
        for row in rows
        if row["leaf"] == "correction" and row["key"] not in retracted
    }


def cited(evidence: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, tuple[str, int, int]]]:
    """The observations that pieces of evidence name: device, and (time, run, seq).

    In a row of the log a number that a double can't hold is a text of its digits (``devices.canonical``).
    """
    for piece in evidence:
        device = piece.get("device")
        if not isinstance(device, str):
            continue
        for name in ("known_at", "observation"):
            key = piece.get(name)
            if isinstance(key, Mapping) and (seq := int(key["seq"])) >= 0:
                yield device, (key["time"], key["run"], seq)


def _hashes(path: Sequence[str]) -> list[bytes]:
    return [bytes.fromhex(hashed) for hashed in path]
