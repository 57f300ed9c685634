"""Leases, fence and watermark on a real server. A lease that has run out is made by asking for a tiny one."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest

from gateway.sources import leases
from tests.support.rows import NOON, NOON_US, SECOND_US
from tracking.domain.errors import Fenced
from tracking.store.database import Connection, connect, is_passing
from tracking.store.positions import (
    Held,
    Step,
    advance,
    keep,
    mark_through,
    release,
    retire_others,
    watermark,
)
from tracking.store.sessions import (
    Session,
    adopt_session,
    claim_session,
    keep_sessions,
    mark_drained,
    mark_sessions_through,
    release_sessions,
)

JS = "jetstream"
GONE_S = 0.0  # a lease that is over before the next statement


def move(conn: Connection, worker: str, held: dict[int, Held], by: int, *, through_us: int = 0) -> None:
    """A batch that moves partition 0."""
    old, epoch = held[0].sequence, held[0].epoch
    with conn.transaction():
        step = Step(0, old, old + by, epoch)
        advance(conn.cursor(), JS, worker, [step], through_us=through_us)


def until(condition: Callable[[], bool], deadline_s: float = 10) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "the condition did not come true"
        threading.Event().wait(0.02)


class TestShares:
    def test_the_first_worker_gets_everything(self, conn: Connection) -> None:
        assert keep(conn, JS, "a") == {partition: Held(1, 0, 0) for partition in range(16)}

    def test_a_newcomer_gets_half_when_the_first_speaks_again(self, conn: Connection) -> None:
        keep(conn, JS, "a")
        assert keep(conn, JS, "b") == {}
        first = keep(conn, JS, "a")
        second = keep(conn, JS, "b")
        assert set(first) == set(range(8))
        assert second == {partition: Held(2, 0, 0) for partition in range(8, 16)}
        assert keep(conn, JS, "a") == first  # settled: nobody's epoch moves any more

    def test_five_workers_share_evenly_and_lose_nothing(self, conn: Connection) -> None:
        workers = ["a", "b", "c", "d", "e"]
        for _ in range(3):
            held = {worker: keep(conn, JS, worker) for worker in workers}
        assert sorted(map(len, held.values())) == [3, 3, 3, 3, 4]
        assert sorted(partition for share in held.values() for partition in share) == list(range(16))

    def test_a_dead_workers_partitions_are_taken_over(self, conn: Connection) -> None:
        keep(conn, JS, "a", lease_s=GONE_S)
        assert len(keep(conn, JS, "b")) == 16

    def test_takeover_within_five_seconds_with_the_real_lease(self, conn: Connection) -> None:
        began = time.monotonic()
        keep(conn, JS, "dead")
        until(lambda: len(keep(conn, JS, "b")) == 16)
        assert time.monotonic() - began < 5

    def test_an_orderly_stop_frees_at_once(self, conn: Connection) -> None:
        keep(conn, JS, "a")
        release(conn, JS, "a")
        assert len(keep(conn, JS, "b")) == 16

    def test_a_lease_that_ran_out_but_that_nobody_took_goes_on_at_its_epoch(self, conn: Connection) -> None:
        keep(conn, JS, "a", lease_s=GONE_S)
        assert keep(conn, JS, "a")[0] == Held(1, 0, 0)

    def test_sources_do_not_share(self, conn: Connection) -> None:
        keep(conn, JS, "a")
        assert len(keep(conn, "replay", "b", partitions=4)) == 4

    def test_workers_at_the_same_moment(self, conn: Connection, database: str) -> None:
        def run(worker: str) -> None:
            with connect(database) as own:
                for _ in range(10):
                    keep(own, JS, worker)

        threads = [threading.Thread(target=run, args=(f"w{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        for _ in range(2):
            held = [keep(conn, JS, f"w{n}") for n in range(4)]
        assert sorted(partition for share in held for partition in share) == list(range(16))


class TestFence:
    def test_positions_move_with_the_batch(self, conn: Connection) -> None:
        held = keep(conn, JS, "a")
        steps = [Step(0, 0, 10, held[0].epoch), Step(3, 0, 7, held[3].epoch)]
        with conn.transaction():
            advance(conn.cursor(), JS, "a", steps, through_us=NOON_US)
        held = keep(conn, JS, "a")
        assert held[0] == Held(1, 10, NOON_US)
        assert held[3] == Held(1, 7, NOON_US)
        assert held[1] == Held(1, 0, 0)

    def test_a_batch_without_partitions_passes(self, conn: Connection) -> None:
        advance(conn.cursor(), "mqtt", "a", [], through_us=NOON_US)

    def test_one_lost_partition_stops_the_whole_batch(self, conn: Connection) -> None:
        mine = keep(conn, JS, "a", lease_s=GONE_S)
        theirs = keep(conn, JS, "b")
        steps = [Step(p, 0, 5, (mine if p else theirs)[p].epoch) for p in (0, 1)]
        with pytest.raises(Fenced, match=r"jetstream: partitions \[0, 1\]"), conn.transaction():
            advance(conn.cursor(), JS, "a", steps, through_us=0)
        assert keep(conn, JS, "b")[1].sequence == 0

    def test_the_same_messages_twice_are_fenced(self, conn: Connection) -> None:
        held = keep(conn, JS, "a")
        move(conn, "a", held, 10)
        with pytest.raises(Fenced):
            move(conn, "a", held, 10)

    def test_a_zombie_that_wakes_up_commits_nothing(self, conn: Connection) -> None:
        zombie = keep(conn, JS, "z", lease_s=GONE_S)
        heir = keep(conn, JS, "b")
        move(conn, "b", heir, 10)
        with pytest.raises(Fenced):
            move(conn, "z", zombie, 10)
        mark_through(conn, JS, "z", {0: zombie[0].epoch}, NOON_US)
        assert keep(conn, JS, "b")[0] == Held(2, 10, 0)

    def test_keeping_never_waits_for_a_batch_and_a_moving_batch_renews_itself(
        self, conn: Connection, database: str
    ) -> None:
        held = keep(conn, JS, "a", lease_s=GONE_S)
        with connect(database) as batch, batch.transaction():
            advance(batch.cursor(), JS, "a", [Step(0, 0, 1, held[0].epoch)], through_us=0)
            others = keep(conn, JS, "b")  # returns although partition 0 is locked
            assert set(others) == set(range(1, 16))
        assert keep(conn, JS, "a")[0].sequence == 1  # the batch ended in time: its partition stayed

    def test_a_worker_stopped_inside_its_batch_is_freed_of_its_locks(
        self, conn: Connection, database: str
    ) -> None:
        stopped = connect(database, idle_in_transaction_s=0.2)
        held = keep(stopped, JS, "z", lease_s=GONE_S)
        stopped.execute("begin")
        advance(stopped.cursor(), JS, "z", [Step(0, 0, 1, held[0].epoch)], through_us=0, lease_s=GONE_S)
        until(lambda: len(keep(conn, JS, "b")) == 16)
        assert keep(conn, JS, "b")[0].sequence == 0
        with pytest.raises(psycopg.Error) as caught:
            stopped.execute("commit")
        assert is_passing(caught.value)
        stopped.close()


class TestWatermark:
    def test_nobody_reads_nothing_is_known(self, conn: Connection) -> None:
        assert watermark(conn) is None

    def test_one_partition_that_was_never_read_holds_everything(self, conn: Connection) -> None:
        held = keep(conn, JS, "a")
        mark_through(conn, JS, "a", dict.fromkeys(list(held)[1:], 1), NOON_US)
        assert watermark(conn, JS) is None
        mark_through(conn, JS, "a", {0: 1}, NOON_US - SECOND_US)
        assert watermark(conn, JS) == NOON - timedelta(seconds=1)

    def test_it_never_goes_back(self, conn: Connection) -> None:
        held = keep(conn, JS, "a")
        mark_through(conn, JS, "a", dict.fromkeys(held, 1), NOON_US)
        mark_through(conn, JS, "a", dict.fromkeys(held, 1), NOON_US - SECOND_US)
        move(conn, "a", held, 1, through_us=NOON_US - SECOND_US)
        assert watermark(conn) == NOON

    def test_it_never_waits_for_a_batch(self, conn: Connection, database: str) -> None:
        held = keep(conn, JS, "a")
        with connect(database) as batch, batch.transaction():
            step = Step(0, 0, 1, held[0].epoch)
            advance(batch.cursor(), JS, "a", [step], through_us=NOON_US + SECOND_US)
            conn.execute("set lock_timeout = '1s'")
            mark_through(conn, JS, "a", dict.fromkeys(held, 1), NOON_US)
        assert watermark(conn) == NOON

    def test_a_source_that_nobody_reads_any_more_is_retired_by_another_one(self, conn: Connection) -> None:
        keep(conn, JS, "a")
        session = claim_session(conn, "bw-", "b")
        mark_sessions_through(conn, "b", [session], NOON_US)
        assert watermark(conn) is None
        assert retire_others(conn, "mqtt") == []  # "a" still reads it
        release(conn, JS, "a")
        assert retire_others(conn, "mqtt") == [JS]
        assert retire_others(conn, "mqtt") == []
        assert watermark(conn) == NOON

    def test_client_ids_that_nobody_holds_are_retired_by_a_stream(self, conn: Connection) -> None:
        held = keep(conn, JS, "a")
        mark_through(conn, JS, "a", dict.fromkeys(held, 1), NOON_US)
        claim_session(conn, "bw-", "b", lease_s=GONE_S)
        assert watermark(conn) is None
        assert retire_others(conn, JS) == ["mqtt"]
        assert watermark(conn) == NOON

    def test_a_site_that_changes_back_goes_on_where_it_ended(self, conn: Connection) -> None:
        held = keep(conn, JS, "a")
        move(conn, "a", held, 7)
        release(conn, JS, "a")
        claim_session(conn, "bw-", "b", lease_s=GONE_S)
        retire_others(conn, "mqtt")
        assert keep(conn, JS, "c")[0].sequence == 7
        assert retire_others(conn, JS) == ["mqtt"]
        assert watermark(conn) is None  # what waits in the stream is not recorded yet
        assert claim_session(conn, "bw-", "d").client_id == "bw-0"
        assert retire_others(conn, JS) == []

    def test_a_gateway_that_was_killed_a_moment_before_holds_nothing_back(
        self, conn: Connection, database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keep(conn, JS, "killed", lease_s=0.5)
        session = claim_session(conn, "bw-", "b")
        mark_sessions_through(conn, "b", [session], NOON_US)
        monkeypatch.setattr(leases, "_ENDED_S", 0.6)
        asyncio.run(leases.retire_others(database, "mqtt"))
        assert watermark(conn) == NOON


class TestSessions:
    def test_client_ids_are_stable_over_restarts(self, conn: Connection) -> None:
        assert claim_session(conn, "bw-", "a") == Session("bw-0", 1)
        assert claim_session(conn, "bw-", "b") == Session("bw-1", 1)
        release_sessions(conn, "a")
        assert claim_session(conn, "bw-", "c") == Session("bw-0", 2)

    def test_a_dead_workers_session_is_adopted_drained_and_free_again(self, conn: Connection) -> None:
        claim_session(conn, "bw-", "dead", lease_s=GONE_S)
        own = claim_session(conn, "bw-", "dead2")  # takes bw-0 over
        assert own == Session("bw-0", 2)
        conn.execute("update mqtt_sessions set leased_until = clock_timestamp() - interval '1 s'")
        mine = Session("bw-1", 1)
        conn.execute("insert into mqtt_sessions (client_id, owner, epoch, leased_until)"
                     " values ('bw-1', 'a', 1, clock_timestamp() + interval '9 s')")  # fmt: skip
        orphan = adopt_session(conn, "bw-", "a")
        assert orphan == Session("bw-0", 3)
        assert adopt_session(conn, "bw-", "a") is None
        mark_sessions_through(conn, "a", [mine], NOON_US)
        assert watermark(conn, "mqtt") is None  # what waits in the orphan is not recorded yet
        assert mark_drained(conn, "a", orphan)
        assert watermark(conn, "mqtt") == NOON
        assert keep_sessions(conn, "a") == [mine]

    def test_an_adopted_session_is_missing_from_its_old_workers_renewal(self, conn: Connection) -> None:
        session = claim_session(conn, "bw-", "z", lease_s=GONE_S)
        adopt_session(conn, "bw-", "a")
        assert keep_sessions(conn, "z") == []
        assert not mark_drained(conn, "z", session)

    def test_prefixes_do_not_mix(self, conn: Connection) -> None:
        claim_session(conn, "bw-", "a", lease_s=GONE_S)
        assert claim_session(conn, "bw-x-", "b") == Session("bw-x-0", 1)
        assert adopt_session(conn, "b", "c") is None
