"""Names inside NATS that several parts of the gateway must agree on: the stream of events and its partitions.

The broker maps the MQTT topic ``bw/v1/{park}/{device}/events`` to a subject; the stream takes it and stores
it under ``bw.in.{partition}.{park}.{device}``. The partition is a hash of park and device, so one device's
events stay in one partition and in order.
"""

from __future__ import annotations

from typing import Final

STREAM: Final = "BW_EVENTS"
PARTITIONS: Final = 16
CAPTURED: Final = "bw.v1.*.*.events"
STORED: Final = f"bw.in.{{{{partition({PARTITIONS},1,2)}}}}.{{{{wildcard(1)}}}}.{{{{wildcard(2)}}}}"


# A park with a leaf node has a JetStream of its own, whose domain is the park's code. Its events wait in
# EDGE and are fetched into STREAM; commands and alerts wait in DOWN and are fetched into EDGE_DOWN.
EDGE: Final = "BW_EDGE"
DOWN: Final = "BW_DOWN"
EDGE_DOWN: Final = "BW_EDGE_DOWN"
DOWN_PREFIX: Final = "bw.down"
DELIVERED_PREFIX: Final = "bw.delivered"
FETCHED_PREFIX: Final = "bw.fetched"
HUB_DOMAIN: Final = "hub"


def parse_subject(subject: str) -> tuple[int, str]:
    """Partition and MQTT topic of a stored subject."""
    _, _, partition, park, device = subject.split(".")
    return int(partition), f"bw/v1/{park}/{device}/events"
