"""The recording worker around the road: one batch ahead, receipts sent, stops and takeovers survived."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gateway.pipeline import mailbox
from gateway.pipeline import road as roads
from gateway.pipeline.batch import Batch, Message
from gateway.pipeline.load import Load
from gateway.pipeline.tools import Tools
from gateway.service import Worker
from tests.support.recording import MemoryBatch, Station
from tests.support.rows import NOON_US
from tracking.domain.errors import Fenced, Retryable

DEADLINE_S = 20


class MemorySource:
    """Delivers what lies in it; what isn't acknowledged comes again after a rewind."""

    def __init__(self) -> None:
        self.waiting: list[list[Message]] = []
        self.out: list[MemoryBatch] = []
        self.published: list[tuple[str, dict[str, Any]]] = []
        self.rewound = 0
        self.troubles: list[Exception] = []
        self.can_publish = True
        self._arrived = asyncio.Event()

    def put(self, *messages: Message) -> None:
        self.waiting.append(list(messages))
        self._arrived.set()

    async def receive(self) -> Batch:
        if self.troubles:
            raise self.troubles.pop(0)
        while not self.waiting:
            self._arrived.clear()
            await self._arrived.wait()
        batch = MemoryBatch(self.waiting.pop(0))
        self.out.append(batch)
        return batch

    async def publish(self, topic: str, payload: bytes) -> None:
        if not self.can_publish:
            raise Retryable("no link")
        self.published.append((topic, json.loads(payload)))

    async def rewind(self) -> None:
        self.rewound += 1
        self.waiting[:0] = [list(batch.messages) for batch in self.out if not batch.acknowledged]
        self.out.clear()
        self._arrived.set()

    async def close(self) -> None:
        pass


@pytest.fixture
def station(database: str) -> Iterator[Station]:
    station = Station(database)
    yield station
    station.close()


def clock() -> int:
    return NOON_US + time.monotonic_ns() // 1000


def run(station: Station, story: Callable[[MemorySource, Worker], Any]) -> MemorySource:
    """Let a worker run while something happens; then stop it."""

    async def main() -> MemorySource:
        source = MemorySource()
        worker = Worker(source, station.road)
        station.road._now_us = clock
        running = asyncio.create_task(worker.run())
        try:
            await asyncio.wait_for(story(source, worker), DEADLINE_S)
        finally:
            worker.stop()
            await asyncio.wait_for(running, DEADLINE_S)
        return source

    return asyncio.run(main())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


def test_what_is_delivered_is_recorded_acknowledged_and_answered(station: Station) -> None:
    truck = station.device("TRK-1")

    async def story(source: MemorySource, worker: Worker) -> None:
        source.put(truck.says(at=0), truck.says(at=1))
        await until(lambda: bool(source.published))

    source = run(station, story)

    assert station.recorded(truck) == [(1, 1), (1, 2)]
    assert [batch.acknowledged for batch in source.out] == [1]
    assert source.published == [
        ("bw/v1/SIP/TRK-1/receipts", {"run": 1, "committed": [[1, 2]], "rejected": []})
    ]


def test_a_receipt_that_waits_holds_up_no_other_device_s(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "EVERY_S", 5.0)
    truck, van = station.device("TRK-1"), station.device("VAN-1")

    async def story(source: MemorySource, worker: Worker) -> None:
        source.put(truck.says(at=0))
        await until(lambda: len(source.published) == 1)
        source.put(truck.says(at=1))
        await until(lambda: len(station.road.tools.mailbox) == 1)
        source.put(van.says(at=0))
        await until(lambda: len(source.published) == 2)
        assert source.published[1][0] == "bw/v1/SIP/VAN-1/receipts"
        assert len(station.road.tools.mailbox) == 1, "the truck is not to be written to yet"

    run(station, story)


def test_receipts_of_a_device_are_coalesced(station: Station) -> None:
    truck = station.device("TRK-1")

    async def story(source: MemorySource, worker: Worker) -> None:
        for second in range(10):
            source.put(truck.says(at=second))
        await until(lambda: sum(last for _, told in source.published for _, last in told["committed"]) >= 10)

    source = run(station, story)

    committed = [tuple(pair) for _, told in source.published for pair in told["committed"]]
    assert committed[-1][1] == 10
    assert len(source.published) <= 3
    assert [first for first, _ in committed[1:]] == [last + 1 for _, last in committed[:-1]]


