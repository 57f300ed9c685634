"""Which client may publish or subscribe to what. Names in, topic lists out; brokers get renderings of them.

A device speaks as itself and hears what is for it, nothing else. Internal services get what their step of the
road needs and no more. Everything not listed is denied.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from devices.topics import (
    RESERVED_DEVICE,
    ROOT,
    SEVERITIES,
    alerts_topic,
    commands_topic,
    events_topic,
    presence_topic,
    receipts_topic,
)


class Rights(Struct, frozen=True):
    """What one client may do, as MQTT topics; ``+`` stands for any one level.

    Attributes:
        name: the client's user name.
        publish: topics that it may publish to.
        subscribe: topic filters that it may subscribe to.
    """

    name: str
    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()


_ANY: Final = f"{ROOT}/+/+"
_ANY_ALERT: Final = f"{ROOT}/+/{RESERVED_DEVICE}"

SERVICES: Final[dict[str, Rights]] = {
    "gateway": Rights(
        "gateway", publish=(f"{_ANY}/receipts",), subscribe=(f"{_ANY}/events", f"{_ANY}/presence")
    ),
    "judge": Rights(
        "judge", publish=(f"{_ANY}/commands", *(f"{_ANY_ALERT}/{severity}" for severity in SEVERITIES))
    ),
}
"""Internal service -> its rights: the gateway records, the judge relays commands and alerts."""


DISPLAY_KINDS: Final = frozenset({"display", "siren"})
"""Kinds of registered clients that only listen: they hear the alerts of their park and say nothing."""


def rights(name: str, kind: str = "tracker") -> Rights:
    """What the registered client of that name may do.

    Args:
        name: its natural name, ``SIP/TRK-001``.
        kind: as it was registered; the kinds of ``DISPLAY_KINDS`` listen, every other one is a device.

    Raises:
        ValueError: the name is not ``PARK/DEVICE``.
    """
    receipts = receipts_topic(name)
    if kind in DISPLAY_KINDS:
        park = name.partition("/")[0]
        return Rights(name, subscribe=tuple(alerts_topic(park, severity) for severity in SEVERITIES))
    return Rights(
        name,
        publish=(events_topic(name), presence_topic(name)),
        subscribe=(receipts, commands_topic(name)),
    )


def subject(topic: str) -> str:
    """The NATS subject of a topic or filter of our grammar.

    Raises:
        ValueError: the topic holds a character that NATS writes differently (dot, space, ``#``, empty level).
    """
    if any(sign in topic for sign in ".#*> ") or "//" in f"/{topic}/":
        raise ValueError(f"topic {topic!r} is outside the grammar of {ROOT}")
    return topic.replace("/", ".").replace("+", "*")


def nats_permissions(held: Rights) -> dict[str, dict[str, list[str]]]:
    """The rights as a NATS permissions block. What MQTT sessions need of NATS itself is the caller's."""
    return {
        "pub": _nats_side(held.publish),
        "sub": _nats_side(held.subscribe),
    }


def mosquitto_acl(holders: Iterable[Rights]) -> str:
    """The rights as the text of a Mosquitto ACL file: one block a client, in the order given.

    Blocks name every user instead of using ``%u`` patterns, because device names hold a slash.
    """
    return "\n".join(_mosquitto_block(held) for held in holders)


def _nats_side(topics: tuple[str, ...]) -> dict[str, list[str]]:
    """An empty allow list would allow everything; so who may nothing is denied everything by name."""
    return {"allow": [subject(topic) for topic in topics]} if topics else {"deny": [">"]}


def _mosquitto_block(held: Rights) -> str:
    lines = [f"user {held.name}"]
    lines += [f"topic write {topic}" for topic in held.publish]
    lines += [f"topic read {topic}" for topic in held.subscribe]
    return "\n".join(lines) + "\n"
