"""The NATS broker: its limits, the stream's, and how far the gateway is behind it."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import nats
import nats.errors
from nats.aio.client import Client

from gateway.doctor.finding import Finding, failure, fine, warning
from gateway.embedded.addresses import BrokerAddress
from gateway.sources import edge
from gateway.subjects import PARTITIONS, STREAM
from tracking.store import figures
from tracking.store.database import Connection

MESSAGE_BYTES: Final = 2**20
GIB: Final = 2**30
FILLED_WARNING: Final = 0.5
FILLED_FAILURE: Final = 0.9
DISTANCE_WARNING: Final = 100_000
PARK_SILENT_S: Final = 60
TIMEOUT_S: Final = 3
PATIENCE_S: Final = 12


class Seen(dict[str, Any]):
    """What the broker said: ``info`` of the server, ``limits`` of JetStream, ``stream``."""


def ask(address: BrokerAddress) -> Seen:
    """Ask the broker.

    Raises:
        OSError, nats.errors.Error: it can't be reached, or lets us not in.
    """
    return asyncio.run(asyncio.wait_for(_ask(address), PATIENCE_S))


async def _ask(address: BrokerAddress) -> Seen:
    client: Client = await nats.connect(
        address.url,
        user=address.user,
        password=address.password,
        name="bondwatch-doctor",
        allow_reconnect=False,
        max_reconnect_attempts=1,
        reconnect_time_wait=0,
        connect_timeout=TIMEOUT_S,
        error_cb=_ignore,
    )
    try:
        found = client.connected_server_version
        version = f"{found.major}.{found.minor}.{found.patch}"
        seen = Seen(version=version, max_payload=client.max_payload)
        for name, subject in (("limits", "$JS.API.INFO"), ("stream", f"$JS.API.STREAM.INFO.{STREAM}")):
            answer = await client.request(subject, b"", timeout=TIMEOUT_S)
            seen[name] = json.loads(answer.data)
        return seen
    finally:
        await client.close()


async def _ignore(_error: Exception) -> None:
    """The failed call says it itself."""


def look(servers: Sequence[BrokerAddress], conn: Connection | None) -> Iterator[Finding]:
    """Everything about the broker's servers and the stream."""
    seen = None
    for address in servers:
        try:
            seen = ask(address)
        except (OSError, nats.errors.Error) as error:
            says = str(error) or type(error).__name__
            yield failure("broker", f"NATS at {address.url} doesn't answer: {says}", "bondwatch logs nats")
        else:
            yield fine("broker", f"NATS {seen['version']} at {address.url}")
    if seen is None:
        return
    if seen["max_payload"] < MESSAGE_BYTES:
        advice = "set max_payload: 2MB in nats-server's configuration"
        yield failure("broker", f"messages over {seen['max_payload']} bytes are refused", advice)
    if "error" in seen["stream"]:
        description = seen["stream"]["error"].get("description", "?")
        yield failure(
            "stream",
            f"{STREAM}: {description}",
            "the gateway makes it when it starts: bondwatch logs gateway-1",
        )
        return
    yield from limits(seen["stream"])
    yield from parks(seen["stream"])
    if conn is not None:
        held = figures.positions(conn, "jetstream")
        yield from distance(seen["stream"], held)


def limits(stream: dict[str, Any]) -> Iterator[Finding]:
    """What the stream keeps, and what it does when it is full."""
    config, state = stream["config"], stream["state"]
    if config["discard"] != "old":
        yield failure(
            "stream",
            "it refuses new events when it is full, yet MQTT devices have their PUBACK",
            f"set discard: old for {STREAM}; the doctor watches the distance instead",
        )
    if config["storage"] != "file":
        yield failure("stream", "it is kept in memory", f"{STREAM} must have storage: file")
    most = config["max_bytes"]
    age_days = config["max_age"] / 1e9 / 86400
    room = f"of {most / GIB:.1f} GiB" if most > 0 else "without a limit"
    yield fine(
        "stream",
        f"{state['messages']:,} events, {state['bytes'] / GIB:.2f} GiB {room}, kept {age_days:g} days",
    )


def parks(stream: dict[str, Any]) -> Iterator[Finding]:
    """Parks with a leaf node: what the hub hasn't fetched from them yet, as far as it knows."""
    for source in stream.get("sources") or ():
        park = edge.domain_of(source)
        silent_s = source.get("active", -1) / 1e9
        if silent_s < 0 or silent_s > PARK_SILENT_S:
            since = "since the stream has its leader" if silent_s < 0 else f"for {silent_s:.0f} s"
            advice = "is its uplink cut? What its devices report waits there meanwhile"
            yield warning("park", f"nothing was heard of the leaf node of {park} {since}", advice)
        else:
            yield fine("park", f"{park}: {source.get('lag', 0):,} events not yet fetched")


def distance(stream: dict[str, Any], held: dict[int, tuple[int, bool]]) -> Iterator[Finding]:
    """How much of the stream isn't recorded yet, and how near it is to being dropped."""
    state, config = stream["state"], stream["config"]
    if len(held) < PARTITIONS:
        yield warning(
            "stream", f"{len(held)} of {PARTITIONS} partitions have ever been read", "start a gateway"
        )
        return
    orphaned = [partition for partition, (_, is_held) in held.items() if not is_held]
    if orphaned:
        advice = "no gateway runs, or it is being restarted: bondwatch logs gateway-1"
        yield failure("stream", f"nobody reads {len(orphaned)} of {PARTITIONS} partitions", advice)
    recorded = min(sequence for sequence, _ in held.values())
    behind = max(state["last_seq"] - recorded, 0)
    if state["messages"] and state["first_seq"] > recorded + 1:
        dropped = state["first_seq"] - recorded - 1
        advice = "devices re-send what has no receipt; raise BONDWATCH_STREAM_MAX_GIB and add workers"
        yield failure("stream", f"up to {dropped:,} events were dropped before they were recorded", advice)
    share = 0.0
    if state["messages"] and config["max_bytes"] > 0:
        share = behind / state["messages"] * state["bytes"] / config["max_bytes"]
    says = f"{behind:,} events not yet recorded ({share:.0%} of what the stream may hold)"
    if share > FILLED_FAILURE:
        yield failure(
            "distance", says, "events will soon be dropped: add workers, raise BONDWATCH_STREAM_MAX_GIB"
        )
    elif share > FILLED_WARNING or behind > DISTANCE_WARNING:
        yield warning(
            "distance", says, "add workers (BONDWATCH_WORKERS), or look for what slows the database"
        )
    else:
        yield fine("distance", says)
