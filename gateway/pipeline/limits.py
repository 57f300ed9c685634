"""What the road takes and what it leaves: every threshold of the record, with its unit."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from tracking.domain.tracks import SILENCE_GRACE_US, SNAPSHOT_EVERY

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
DAY: Final = 24 * 60 * MINUTE


class Limits(Struct, frozen=True):
    """How far an event's time may lie from its arrival at the broker, in microseconds; and a few numbers
    more.

    Attributes:
        skew_us: further ahead is noted (``clock_skew``) and taken.
        future_us: further ahead is rejected (``future``): it would poison "latest".
        late_batch_us: further behind is noted (``late_batch``) and taken.
        floor_us: further behind is rejected (``too_old``).
        late_window_us: rows older than this take the slow path into the record.
        silence_grace_us: a device's silence is looked at this long after its limit has passed.
        snapshot_every: observations of a device after which its track is kept for late events to go back
            to.
    """

    skew_us: int = 60 * SECOND
    future_us: int = 5 * MINUTE
    late_batch_us: int = 15 * MINUTE
    floor_us: int = 400 * DAY
    late_window_us: int = 30 * DAY
    silence_grace_us: int = SILENCE_GRACE_US
    snapshot_every: int = SNAPSHOT_EVERY


LIMITS: Final = Limits()
