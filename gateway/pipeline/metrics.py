"""What the road says of itself to Prometheus. docs/metrics.md explains each; a test compares the two."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter, thread_time
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from gateway.pipeline.load import Load

_SIZES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)

MESSAGES: Final = Counter("bondwatch_messages_total", "Messages that went the whole road.")
EVENTS: Final = Counter(
    "bondwatch_events_total", "Events by what became of them: recorded, duplicate, rejected.", ["outcome"]
)
REJECTIONS: Final = Counter(
    "bondwatch_rejections_total", "Events and messages not taken, by reason.", ["reason"]
)
LATE: Final = Counter("bondwatch_late_events_total", "Recorded events that lay before their device's head.")
POISON: Final = Counter("bondwatch_poison_messages_total", "Messages that broke a batch and were set aside.")
RETRIES: Final = Counter(
    "bondwatch_batch_retries_total", "Batches tried again, by why: database, reference, partition.", ["cause"]
)
FENCED: Final = Counter(
    "bondwatch_batches_fenced_total", "Batches dropped: another worker has their partitions."
)
BATCH_MESSAGES: Final = Histogram("bondwatch_batch_messages", "Messages in a batch.", buckets=_SIZES)
BATCH_EVENTS: Final = Histogram("bondwatch_batch_events", "New events in a batch.", buckets=_SIZES)
RECORD_SECONDS: Final = Histogram(
    "bondwatch_record_seconds", "From the begin of a batch's transaction to its commit.", buckets=_SECONDS
)
STEP_SECONDS: Final = Counter("bondwatch_step_seconds_total", "Time spent in a step of the road.", ["step"])
STEP_CPU: Final = Counter(
    "bondwatch_step_cpu_seconds_total",
    "Processor time spent in a step of the road, by this process.",
    ["step"],
)
LAG: Final = Gauge(
    "bondwatch_record_lag_seconds", "From the broker's time of a batch's oldest message to its commit."
)
OVERRAN: Final = Gauge(
    "bondwatch_stream_overran_messages", "Messages that the stream's limits took before they were read: lost."
)
RECEIPTS: Final = Counter("bondwatch_receipts_total", "Receipts handed to the broker.")
UNSENT: Final = Counter("bondwatch_receipts_unsent_total", "Receipts that the broker could not be given.")
WAITING: Final = Gauge("bondwatch_receipts_waiting", "Devices whose receipt waits for its half second.")


@contextmanager
def step(name: str) -> Iterator[None]:
    """Account for what is done within: its time, and the processor time of this thread."""
    clock, processor = perf_counter(), thread_time()
    yield
    STEP_SECONDS.labels(name).inc(perf_counter() - clock)
    STEP_CPU.labels(name).inc(thread_time() - processor)


def count(load: Load, committed_us: int) -> None:
    """Account for a batch that went the whole road."""
    new = sum(len(heard.events) for heard in load.heard.values())
    again = sum(len(heard.again) for heard in load.heard.values())
    MESSAGES.inc(len(load.messages))
    EVENTS.labels("recorded").inc(new)
    EVENTS.labels("duplicate").inc(again)
    EVENTS.labels("rejected").inc(len(load.rejections))
    for rejection in load.rejections.values():
        REJECTIONS.labels(rejection.reason).inc()
    LATE.inc(load.late_events)
    BATCH_MESSAGES.observe(len(load.messages))
    BATCH_EVENTS.observe(new)
    if load.replay is None:
        LAG.set((committed_us - min(message.received_us for message in load.messages)) / 1_000_000)
