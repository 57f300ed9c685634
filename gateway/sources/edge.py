"""A park with a leaf node: its streams, and how they are joined with the hub's.

Up: ``BW_EDGE`` at the park takes the devices' events, with or without the uplink; ``BW_EVENTS`` at the hub
*sources* it. The hub writes into each message it takes from where it comes, and after any interruption asks
for what follows the last one it has: nothing is skipped, nothing comes twice.

Down: ``BW_DOWN`` at the hub holds commands and alerts; ``BW_EDGE_DOWN`` at the park *mirrors* those of the
park and hands each to the park's MQTT sessions as if it had been published there at QoS 1. (A mirror, not a
source: a server takes no message that says it was sourced by another stream.)

Everything is asked of the hub, through its link to the park's domain, so a park needs no tool of ours to be
joined. Asking again changes nothing.

Source: NATS JetStream API (``$JS.{domain}.API``), ADR-28 (republish), ADR-36 (subject transform).
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from gateway.sources.stream import (
    DOWN_BYTES,
    Keep,
    Requester,
    call,
    capturing,
    ensure_down,
    on_disk,
    put_stream,
)
from gateway.subjects import (
    DELIVERED_PREFIX,
    DOWN,
    DOWN_PREFIX,
    EDGE,
    EDGE_DOWN,
    FETCHED_PREFIX,
    HUB_DOMAIN,
    STREAM,
)


async def join(request: Requester, park: str, keep: Keep, *, replicas: int) -> None:
    """Make the park's streams and join them with the hub's. Safe to repeat; changes limits only.

    Args:
        request: asks the hub.
        park: the park's code, which is the domain of its leaf node.
        keep: what the park keeps of its events, recorded ones included.
        replicas: of the hub's streams.

    Raises:
        Refused: the hub or the park's server says no. 503 or no answer: the leaf node isn't connected.
    """
    await ensure_down(request, replicas)
    await put_stream(request, f"$JS.{park}.API", capturing(EDGE, replace(keep, replicas=1)))
    await put_stream(request, f"$JS.{park}.API", _edge_down(park))
    hub = (await call(request, f"$JS.API.STREAM.INFO.{STREAM}"))["config"]
    source = {
        "name": EDGE,
        "external": {"api": f"$JS.{park}.API", "deliver": f"{FETCHED_PREFIX}.{park}"},
        "filter_subject": f"bw.in.*.{park}.*",
    }
    known = hub.get("sources") or []
    if park not in {domain_of(one) for one in known}:
        await call(request, f"$JS.API.STREAM.UPDATE.{STREAM}", hub | {"sources": [*known, source]})


async def leave(request: Requester, park: str) -> bool:
    """Fetch nothing more from this park. What it holds stays there. False: it wasn't joined."""
    hub = (await call(request, f"$JS.API.STREAM.INFO.{STREAM}"))["config"]
    known = hub.get("sources") or []
    kept = [one for one in known if domain_of(one) != park]
    if len(kept) == len(known):
        return False
    await call(request, f"$JS.API.STREAM.UPDATE.{STREAM}", hub | {"sources": kept})
    return True


def domain_of(source: dict[str, Any]) -> str:
    """The domain from which a source of the hub's stream is fetched."""
    return str((source.get("external") or {}).get("api", "")).removeprefix("$JS.").removesuffix(".API")


def _edge_down(park: str) -> dict[str, Any]:
    return on_disk(EDGE_DOWN, max_bytes=DOWN_BYTES, replicas=1) | {
        "mirror": {
            "name": DOWN,
            "filter_subject": f"{DOWN_PREFIX}.{park}.>",
            "external": {"api": f"$JS.{HUB_DOMAIN}.API", "deliver": f"{DELIVERED_PREFIX}.{park}"},
        },
        "republish": {"src": f"{DOWN_PREFIX}.>", "dest": "$MQTT.msgs.bw.v1.>"},
    }
