"""Recorded rows to what they say: an observation from its own bytes, a document from its body."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from devices.codecs import CODECS, BadEvent, Unreadable
from devices.observation import Datum, Observation, micros, moment
from tracking.domain.custody import documents
from tracking.domain.custody.told import Document, Report, Told
from tracking.domain.things.subject import named
from tracking.store.documents import DocumentRow
from tracking.store.told import ToldRow


class Undecodable(Exception):
    """Recorded bytes that can't be decoded any more: they, or a codec, have been changed in a way they must
    not be.

    Attributes:
        table: where they stand.
        key: which row of it.
    """

    def __init__(self, table: str, key: str, detail: str) -> None:
        super().__init__(f"{table} {key}: {detail}")
        self.table = table
        self.key = key


def observation(dialect: str, datum: str, body: bytes, key: tuple[int, int, int], device: str) -> Observation:
    """An observation from its own bytes, as the record decoded them.

    Args:
        dialect: of its device.
        datum: of its device's coordinates.
        body: the bytes.
        key: (time in microseconds, run, seq) under which it is recorded.
        device: its name.

    Raises:
        Undecodable: they can't be read.
    """
    try:
        event, *others = CODECS[dialect](body, Datum(datum))
    except Unreadable as error:
        raise Undecodable("observations", _name(device, key), str(error)) from error
    if isinstance(event, BadEvent):
        raise Undecodable("observations", _name(device, key), event.detail)
    if others:
        raise Undecodable("observations", _name(device, key), "several events")
    if event.key == key:
        return event
    return msgspec.structs.replace(event, time_us=key[0], run=key[1], seq=key[2])


def report(row: ToldRow, attached: frozenset[str]) -> Report | None:
    """What a device said; None when it is nothing that a report can be.

    Args:
        row: as recorded.
        attached: URIs of what its device was on.

    Raises:
        Undecodable: its bytes can't be read.
    """
    key = (micros(row.event_time), row.run, row.seq)
    said = _said(row.dialect, row.datum, row.body, key, row.device)
    if said is None:
        return None
    fact, uris = said
    return Report(row.event_time, row.device, row.device_kind, row.run, row.seq, fact, uris | attached)


@lru_cache(maxsize=1 << 16)
def _said(
    dialect: str, datum: str, body: bytes, key: tuple[int, int, int], device: str
) -> tuple[Told, frozenset[str]] | None:
    """What was told and what that names. A shipment is judged again and again; what was said of it stays."""
    fact = observation(dialect, datum, body, key, device).fact
    if not isinstance(fact, Told):
        return None
    return fact, frozenset(one.thing.uri for one in named(fact))


def _name(device: str, key: tuple[int, int, int]) -> str:
    return f"{device} {moment(key[0]).isoformat()} {key[1]}/{key[2]}"


def document(row: DocumentRow) -> Document:
    """A document from its row.

    Raises:
        Undecodable: its body is none of its kind.
    """
    try:
        body = documents.read(row.kind, row.body)
    except msgspec.ValidationError as error:
        raise Undecodable("documents", str(row.entry), str(error)) from error
    return Document(row.entry, row.number, row.time, body, row.source, row.by, frozenset(row.things))
