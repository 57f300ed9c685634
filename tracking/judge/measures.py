"""What Prometheus sees of judging. docs/metrics.md explains each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter, thread_time
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

WORK_DONE: Final = Counter(
    "bondwatch_judge_work_done_total", "Rows of work done, by what took them.", ["what"]
)
WORK_READY: Final = Gauge("bondwatch_judge_work_ready", "Rows of work that could be done now and wait.")
WORK_AGE: Final = Gauge(
    "bondwatch_judge_work_age_seconds", "How long the oldest ready row of work has waited, by the watermark."
)
WORK_SET_ASIDE: Final = Counter(
    "bondwatch_judge_work_set_aside_total", "Rows of work that failed and were put off.", ["kind"]
)
JUDGING_SECONDS: Final = Histogram(
    "bondwatch_judge_judging_seconds",
    "Time to fold one shipment's facts into findings.",
    buckets=(0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1),
)
ROUND_SECONDS: Final = Histogram(
    "bondwatch_judge_round_seconds",
    "Time of one transaction of the judge, from taking work to its commit.",
    ["what"],
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30),
)
ROUND_CPU: Final = Counter(
    "bondwatch_judge_round_cpu_seconds_total",
    "Processor time of the judge's transactions, by what took the work, by this process.",
    ["what"],
)
STEP_SECONDS: Final = Counter(
    "bondwatch_judge_step_seconds_total", "Time spent in a step of judging shipments.", ["step"]
)
STEP_CPU: Final = Counter(
    "bondwatch_judge_step_cpu_seconds_total",
    "Processor time spent in a step of judging shipments, by this process.",
    ["step"],
)
FINDINGS: Final = Counter(
    "bondwatch_judge_findings_total", "Versions of findings written, by rule and state.", ["rule", "state"]
)
REFOLDED: Final = Counter(
    "bondwatch_judge_refolded_observations_total", "Observations folded again because of late data."
)
OUTBOX_WAITING: Final = Gauge(
    "bondwatch_outbox_waiting", "Messages that the broker has not acknowledged yet."
)
OUTBOX_AGE: Final = Gauge("bondwatch_outbox_age_seconds", "Age of the oldest message that waits.")
OUTBOX_SENT: Final = Counter("bondwatch_outbox_sent_total", "Messages that the broker has acknowledged.")
COMMANDS_ASKED: Final = Counter(
    "bondwatch_judge_commands_total", "Commands left for devices, by command.", ["command"]
)
LEAVES: Final = Counter("bondwatch_log_leaves_total", "Leaves that this process has appended to the log.")
LOG_SIZE: Final = Gauge("bondwatch_log_size", "Leaves under the newest checkpoint that this process signed.")
GATE_DECISIONS: Final = Counter(
    "bondwatch_gate_decisions_total",
    "Decisions at gates, and whether the gate was told in time.",
    ["decision", "told"],
)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Account for what is done within: its time, and the processor time of this thread."""
    clock, processor = perf_counter(), thread_time()
    yield
    STEP_SECONDS.labels(name).inc(perf_counter() - clock)
    STEP_CPU.labels(name).inc(thread_time() - processor)
