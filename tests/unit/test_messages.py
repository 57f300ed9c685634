"""Receipts, commands, alerts and presence: the bytes that devices and displays rely on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from devices.messages import (
    REJECTION_REASONS,
    Alert,
    Command,
    Presence,
    Receipt,
    Refusal,
    Severity,
    decode_alert,
    decode_command,
    decode_presence,
    decode_receipt,
    encode,
)
from devices.topics import SEVERITIES

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_a_receipt_is_small_and_says_committed_and_rejected_always() -> None:
    receipt = Receipt(7, [(1, 17), (19, 19)], [Refusal("schema", seq=18)])
    assert encode(receipt) == (
        b'{"run":7,"committed":[[1,17],[19,19]],"rejected":[{"reason":"schema","seq":18}]}'
    )
    assert decode_receipt(encode(receipt)) == receipt
    assert encode(Receipt(7, [], [])) == b'{"run":7,"committed":[],"rejected":[]}'


def test_a_receipt_for_events_without_a_counter_names_them() -> None:
    receipt = Receipt(-1, [], [Refusal("future", id="b")], ["a"])
    assert encode(receipt) == (
        b'{"run":-1,"committed":[],"rejected":[{"reason":"future","id":"b"}],"ids":["a"]}'
    )
    assert decode_receipt(encode(receipt)) == receipt


def test_a_newer_gateway_may_say_more() -> None:
    assert decode_receipt(b'{"run":1,"committed":[[1,2]],"rejected":[],"mood":"good"}') == Receipt(
        1, [(1, 2)], []
    )


def test_a_command_keeps_its_moment_whatever_the_offset() -> None:
    command = Command("c-1", "resend", {"run": 7, "missing": [[18, 18]]}, NOON)
    assert decode_command(encode(command)) == command
    beijing = NOON.astimezone(timezone(timedelta(hours=8)))
    assert decode_command(encode(Command("c-1", "resend", expires=beijing))).expires == NOON
    assert encode(Command("c-1", "open")) == b'{"id":"c-1","command":"open"}'


@pytest.mark.parametrize(
    "payload",
    [b"{}", b'{"id":"","command":"x"}', b'{"id":"1","command":"x","expires":"2026-03-02T12:00:00"}'],
)
def test_a_command_that_could_mean_anything_is_refused(payload: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_command(payload)


def test_an_alert_and_a_presence_come_back_as_they_went() -> None:
    alert = Alert("f-1", "route_deviation", "major", "open", "SIP", NOON, "苏E1289K is off its route")
    assert decode_alert(encode(alert)) == alert
    presence = Presence("online", "2.4.1", NOON)
    assert decode_presence(encode(presence)) == presence
    assert encode(Presence("offline")) == b'{"state":"offline"}'


def test_severities_are_the_same_words_in_body_and_topic() -> None:
    assert Severity.__args__ == SEVERITIES


def test_every_reason_is_a_word_and_its_meaning_a_sentence() -> None:
    for reason, meaning in REJECTION_REASONS.items():
        assert reason.isidentifier()
        assert reason.islower()
        assert meaning.endswith(".")
