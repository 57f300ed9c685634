"""The folder of an archived shipment: ``DIR/PARK/NUMBER``, there whole or not at all.

=======================  ==================================================================================
``certificate.json``     what a stranger checks with ``bondwatch verify FILE --key K``
``observations.parquet`` every event of the devices that carried it, its own bytes included, and its place in
                         its batch
``readings.parquet``     the values of its readings
``milestones.parquet``   what happened, as it is held true
``findings.parquet``     every version of every finding
``manifest.json``        rows, bytes and SHA-256 of all these; its own SHA-256 is a leaf of the log
=======================  ==================================================================================
"""

from __future__ import annotations

import os
import shutil
from base64 import b64decode
from collections.abc import Callable, Iterator
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from devices.observation import micros
from gateway.archive import parquet
from gateway.certificates import check_file
from gateway.problem import Problem
from tracking.domain.ledger.certificate import Certificate
from tracking.domain.ledger.certificate import read as read_certificate
from tracking.store import archive
from tracking.store.archive import ToArchive
from tracking.store.database import Connection

FORMAT: Final = "bondwatch archive 1"
CERTIFICATE: Final = "certificate.json"
MANIFEST: Final = "manifest.json"
OBSERVATIONS: Final = "observations.parquet"
DRAFT: Final = ".draft-"


class File(msgspec.Struct, frozen=True):
    """One file of an archive."""

    sha256: str
    bytes: int
    rows: int | None = None


class Manifest(msgspec.Struct, frozen=True):
    """What stands in an archive."""

    format: str
    shipment: str
    park: str
    made_at: datetime
    files: dict[str, File]


class Written(msgspec.Struct, frozen=True):
    """An archive as it was written, or found."""

    folder: Path
    digest: bytes
    events: int
    taken_at: datetime


def folder_of(root: Path, shipment: ToArchive) -> Path:
    """Where a shipment's archive is, or will be."""
    return root / quote(shipment.park, safe="") / quote(shipment.number, safe="")


def write(
    conn: Connection,
    root: Path,
    shipment: ToArchive,
    certificate: Callable[[], Certificate],
    now: datetime,
) -> Written:
    """Write a shipment's archive. One that is there already, whole, is taken as it is.

    Args:
        conn: in autocommit.
        root: of all archives.
        shipment: closed.
        certificate: makes it.
        now: nothing that is recorded later counts as archived.

    Raises:
        Problem: a folder of this name is there, and what is in it isn't what its manifest says.
    """
    folder = folder_of(root, shipment)
    if folder.exists():
        differences = [says for says in check(folder) if says]
        if differences:
            raise Problem(f"{folder}: {differences[0]}", "move it away; the next run writes it anew")
        return _written(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.parent / f"{DRAFT}{folder.name}"
    shutil.rmtree(draft, ignore_errors=True)  # of a run that was killed
    draft.mkdir()
    files: dict[str, File] = {}
    made_at = archive.complete_at(conn, now)
    with conn.transaction():
        conn.execute("set transaction isolation level repeatable read, read only")
        for table in archive.TABLES:
            name = f"{table.name}.parquet"
            rows = parquet.write(draft / name, table.columns, archive.rows(conn, table, shipment.shipment_id))
            files[name] = _file(draft / name, rows)
    (draft / CERTIFICATE).write_bytes(msgspec.json.format(msgspec.json.encode(certificate())) + b"\n")
    files[CERTIFICATE] = _file(draft / CERTIFICATE)
    manifest = Manifest(FORMAT, shipment.number, shipment.park, made_at, dict(sorted(files.items())))
    (draft / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
    for path in (*draft.iterdir(), draft):
        _to_disk(path)
    draft.rename(folder)
    _to_disk(folder.parent)
    return _written(folder)


def check(folder: Path, key: bytes | None = None) -> Iterator[str]:
    """What is wrong with an archive, in words; with a public key, what is wrong with its certificate, too."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        yield f"{MANIFEST} can't be read: {error}"
        return
    if manifest.format != FORMAT:
        yield f"{MANIFEST} is of another format: {manifest.format}"
        return
    whole = True
    for name, file in manifest.files.items():
        path = folder / name
        if not path.is_file():
            yield f"{name} is missing"
            whole = False
        elif _digest(path).hex() != file.sha256:
            yield f"{name} isn't the file that the manifest names"
            whole = False
    if not whole or key is None:
        return
    yield from check_file(folder / CERTIFICATE, [key]).differences
    yield from _uncited(folder)


def _uncited(folder: Path) -> Iterator[str]:
    """Events that the certificate shows must stand among the observations, with the same bytes."""
    certificate = read_certificate((folder / CERTIFICATE).read_bytes())
    cited = {
        (one.device, micros(datetime.fromisoformat(one.time)), one.run, one.seq): b64decode(one.raw)
        for one in certificate.events
    }
    names = ("device", "event_time", "run", "seq", "body")
    for device, time_us, run, seq, body in parquet.read(folder / OBSERVATIONS, names):
        raw = cited.pop((device, time_us, run, seq), None)
        if raw is not None and raw != body:
            yield f"{OBSERVATIONS}: {device} {run}:{seq} has other bytes than the certificate shows"
    for device, _, run, seq in cited:
        yield f"{OBSERVATIONS}: {device} {run}:{seq}, which the certificate shows, is missing"


def _written(folder: Path) -> Written:
    manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    return Written(
        folder, _digest(folder / MANIFEST), manifest.files[OBSERVATIONS].rows or 0, manifest.made_at
    )


def _file(path: Path, rows: int | None = None) -> File:
    return File(_digest(path).hex(), path.stat().st_size, rows)


def _digest(path: Path) -> bytes:
    hashed = sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            hashed.update(part)
    return hashed.digest()


def _to_disk(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
