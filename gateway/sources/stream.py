"""The stream of events in JetStream: made, fitted to its limits, asked about.

``discard: old`` is meant: a stream that refuses new messages would still let MQTT publishers have their
PUBACK.

Control messages are JSON requests as the server documents them; no client library hides a field we need.
Source: NATS JetStream API (``$JS.API``), ADR-30 (subject transform), ADR-31 (direct get).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import structlog
from msgspec import Struct
from natsrpy.js import AckPolicy, DeliverPolicy, PullConsumerConfig

from devices.observation import micros, moment
from gateway.problem import Problem
from gateway.subjects import CAPTURED, DOWN, DOWN_PREFIX, STORED, STREAM
from tracking.store.positions import Held

_NOT_FOUND: Final = 404
_NO_ROOM: Final = 10047

DOWN_BYTES: Final = 256 << 20
"""Commands and alerts, kept for parks whose uplink is cut: far more than a week of them."""

log = structlog.get_logger()


class Requester(Protocol):
    """The one thing that control needs of a NATS client."""

    async def __call__(self, subject: str, payload: bytes) -> bytes:
        """Send a request, return the answer's payload."""
        ...


class Refused(Exception):
    """The server answered a control request with an error.

    Attributes:
        status: like HTTP: 404 not found, 400 bad request, 503 not ready.
        code: the server's own number of the error.
    """

    def __init__(self, subject: str, error: dict[str, Any]) -> None:
        super().__init__(f"{subject}: {error.get('description', error)}")
        self.status: int = error.get("code", 0)
        self.code: int = error.get("err_code", 0)


class Keep(Struct, frozen=True):
    """How long the stream keeps events, recorded ones included. Whichever limit is met first."""

    age: timedelta = timedelta(days=7)
    max_bytes: int = 8 << 30
    replicas: int = 1


class StreamState(Struct, frozen=True):
    """What the stream holds. ``first`` is the oldest sequence it still has."""

    first: int
    last: int


class Resume(Struct, frozen=True):
    """Where reading goes on.

    Attributes:
        floors: up to which sequence each partition's messages are recorded.
        overran: messages that the stream's limits took before they were read (an upper bound: some were other
            partitions').
    """

    floors: Mapping[int, int]
    overran: int


async def ensure_stream(request: Requester, keep: Keep) -> None:
    """Create the stream, or fit its limits. What it captures and its partitions never change under us.

    Raises:
        Problem: a stream of this name captures something else, or the server hasn't the room.
    """
    wanted = capturing(STREAM, keep) | {"allow_direct": False}
    try:
        found = (await call(request, f"$JS.API.STREAM.INFO.{STREAM}"))["config"]
    except Refused as refused:
        if refused.status != _NOT_FOUND:
            raise
        await _apply(request, "CREATE", wanted)
        return
    fixed = ("subjects", "subject_transform", "storage", "retention")
    different = [name for name in fixed if found.get(name) != wanted[name]]
    if different:
        raise Problem(
            f"the stream {STREAM} exists with other {', '.join(different)}",
            "its messages are not ours to move: rename or remove that stream, then start again",
        )
    if any(found.get(name) != value for name, value in wanted.items()):
        await _apply(request, "UPDATE", found | wanted)


async def ensure_down(request: Requester, replicas: int) -> None:
    """Create the stream of commands and alerts for parks with a leaf node, or fit it.

    Raises:
        Refused: the server says no.
    """
    down = {"subjects": [f"{DOWN_PREFIX}.>"], "max_age": _nanoseconds(timedelta(days=7))}
    wanted = on_disk(DOWN, max_bytes=DOWN_BYTES, replicas=replicas) | down
    await put_stream(request, "$JS.API", wanted)


async def put_stream(request: Requester, api: str, wanted: dict[str, Any]) -> None:
    """Create a stream, or change what differs from what is wanted.

    Args:
        request: see ``Requester``.
        api: ``$JS.API``, or ``$JS.{domain}.API`` of another domain.
        wanted: its configuration; fields that aren't named stay as they are.

    Raises:
        Refused: the server says no.
    """
    name = wanted["name"]
    try:
        found = (await call(request, f"{api}.STREAM.INFO.{name}"))["config"]
    except Refused as refused:
        if refused.status != _NOT_FOUND:
            raise
        await call(request, f"{api}.STREAM.CREATE.{name}", wanted)
        return
    if any(found.get(field) != value for field, value in wanted.items()):
        await call(request, f"{api}.STREAM.UPDATE.{name}", found | wanted)


async def stream_state(request: Requester) -> StreamState:
    """First and last sequence that the stream holds."""
    state = (await call(request, f"$JS.API.STREAM.INFO.{STREAM}"))["state"]
    return StreamState(first=state["first_seq"], last=state["last_seq"])