def test_a_clock_that_is_set_back_holds_up_no_receipt(station: Station) -> None:
    truck = station.device("TRK-1")

    async def story(source: MemorySource, worker: Worker) -> None:
        source.put(truck.says(at=0))
        await until(lambda: len(source.published) == 1)
        station.road._now_us = lambda: clock() - 3_600_000_000
        source.put(truck.says(at=1))
        await until(lambda: len(source.published) == 2)

    source = run(station, story)

    assert [told["committed"] for _, told in source.published] == [[[1, 1]], [[2, 2]]]


def test_the_next_batch_is_read_while_one_is_recorded(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    truck = station.device("TRK-1")
    loop_saw: list[int] = []
    release = asyncio.Event()
    resolve, fold, commit = roads.RECORD
    loops: list[asyncio.AbstractEventLoop] = []

    def slow(load: Load, tools: Tools) -> None:
        if not loop_saw:
            asyncio.run_coroutine_threadsafe(release.wait(), loops[0]).result(DEADLINE_S)
        commit(load, tools)

    monkeypatch.setattr(roads, "RECORD", (resolve, fold, slow))

    async def story(source: MemorySource, worker: Worker) -> None:
        loops.append(asyncio.get_running_loop())
        for second in range(4):
            source.put(truck.says(at=second))
        await until(lambda: len(source.out) == 2)
        loop_saw.append(len(source.out))
        assert source.out[0].acknowledged == 0
        release.set()
        await until(lambda: sum(batch.acknowledged for batch in source.out) == 4)

    run(station, story)

    assert loop_saw == [2]  # one ahead, not more
    assert station.recorded(truck) == [(1, 1), (1, 2), (1, 3), (1, 4)]


def test_a_fenced_batch_is_dropped_with_what_was_read_ahead_and_all_comes_again(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    truck = station.device("TRK-1")
    resolve, fold, commit = roads.RECORD
    tries: list[Load] = []

    def fence(load: Load, tools: Tools) -> None:
        tries.append(load)
        if len(tries) == 2:
            raise Fenced("taken over")
        resolve(load, tools)

    monkeypatch.setattr(roads, "RECORD", (fence, fold, commit))

    async def story(source: MemorySource, worker: Worker) -> None:
        for second in range(5):
            source.put(truck.says(at=second))
        await until(lambda: len(station.recorded(truck)) == 5)

    source = run(station, story)

    assert source.rewound == 1
    assert station.recorded(truck) == [(1, seq) for seq in range(1, 6)]
    assert station.count("arrival_notes") == 0  # nothing was even a repeat


def test_a_stop_finishes_what_is_under_way_and_sends_its_receipt(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    truck = station.device("TRK-1")
    resolve, fold, commit = roads.RECORD
    begun: list[bool] = []

    def noticed(load: Load, tools: Tools) -> None:
        begun.append(True)
        commit(load, tools)

    monkeypatch.setattr(roads, "RECORD", (resolve, fold, noticed))

    async def story(source: MemorySource, worker: Worker) -> None:
        source.put(truck.says(at=0))
        await until(lambda: bool(begun))
        worker.stop()

    source = run(station, story)

    assert station.recorded(truck) == [(1, 1)]
    assert source.out[0].acknowledged == 1
    assert [topic for topic, _ in source.published] == ["bw/v1/SIP/TRK-1/receipts"]


def test_a_bug_ends_the_worker(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    truck = station.device("TRK-1")
    resolve, _, commit = roads.RECORD

    def broken(load: Load, tools: Tools) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(roads, "RECORD", (resolve, broken, commit))

    async def main() -> None:
        source = MemorySource()
        source.put(truck.says(at=0))
        await asyncio.wait_for(Worker(source, station.road).run(), DEADLINE_S)

    with pytest.raises(ExceptionGroup) as ended:
        asyncio.run(main())
    assert isinstance(ended.value.exceptions[0], ZeroDivisionError)
    assert station.count("observations") == 0


def test_a_source_without_a_link_is_asked_again(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    truck = station.device("TRK-1")
    monkeypatch.setattr("gateway.service.RECEIVE_AGAIN_S", 0.0)

    async def story(source: MemorySource, worker: Worker) -> None:
        source.troubles = [Retryable("no link"), Retryable("no link")]
        source.put(truck.says(at=0))
        await until(lambda: bool(source.published))

    run(station, story)

    assert station.recorded(truck) == [(1, 1)]


def test_receipts_that_cannot_be_sent_do_not_stop_the_record(station: Station) -> None:
    truck = station.device("TRK-1")

    async def story(source: MemorySource, worker: Worker) -> None:
        source.can_publish = False
        source.put(truck.says(at=0))
        await until(lambda: len(station.recorded(truck)) == 1)

    source = run(station, story)

    assert source.out[0].acknowledged == 1
    assert source.published == []
