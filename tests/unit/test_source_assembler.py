"""Batches from what a consumer delivered: gaps, what is known or others', how far everything goes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import Struct

from devices.observation import micros
from gateway.pipeline.batch import Advance
from gateway.sources.jetstream_batch import LEFT_BEHIND, SWEEP_S, Assembler, Gap
from tracking.store.positions import Held, Step

START = datetime(2026, 3, 1, 8, tzinfo=UTC)


class Delivered(Struct, frozen=True):
    consumer_sequence: int
    stream_sequence: int
    subject: str
    payload: bytes = b"{}"
    headers: dict[str, Any] = {}

    @property
    def published(self) -> datetime:
        return START + timedelta(seconds=self.stream_sequence)


def assembler(held: dict[int, int], floors: dict[int, int] | None = None) -> Assembler:
    return Assembler(
        "w1", {partition: Held(partition + 10, at, 0) for partition, at in held.items()}, floors or held
    )


def one(number: int, sequence: int, partition: int = 0, **rest: Any) -> Delivered:
    return Delivered(number, sequence, f"bw.in.{partition}.SIP.TRK-{partition}", **rest)


def test_messages_keep_order_topic_time_and_bytes() -> None:
    batch = assembler({0: 0, 1: 0}).assemble([one(1, 5, 1, payload=b"\xff"), one(2, 6)], 0.0)
    assert batch is not None
    assert [(m.topic, m.payload) for m in batch.messages] == [
        ("bw/v1/SIP/TRK-1/events", b"\xff"),
        ("bw/v1/SIP/TRK-0/events", b"{}"),
    ]
    assert batch.messages[0].received_us == micros(START) + 5_000_000
    assert batch.through_us == micros(START) + 6_000_000
    assert batch.advances == [Advance(0, 0, 6), Advance(1, 0, 5)]
    assert batch.epochs == {0: 10, 1: 11}


def test_a_missing_number_is_a_gap() -> None:
    made = assembler({0: 0})
    assert made.assemble([one(1, 1)], 0.0) is not None
    with pytest.raises(Gap, match="message 2"):
        made.assemble([one(3, 3)], 0.0)


def test_a_batch_reaches_as_far_as_was_read_so_that_no_swept_position_is_newer_than_its_time() -> None:
    made = assembler({0: 0, 1: 0})
    batch = made.assemble([one(1, 5), one(2, 6, 9)], SWEEP_S)
    assert batch is not None
    assert batch.advances == [Advance(0, 0, 5), Advance(1, 0, 6)]
    assert batch.through_us == micros(START) + 6_000_000


def test_what_is_recorded_or_is_others_is_dropped() -> None:
    made = assembler({0: 4, 1: 9})
    assert made.assemble([one(1, 4), one(2, 5, 2), one(3, 9, 1)], 0.0) is None
    batch = made.assemble([one(4, 10, 1), one(5, 11, 3)], 0.0)
    assert batch is not None
    assert [m.topic for m in batch.messages] == ["bw/v1/SIP/TRK-1/events"]
    assert made.delivered == 5


def test_silent_partitions_follow_once_a_second() -> None:
    made = assembler({0: 0, 1: 0, 2: 7})
    first = made.assemble([one(1, 3)], 100.0)
    second = made.assemble([one(2, 4)], 100.0 + SWEEP_S / 2)
    third = made.assemble([one(3, 5)], 100.0 + SWEEP_S)
    assert first is not None
    assert second is not None
    assert third is not None
    assert first.advances == [Advance(0, 0, 3), Advance(1, 0, 3)]
    assert second.advances == [Advance(0, 3, 4)]
    assert third.advances == [Advance(0, 4, 5), Advance(1, 3, 5)]


def test_a_stream_that_was_rolled_back_moves_a_position_back() -> None:
    made = assembler({0: 100}, floors={0: 3})
    assert made.first == 4
    batch = made.assemble([one(1, 4), one(2, 5)], 0.0)
    assert batch is not None
    assert batch.advances == [Advance(0, 100, 5)]


def test_a_worker_without_messages_is_moved_up_only_while_nothing_is_out() -> None:
    made = assembler({0: 1, 1: 0})
    assert made.assemble([one(1, 1 + LEFT_BEHIND, 5)], 0.0) is None
    assert made.left_behind() == [Step(0, 1, 1 + LEFT_BEHIND, 10), Step(1, 0, 1 + LEFT_BEHIND, 11)]
    assert made.left_behind() == []
    batch = made.assemble([one(2, 2 + LEFT_BEHIND)], 0.0)
    assert batch is not None
    assert made.assemble([one(3, 2 + 3 * LEFT_BEHIND, 5)], 0.0) is None
    assert made.left_behind() == []
    asyncio.run(batch.acknowledge())
    assert made.settled_us == batch.through_us
    assert made.left_behind() == [
        Step(0, 2 + LEFT_BEHIND, 2 + 3 * LEFT_BEHIND, 10),
        Step(1, 1 + LEFT_BEHIND, 2 + 3 * LEFT_BEHIND, 11),
    ]


def test_headers_of_a_publisher_are_kept_and_the_servers_are_not() -> None:
    batch = assembler({0: 0}).assemble(
        [one(1, 1, headers={"Nmqtt-Pub": "1"}), one(2, 2, headers={"Nmqtt-Pub": "1", "site": "A"})], 0.0
    )
    assert batch is not None
    assert [message.properties for message in batch.messages] == [{}, {"site": "A"}]


def test_the_park_from_whose_leaf_node_a_message_was_fetched_is_what_the_hub_asked_of() -> None:
    header = "BW_EDGE:K7pQm2Xa 41 bw.in.*.SIP.* > bw.in.0.TAC.TRK-0"
    batch = assembler({0: 0}).assemble([one(1, 1), one(2, 2, headers={"Nats-Stream-Source": header})], 0.0)
    assert batch is not None
    assert [message.leaf for message in batch.messages] == ["", "SIP"]


def test_a_source_that_asks_of_no_one_park_speaks_for_none_and_stops_nobody() -> None:
    whole = "BW_EDGE:K7pQm2Xa 41 > > bw.in.0.SIP.TRK-0"
    batch = assembler({0: 0}).assemble([one(1, 1, headers={"Nats-Stream-Source": whole})], 0.0)
    assert batch is not None
    assert batch.messages[0].leaf == whole


def test_a_source_that_is_named_twice_speaks_for_none() -> None:
    """One of the two may be the leaf node's own writing."""
    named = [
        "BW_EDGE:x 41 bw.in.*.TAC.* > bw.in.0.TAC.TRK-0",
        "BW_EDGE:y 9 bw.in.*.SIP.* > bw.in.0.TAC.TRK-0",
    ]
    batch = assembler({0: 0}).assemble([one(1, 1, headers={"Nats-Stream-Source": named})], 0.0)
    assert batch is not None
    assert batch.messages[0].leaf not in {"", "SIP", "TAC"}
