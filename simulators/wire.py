"""MQTT 3.1.1, as little of it as a load generator needs: bytes in, values out, no I/O.

It speaks CONNECT, SUBSCRIBE, PUBLISH at QoS 1 and DISCONNECT, and understands their answers and PUBLISH at
QoS 0 and 1. It refuses everything else. Every broker of ours speaks 3.1.1 (NATS speaks nothing newer).

Source: OASIS MQTT 3.1.1, chapters 2 and 3.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias

CONNACK: Final = 2
PUBLISH: Final = 3
PUBACK: Final = 4
SUBACK: Final = 9
PINGRESP: Final = 13

DISCONNECT: Final = b"\xe0\x00"

_CLEAN_WITH_LOGIN: Final = 0b1100_0010
_ACK: Final = b"\x40\x02"
_REFUSALS: Final = {
    1: "unacceptable protocol version",
    2: "client id refused",
    3: "server unavailable",
    4: "bad user name or password",
    5: "not authorised",
}


class WireError(Exception):
    """The broker said something that this codec doesn't expect, or refused."""


class Acks(NamedTuple):
    """Publishes that the broker has taken, by packet id."""

    packet_ids: tuple[int, ...]


class Admitted(NamedTuple):
    """The broker's answer to CONNECT, when it is a good one."""


class Subscribed(NamedTuple):
    """The broker's answer to SUBSCRIBE, when it is a good one."""


class Message(NamedTuple):
    """Something on a subscribed topic; with a packet id at QoS 1, else 0."""

    topic: str
    payload: bytes
    packet_id: int


Heard: TypeAlias = Acks | Admitted | Subscribed | Message


def connect(client_id: str, username: str, password: str) -> bytes:
    """CONNECT with a clean session and without keep-alive."""
    body = b"\x00\x04MQTT\x04" + bytes([_CLEAN_WITH_LOGIN]) + b"\x00\x00"
    return _packet(0x10, body + _text(client_id) + _text(username) + _text(password))


def subscribe(packet_id: int, topic: str) -> bytes:
    """SUBSCRIBE to one topic at QoS 0."""
    return _packet(0x82, struct.pack(">H", packet_id) + _text(topic) + b"\x00")


def puback(packet_id: int) -> bytes:
    """The acknowledgement of a message."""
    return _ACK + struct.pack(">H", packet_id)


class Publisher:
    """Makes PUBLISH packets at QoS 1 for one topic; the topic is encoded once."""

    def __init__(self, topic: str) -> None:
        self._topic = _text(topic)
        self._fixed = len(self._topic) + 2

    def packet(self, packet_id: int, payload: bytes) -> bytes:
        """One PUBLISH."""
        head = b"\x32" + _length(self._fixed + len(payload))
        return b"%b%b%b%b" % (head, self._topic, packet_id.to_bytes(2), payload)


class Reader:
    """Takes bytes apart into what they say; keeps what is incomplete."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Heard]:
        """What these bytes complete.

        Raises:
            WireError: a refusal, or a packet that has no business here.
        """
        if not self._rest and len(data) % 4 == 0 and data[::4].strip(b"\x40") == b"":
            count = len(data) // 4
            if data[1::4] == b"\x02" * count:  # nothing but PUBACKs: nearly always
                yield Acks(struct.unpack(">" + "xxH" * count, data))
                return
        data = self._rest + data
        at = 0
        while (end := _end(data, at)) is not None:
            yield from _understood(data[at], data[end[0] : end[1]])
            at = end[1]
        self._rest = data[at:]


def _understood(first: int, body: bytes) -> Iterator[Heard]:
    kind = first >> 4
    if kind == PUBACK:
        yield Acks((int.from_bytes(body[:2]),))
    elif kind == PUBLISH:
        size = int.from_bytes(body[:2])
        topic, rest = body[2 : 2 + size].decode(), body[2 + size :]
        has_id = first >> 1 & 3
        yield Message(topic, rest[2:] if has_id else rest, int.from_bytes(rest[:2]) if has_id else 0)
    elif kind == CONNACK:
        if body[1]:
            raise WireError(f"refused: {_REFUSALS.get(body[1], body[1])}")
        yield Admitted()
    elif kind == SUBACK:
        if body[2] > 2:
            raise WireError("not allowed to subscribe")
        yield Subscribed()
    elif kind != PINGRESP:
        raise WireError(f"unexpected packet of type {kind}")


def _end(data: bytes, at: int) -> tuple[int, int] | None:
    """Where the body of the packet at ``at`` begins and ends; None while it is incomplete."""
    length = shift = 0
    for index in range(at + 1, min(at + 5, len(data))):
        length |= (data[index] & 0x7F) << shift
        shift += 7
        if not data[index] & 0x80:
            return (index + 1, index + 1 + length) if index + 1 + length <= len(data) else None
    return None


def _packet(first: int, body: bytes) -> bytes:
    return bytes([first]) + _length(len(body)) + body


def _length(length: int) -> bytes:
    digits = bytearray()
    while True:
        length, digit = divmod(length, 128)
        if not length:
            digits.append(digit)
            return bytes(digits)
        digits.append(digit | 0x80)


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack(">H", len(encoded)) + encoded
