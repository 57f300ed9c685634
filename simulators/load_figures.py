"""Latencies and counts of a load run, second by second: HDR histograms that add up across processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from hdrh.histogram import HdrHistogram
from msgspec import Struct, field

LONGEST_US: Final = 600_000_000
DIGITS: Final = 3
LATENCIES: Final = ("durable", "committed", "alert", "generator")
"""Publish to PUBACK; to receipt; to alert; and how late the generator itself was."""

COUNTS: Final = ("sent", "durable", "committed")
PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9, 100.0)


def histogram() -> Any:
    """An empty one: microseconds from 1 to ten minutes, three digits."""
    return HdrHistogram(1, LONGEST_US, DIGITS)


class Beat(Struct):
    """What one process says of one second.

    Attributes:
        second: which, from 0, by the run's clock.
        counts: events by ``COUNTS``, in the second in which it happened.
        latencies: by ``LATENCIES``; encoded histograms, absent when empty.
    """

    second: int
    counts: dict[str, int]
    latencies: dict[str, str]


class Ended(Struct):
    """What one process says last.

    Attributes:
        last: device -> number of its last event.
        unanswered: events without the last answer that was waited for.
        rejected: events refused by receipt.
        resent: events sent again.
        connections: made, the first ones included.
        alerts: expected and heard.
        cpu_s: of the process.
    """

    last: dict[str, int]
    unanswered: int
    rejected: int
    resent: int
    connections: int
    alerts: tuple[int, int]
    cpu_s: float


class Second:
    """One second of all processes; its latencies as they came: a histogram takes half a megabyte."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(COUNTS, 0)
        self._latencies: dict[str, list[str]] = {}

    def add(self, beat: Beat) -> None:
        """Take one process's share in."""
        for name, count in beat.counts.items():
            self.counts[name] += count
        for name, encoded in beat.latencies.items():
            self._latencies.setdefault(name, []).append(encoded)

    def latency(self, name: str) -> Any | None:
        """The histogram of what was measured under a name; None: nothing was."""
        if name not in self._latencies:
            return None
        found = histogram()
        for encoded in self._latencies[name]:
            found.decode_and_add(encoded)
        return found


class Timeline:
    """All seconds of a run, and their sum."""

    def __init__(self) -> None:
        self.seconds: dict[int, Second] = {}
        self.counts = dict.fromkeys(COUNTS, 0)
        self.latencies = {name: histogram() for name in LATENCIES}

    def add(self, beat: Beat) -> None:
        """Take one process's word of one second in."""
        self.seconds.setdefault(beat.second, Second()).add(beat)
        for name, count in beat.counts.items():
            self.counts[name] += count
        for name, encoded in beat.latencies.items():
            self.latencies[name].decode_and_add(encoded)

    def running(self, name: str) -> list[int]:
        """Sums of a count to the end of each second, without gaps."""
        total, sums = 0, []
        for number in range(max(self.seconds, default=-1) + 1):
            total += self.seconds[number].counts[name] if number in self.seconds else 0
            sums.append(total)
        return sums


def percentiles_ms(found: Any) -> dict[str, float] | None:
    """``{"p50": …, "p99.9": …, "max": …}`` in milliseconds; None of an empty histogram."""
    if not found.total_count:
        return None
    values = {f"p{at:g}": round(found.get_value_at_percentile(at) / 1000, 3) for at in PERCENTILES[:-1]}
    return values | {"max": round(found.get_max_value() / 1000, 3)}


class Recorded(Struct, frozen=True):
    """What the database says at the end, against what the generator sent.

    Attributes:
        recorded: distinct events.
        lost: sent, acknowledged or not, and neither there nor refused.
        doubled: there more than once. A row's key is the device, its run, its number and the event's time, so
            it takes two times for one number.
        rejected: kept as rejections. No profile sends what may be rejected.
        unaccounted: rows more or fewer than the batches say that hold the run's events; the batch's own count
            is what its signed root stands for.
    """

    recorded: int
    lost: int
    doubled: int
    rejected: int
    unaccounted: int = 0

    @property
    def is_whole(self) -> bool:
        """Everything is there, once."""
        return not (self.lost or self.doubled or self.rejected or self.unaccounted)


def total(checks: Sequence[Recorded]) -> Recorded | None:
    """The sum of several; None of none."""
    if not checks:
        return None
    return Recorded(*(sum(values) for values in zip(*map(msgspec.structs.astuple, checks), strict=True)))


class Figures(Struct, kw_only=True):
    """The result of one run; what ``--json`` prints.

    Attributes:
        rate: events a second that were intended.
        sent_per_s, durable_per_s, committed_per_s: events a second over the intended duration: what came
            after its end doesn't count.
        backlog: events due and not committed (bare: not durable) when the intended duration ended; also those
            that the generator hadn't sent by then.
        latency_ms: percentiles by what was measured; None where nothing was.
        generator_is_late: the generator itself was too slow: the figures are not the system's alone.
        check: the database's word; None against a bare broker.
        limit: of the search for the limit: the knee, each step, and the sum of their checks.
    """

    profile: str
    rate: float
    devices: int
    per_publish: int
    for_s: float
    processes: int
    target: str
    bare: bool
    started_at: float
    events: int
    durable: int
    committed: int
    sent_per_s: float
    durable_per_s: float
    committed_per_s: float
    backlog: int
    latency_ms: dict[str, dict[str, float] | None]
    generator_is_late: bool
    generator_cpu_us_per_event: float
    resent: int
    rejected: int
    unanswered: int
    connections: int
    alerts_expected: int
    alerts_heard: int
    check: Recorded | None = None
    limit: dict[str, Any] | None = field(default=None)

    @property
    def checked(self) -> Recorded | None:
        """The database's word on everything that was sent, at all rates that were tried."""
        found: Recorded | None = self.check if self.limit is None else self.limit.get("check")
        return found


LATE_MS: Final = 100.0


def is_late(latencies: Mapping[str, dict[str, float] | None]) -> bool:
    """Whether the generator kept its own schedule too badly to blame the system."""
    own = latencies.get("generator")
    return own is not None and own["p99"] > LATE_MS


decode_beat: Final = msgspec.json.Decoder(Beat).decode
decode_ended: Final = msgspec.json.Decoder(Ended).decode
