"""A certificate's file, checked with nothing but the file and a public key. No database is opened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from gateway.problem import Problem
from tracking.domain.ledger.certificate import check, read

KEY_BYTES = 32


class Checked(Struct, frozen=True):
    """What came of checking a certificate; as JSON it is the answer of ``bondwatch verify FILE --json``.

    Attributes:
        ok: nothing is wrong.
        shipment: its number.
        ledger_entries: in its ledger.
        rows: of the log that it shows.
        events: whose raw bytes it shows.
        findings: that hold.
        differences: what is wrong, in words.
    """

    ok: bool
    shipment: str
    ledger_entries: int
    rows: int
    events: int
    findings: int
    differences: list[str]


def check_file(path: Path, keys: Sequence[bytes]) -> Checked:
    """Check a certificate.

    Raises:
        Problem: the file can't be read, is no certificate, or not exactly one key is given.
    """
    if len(keys) != 1:
        raise Problem(
            "a certificate is checked against one public key",
            "give it with --key; the log's operator publishes it",
        )
    try:
        certificate = read(path.read_bytes())
    except OSError as error:
        raise Problem(f"{path}: {error.strerror}", "name a certificate's file") from None
    except ValueError as error:
        raise Problem(f"{path}: {error}") from None
    try:
        differences = list(check(certificate, keys[0]))
    except (KeyError, TypeError, ValueError, msgspec.DecodeError) as error:
        differences = [f"a part of it can't be read: {error}"]
    return Checked(
        ok=not differences,
        shipment=str(certificate.shipment.get("number")),
        ledger_entries=certificate.ledger_entries,
        rows=len(certificate.rows),
        events=len(certificate.events),
        findings=len(certificate.findings),
        differences=differences,
    )


def public_key(text: str) -> bytes:
    """A public key: 64 hexadecimal digits, or a file that holds them or a published checkpoint.

    Raises:
        Problem: it is none of these.
    """
    given = text.strip()
    path = Path(given)
    if len(given) != 2 * KEY_BYTES and path.is_file():
        content = path.read_text(encoding="utf-8").strip()
        try:
            given = str(msgspec.json.decode(content, type=dict[str, object])["public_key"])
        except (msgspec.DecodeError, KeyError):
            given = content
    try:
        key = bytes.fromhex(given)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise Problem(
            "--key must be a public key: 64 hexadecimal digits, or a file that holds it",
            "see <home>/checkpoints/latest.json",
        )
    return key