async def stored_at(request: Requester, sequence: int) -> int | None:
    """Broker time (microseconds) of one stored message, or None when the stream no longer has it."""
    try:
        answer = await call(request, f"$JS.API.STREAM.MSG.GET.{STREAM}", {"seq": sequence})
    except Refused as refused:
        if refused.status == _NOT_FOUND:
            return None
        raise
    return _micros(answer["message"]["time"])


async def drained_through(request: Requester, consumer: str, delivered: int) -> int | None:
    """Broker time at which the consumer had nothing left, when ``delivered`` messages are all it ever
    gave."""
    info = await call(request, f"$JS.API.CONSUMER.INFO.{STREAM}.{consumer}")
    if info["num_pending"] or info["delivered"]["consumer_seq"] != delivered:
        return None
    return _micros(info["ts"])


async def last_before(request: Requester, time_us: int) -> int:
    """The sequence of the last message that was stored no later than a moment: asked by a consumer made for
    it."""
    made = await call(
        request,
        f"$JS.API.CONSUMER.CREATE.{STREAM}",
        {
            "stream_name": STREAM,
            "config": {
                "deliver_policy": "by_start_time",
                "opt_start_time": _rfc3339(time_us + 1),
                "ack_policy": "none",
                "mem_storage": True,
                "num_replicas": 1,
                "inactive_threshold": 1_000_000_000,
            },
        },
    )
    await call(request, f"$JS.API.CONSUMER.DELETE.{STREAM}.{made['name']}")
    sequence: int = made["delivered"]["stream_seq"]
    return sequence


def reader(first: int) -> PullConsumerConfig:
    """A consumer of everything from a sequence on: forgotten by the server soon after we are."""
    return PullConsumerConfig(
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
        delivery_start_sequence=first,
        ack_policy=AckPolicy.NONE,
        memory_storage=True,
        num_replicas=1,
        inactive_threshold=30.0,
    )


async def resume(request: Requester, held: Mapping[int, Held]) -> Resume:
    """Where each partition goes on. Normally at its position; earlier when the broker forgot and counts anew.

    A broker that lost its newest messages (or all of them) gives their numbers to other messages. A position
    is good only while the message at it isn't newer than what the partition was recorded through.
    """
    state = await stream_state(request)
    floors: dict[int, int] = {}
    times: dict[int, int | None] = {}
    overran = 0
    for partition, one in held.items():
        floors[partition] = one.sequence
        if one.sequence == 0:
            continue
        if state.first > one.sequence + 1:
            overran += state.first - one.sequence - 1
            log.error("stream_overran", partition=partition, position=one.sequence, first=state.first)
        if one.sequence <= state.last:
            if one.sequence not in times:
                times[one.sequence] = await stored_at(request, one.sequence)
            stored_us = times[one.sequence]
            if stored_us is None or stored_us <= one.through_us:
                continue
        floors[partition] = await last_before(request, one.through_us)
        log.warning("stream_rolled_back", partition=partition, position=one.sequence, now=floors[partition])
    return Resume(floors, overran)


async def call(request: Requester, subject: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """One control request and its answer.

    Raises:
        Refused: the server said no.
    """
    payload = b"" if body is None else json.dumps(body).encode()
    answer: dict[str, Any] = json.loads(await request(subject, payload))
    if "error" in answer:
        raise Refused(subject, answer["error"])
    return answer


async def _apply(request: Requester, verb: str, configuration: dict[str, Any]) -> None:
    try:
        await call(request, f"$JS.API.STREAM.{verb}.{STREAM}", configuration)
    except Refused as refused:
        if refused.code == _NO_ROOM:
            raise Problem(
                f"the broker has no room for a stream of {configuration['max_bytes'] / (1 << 30):.1f} GiB",
                "free disk space, raise the broker's max_file_store, or set BONDWATCH_STREAM_MAX_GIB lower",
            ) from refused
        raise


def capturing(name: str, keep: Keep) -> dict[str, Any]:
    """A stream's configuration: it takes what devices publish, and stores it by partition."""
    return on_disk(name, max_bytes=keep.max_bytes, replicas=keep.replicas) | {
        "subjects": [CAPTURED],
        "subject_transform": {"src": CAPTURED, "dest": STORED},
        "max_age": _nanoseconds(keep.age),
    }


def on_disk(name: str, *, max_bytes: int, replicas: int) -> dict[str, Any]:
    """A stream's configuration: it keeps messages on disk, and gives up the oldest for a new one."""
    return {
        "name": name,
        "storage": "file",
        "retention": "limits",
        "discard": "old",
        "max_bytes": max_bytes,
        "num_replicas": replicas,
    }


def _nanoseconds(age: timedelta) -> int:
    return age // timedelta(microseconds=1) * 1000


def _micros(text: str) -> int:
    return micros(datetime.fromisoformat(text))


def _rfc3339(time_us: int) -> str:
    return moment(time_us).isoformat(timespec="microseconds").replace("+00:00", "Z")
