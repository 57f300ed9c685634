"""The generator's MQTT: against golden bytes, and however the network cuts them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators import wire
from simulators.wire import Acks, Admitted, Message, Publisher, Reader, Subscribed, WireError


def test_packets_are_as_the_specification_has_them() -> None:
    assert wire.connect("SIP/A", "SIP/A", "pw") == bytes.fromhex(
        "101c 00044d515454 04 c2 0000 00055349502f41 00055349502f41 00027077".replace(" ", "")
    )
    assert wire.subscribe(1, "a/b") == bytes.fromhex("8208000100" + "03612f6200")
    assert wire.puback(258) == b"\x40\x02\x01\x02"
    assert Publisher("a/b").packet(10, b"hi") == b"\x32\x09\x00\x03a/b\x00\x0ahi"
    assert Publisher("a/b").packet(1, b"x" * 321)[:3] == b"\x32\xc8\x02", "lengths of two digits"


def heard(reader: Reader, *pieces: bytes) -> list[wire.Heard]:
    return [said for piece in pieces for said in reader.feed(piece)]


STREAM = (
    b"\x20\x02\x00\x00"  # CONNACK
    b"\x90\x03\x00\x01\x00"  # SUBACK
    b"\x40\x02\x00\x01\x40\x02\x00\x02"  # PUBACK 1, 2
    b"\x30\x07\x00\x03a/bhi"  # PUBLISH at QoS 0
    b"\x32\x09\x00\x03a/b\x00\x05hi"  # PUBLISH at QoS 1
    b"\xd0\x00"  # PINGRESP
    b"\x40\x02\xff\xff"
)
SAID = [Admitted(), Subscribed(), Acks((1,)), Acks((2,)), Message("a/b", b"hi", 0), Message("a/b", b"hi", 5)]


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_however_the_stream_is_cut_it_says_the_same(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[begin:end] for begin, end in pairwise(edges)]
    acks = [said for said in heard(Reader(), *pieces) if isinstance(said, Acks)]
    others = [said for said in heard(Reader(), *pieces) if not isinstance(said, Acks)]
    assert others == [said for said in SAID if not isinstance(said, Acks)]
    assert [number for ack in acks for number in ack.packet_ids] == [1, 2, 65_535]


def test_a_run_of_acknowledgements_is_one_answer() -> None:
    assert heard(Reader(), b"".join(map(wire.puback, range(1, 500)))) == [Acks(tuple(range(1, 500)))]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"\x20\x02\x00\x05", "not authorised"),
        (b"\x90\x03\x00\x01\x80", "not allowed to subscribe"),
        (b"\x10\x00", "type 1"),
    ],
)
def test_a_refusal_is_an_error(said: bytes, why: str) -> None:
    with pytest.raises(WireError, match=why):
        heard(Reader(), said)
