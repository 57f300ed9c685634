"""A handover that the SDK signs, recorded as it would be sent, against the key that was registered."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from devices.client import Device, Handover, Role
from tests.support.desk import Desk
from tests.support.recording import at
from tracking.domain.custody.signatures import Signed, check

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture
def desk(database: str) -> Iterator[Desk]:
    desk = Desk(database)
    desk.shipment("S-1", "P-1")
    yield desk
    desk.close()


def said(tmp_path: Path, key: Ed25519PrivateKey = KEY) -> dict[str, Any]:
    """The event that a device with a key has in its outbox."""
    device = Device(
        "127.0.0.1", 1, name="SIP/SC-1", password="", outbox=tmp_path / "o", sign=key.sign, connect=False
    )
    with device:
        device.report(Handover("A", "B", Role.GIVER, code="P-1"), time=at(60))
        (stored,) = device._outbox.after(0, 10)
    event: dict[str, Any] = json.loads(stored.body)
    return event


def heard(desk: Desk, event: dict[str, Any]) -> Signed:
    """What the signature is worth; and everything is judged."""
    public = b64encode(KEY.public_key().public_bytes_raw()).decode()
    desk.files("device_key", "K", 0, of=desk.scanner, device="SIP/SC-1", public_key=public)
    desk.hears(desk.scanner, event)
    desk.judge()
    facts = desk.facts()
    (report,) = [one for one in facts.reports if isinstance(one.fact, Handover)]
    return check(report, facts.keys)


def rules(desk: Desk) -> set[str]:
    return {row[0] for row in desk.findings()}


def test_what_the_sdk_signs_is_verified(desk: Desk, tmp_path: Path) -> None:
    assert heard(desk, said(tmp_path)) is Signed.VERIFIED
    assert "handover_mismatch" not in rules(desk)


@pytest.mark.parametrize(
    "change", [{"to_party": "C"}, {"time": round(at(61).timestamp() * 1000)}, {"seq": 9}]
)
def test_a_tampered_one_is_a_finding(desk: Desk, tmp_path: Path, change: dict[str, Any]) -> None:
    assert heard(desk, said(tmp_path) | change) is Signed.WRONG
    assert "handover_mismatch" in rules(desk)


def test_another_s_key_is_a_finding(desk: Desk, tmp_path: Path) -> None:
    assert heard(desk, said(tmp_path, Ed25519PrivateKey.generate())) is Signed.WRONG
    assert "handover_mismatch" in rules(desk)
