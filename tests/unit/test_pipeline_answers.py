"""Receipts in the mailbox, positions for the live map, and the search for poison."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from devices.messages import Refusal
from gateway.pipeline import live
from gateway.pipeline.mailbox import Mailbox
from gateway.pipeline.poison import find_poison, last_line
from tests.support.rows import NOON_US, position, reading


def taken(mailbox: Mailbox, now: float) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = {}
    for topic, payload in mailbox.take(now):
        found.setdefault(topic, []).append(json.loads(payload))
    return found


TOPIC = "bw/v1/SIP/TRK-1/receipts"


def test_the_first_receipt_goes_at_once_and_the_next_half_a_second_later() -> None:
    mailbox = Mailbox()
    mailbox.commit("SIP/TRK-1", 1, 1, 3, now=10.0)
    assert taken(mailbox, 10.0) == {TOPIC: [{"run": 1, "committed": [[1, 3]], "rejected": []}]}

    mailbox.commit("SIP/TRK-1", 1, 4, 4, now=10.1)
    mailbox.commit("SIP/TRK-1", 1, 6, 6, now=10.2)
    assert mailbox.next_due == 10.5
    assert taken(mailbox, 10.4) == {}
    assert taken(mailbox, 10.5) == {TOPIC: [{"run": 1, "committed": [[4, 4], [6, 6]], "rejected": []}]}
    assert len(mailbox) == 0
    assert mailbox.next_due is None


def test_each_device_waits_for_itself() -> None:
    mailbox = Mailbox()
    mailbox.commit("SIP/TRK-1", 1, 1, 1, now=10.0)
    mailbox.take(10.0)
    mailbox.commit("SIP/TRK-1", 1, 2, 2, now=10.1)
    mailbox.commit("SIP/TRK-2", 1, 1, 1, now=10.1)

    assert list(taken(mailbox, 10.1)) == ["bw/v1/SIP/TRK-2/receipts"]


def test_runs_and_ids_and_refusals_of_one_device() -> None:
    mailbox = Mailbox()
    mailbox.commit("SIP/TRK-1", 1, 1, 1, now=0)
    mailbox.commit("SIP/TRK-1", 2, 1, 1, now=0)
    mailbox.commit_id("SIP/TRK-1", "a", now=0)
    mailbox.refuse("SIP/TRK-1", 2, Refusal("future", 2, None, "in an hour"), now=0)

    assert taken(mailbox, 0)[TOPIC] == [
        {"run": 1, "committed": [[1, 1]], "rejected": []},
        {
            "run": 2,
            "committed": [[1, 1]],
            "rejected": [{"reason": "future", "seq": 2, "detail": "in an hour"}],
        },
        {"run": -1, "committed": [], "rejected": [], "ids": ["a"]},
    ]


def test_a_receipt_of_very_many_refusals_goes_in_parts_that_a_broker_takes() -> None:
    mailbox = Mailbox()
    for seq in range(1, 5001, 2):
        mailbox.commit("SIP/TRK-1", 1, seq, seq, now=0)
        mailbox.refuse("SIP/TRK-1", 1, Refusal("schema", seq + 1, None, "x" * 200), now=0)

    parts = mailbox.take(0)

    assert max(len(payload) for _, payload in parts) < 1 << 20
    told = [json.loads(payload) for _, payload in parts]
    assert [each for part in told for each in part["committed"]] == [[n, n] for n in range(1, 5001, 2)]
    assert [each["seq"] for part in told for each in part["rejected"]] == list(range(2, 5001, 2))


def test_the_live_map_hears_of_so_many_devices_a_window() -> None:
    allowance = live.Live()

    assert allowance.take(0, 60) == 60
    assert allowance.take(1, 60) == 40
    assert allowance.take(2, 60) == 0
    assert allowance.take(live.WINDOW_US, 60) == 60


def test_positions_for_the_live_map_fit_into_a_notification() -> None:
    name = "P" * 64 + "/" + "D" * 64
    told = live.payload((name, position(seq, NOON_US)) for seq in range(100))

    assert len(told) < 8000
    assert 40 < len(json.loads(told)["positions"]) < 100


def test_only_positions_are_told() -> None:
    assert live.payload([("SIP/TMP-1", reading(1, NOON_US, temperature_c=4.0))]) == ""


class Trials:
    """Breaks when one of these is among what it is given."""

    def __init__(self, bad: Sequence[int]) -> None:
        self.bad = set(bad)
        self.count = 0

    def __call__(self, chosen: Sequence[int]) -> Exception | None:
        self.count += 1
        return ValueError("bad") if self.bad & set(chosen) else None


@pytest.mark.parametrize("bad", [[0], [999], [500, 501], [0, 999], [3, 70, 71, 400]])
def test_poison_is_found_in_a_few_trials(bad: list[int]) -> None:
    trials = Trials(bad)

    assert sorted(find_poison(range(1000), trials)) == bad
    assert trials.count <= 1 + len(bad) * 21


def test_a_single_bad_message_is_found_alone() -> None:
    assert list(find_poison([7], Trials([7]))) == [7]


def test_what_breaks_without_any_message_is_nobodys_fault() -> None:
    assert find_poison(range(100), lambda _chosen: ValueError("ours")) == {}


def test_what_breaks_most_messages_is_our_fault() -> None:
    assert find_poison(range(20), Trials(range(12))) == {}
    assert len(find_poison(range(20), Trials(range(8)))) == 8


def test_what_breaks_only_together_is_nobodys_fault() -> None:
    def both(chosen: Sequence[int]) -> Exception | None:
        return ValueError("together") if {1, 8} <= set(chosen) else None

    assert find_poison(range(10), both) == {}


def test_the_last_line_of_a_traceback_can_be_stored() -> None:
    assert last_line(ValueError("first\nsecond")) == "ValueError: first"
    assert last_line(ValueError("nul \0 byte")) == "ValueError: nul \\0 byte"
    assert last_line(ValueError()) == "ValueError:"
    assert len(last_line(ValueError("x" * 9999))) == 500
