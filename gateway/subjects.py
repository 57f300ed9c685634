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


def parse_subject(subject: str) -> tuple[int, str]:
    """Partition and MQTT topic of a stored subject."""
    _, _, partition, park, device = subject.split(".")
    return int(partition), f"bw/v1/{park}/{device}/events"
