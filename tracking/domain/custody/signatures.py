"""Signed handovers: whether the words are the device's own.

`devices.signing` says what is signed.

Source: RFC 8032 (Ed25519).
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from devices.observation import Handover
from devices.signing import handover_text
from tracking.domain.custody.told import Report


class Signed(StrEnum):
    """What a handover's signature is worth."""

    UNSIGNED = "unsigned"
    VERIFIED = "verified"
    UNKNOWN_KEY = "unknown_key"
    """Nobody has registered a key of this device, so nobody can tell."""
    WRONG = "wrong"


def signed_text(report: Report) -> bytes:
    """What the device of a handover signs."""
    assert isinstance(report.fact, Handover)
    return handover_text(report.fact, device=report.device, run=report.run, seq=report.seq, time=report.time)


def check(report: Report, keys: Mapping[str, tuple[bytes, ...]]) -> Signed:
    """Whether a handover was signed by a key of the device that sent it.

    Args:
        report: of a handover.
        keys: every key that was ever registered, by device.
    """
    assert isinstance(report.fact, Handover)
    if report.fact.signature is None:
        return Signed.UNSIGNED
    known = keys.get(report.device, ())
    if not known:
        return Signed.UNKNOWN_KEY
    text = signed_text(report)
    return Signed.VERIFIED if any(_is_by(key, report.fact.signature, text) for key in known) else Signed.WRONG


def _is_by(key: bytes, signature: str, text: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(b64decode(signature, validate=True), text)
    except (InvalidSignature, ValueError):
        return False
    return True
