"""What is sent again, and when: every moment is an argument."""

from __future__ import annotations

import pytest

from devices.client.pacing import CHUNK, WINDOW, Pacing


@pytest.fixture
def pacing() -> Pacing:
    pacing = Pacing()
    pacing.connected(0.0)
    return pacing


def test_nothing_is_due_while_nothing_is_under_way(pacing: Pacing) -> None:
    assert pacing.due() is None
    assert pacing.again(1e9) == []


def test_silence_sends_the_oldest_chunk_again_with_growing_pauses(pacing: Pacing) -> None:
    pacing.sent(range(1, 501), 10.0)
    moments, now = [], 10.0
    while now < 200:
        if again := pacing.again(now):
            assert again == list(range(1, CHUNK + 1))
            moments.append(now)
        now += 0.5
    assert moments == [12.0, 16.0, 24.0, 40.0, 70.0, 100.0, 130.0, 160.0, 190.0]


def test_due_is_the_moment_at_which_again_has_something(pacing: Pacing) -> None:
    pacing.sent([1], 10.0)
    due = pacing.due()
    assert due is not None
    assert pacing.again(due - 0.001) == []
    assert pacing.again(due) == [1]
    assert pacing.due() == due + 4.0


def test_a_receipt_resets_the_pause(pacing: Pacing) -> None:
    pacing.sent(range(1, 11), 0.0)
    pacing.again(2.0)
    pacing.again(6.0)
    pacing.settled([(1, 5)], 7.0)
    assert pacing.due() == 9.0
    assert pacing.again(9.0) == [6, 7, 8, 9, 10]


def test_an_overtaken_number_goes_again_at_once(pacing: Pacing) -> None:
    pacing.sent([1, 2], 0.0)
    pacing.sent([3, 4], 0.2)
    pacing.settled([(1, 1), (3, 3)], 1.5)
    assert pacing.again(1.5) == [2]
    assert pacing.again(1.5) == [], "once"


def test_an_overtaken_number_has_a_second_of_grace(pacing: Pacing) -> None:
    pacing.sent([1, 2], 0.0)
    pacing.settled([(2, 2)], 0.5)
    assert pacing.again(0.6) == []


def test_what_was_sent_again_after_the_overtaker_is_not_lost(pacing: Pacing) -> None:
    pacing.sent([1], 0.0)
    pacing.sent([2], 0.1)
    pacing.sent([1], 5.0)
    pacing.settled([(2, 2)], 6.5)
    assert pacing.again(6.5) == []


def test_a_receipt_that_says_nothing_new_changes_nothing(pacing: Pacing) -> None:
    pacing.sent([5], 0.0)
    before = pacing.due()
    pacing.settled([(1, 4), (6, 1_000_000)], 1.0)
    assert pacing.due() == before


def test_the_window_bounds_what_is_under_way(pacing: Pacing) -> None:
    pacing.sent(range(1, WINDOW + 1), 0.0)
    assert pacing.room == 0
    pacing.settled([(1, 10)], 0.5)
    assert pacing.room == 10


def test_a_new_connection_starts_at_the_oldest(pacing: Pacing) -> None:
    pacing.sent(range(1, 11), 0.0)
    assert pacing.newest == 10
    pacing.connected(5.0)
    assert (pacing.newest, pacing.room, pacing.due()) == (0, WINDOW, None)
