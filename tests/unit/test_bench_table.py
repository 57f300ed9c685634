"""The table of a bench run says what was measured, what it should be, and whether it is."""

from __future__ import annotations

from typing import Any

from tests.bench.__main__ import is_whole, summed
from tests.bench.table import GOALS, table

FOUND: dict[str, dict[str, Any]] = {
    "ingest": {
        "events_per_s": 21_000.0,
        "ratio_to_floor": 2.1,
        "lost": 0,
        "doubled": 0,
        "step_us_per_event": {"decode": 3.0, "fold": 9.5},
    },
    "mqtt_ingest": {"events_per_s": 14_000.0, "lost": 0, "doubled": 1},
    "latency": {
        "latency_ms": {"committed": {"p99": 80.0}, "alert": {"p99": 260.0}},
        "check": {"lost": 2, "doubled": 0},
        "stream_alert_ms": {"count": 58, "p50": 90.0, "p99": 140.5, "max": 141.0},
    },
    "gates": {"p99_ms": 87.0},
    "custody": {"ratio": 0.75, "refold_100k_ms": 40.0},
    "growth": {
        "worst": 1.1,
        "growth": [{"dimension": "zones", "size": 500, "grown": 5000, "ratio": 1.1}],
    },
    "reading": {"trace": {"p99_ms": 120.0}},
}


def test_the_last_line_sums_what_was_lost_and_doubled() -> None:
    figures = summed(FOUND)
    assert (figures["lost"], figures["doubled"]) == (2, 1)
    assert set(figures) == {goal.name for goal in GOALS}


def test_every_figure_stands_beside_its_goal() -> None:
    lines = table(FOUND, summed(FOUND)).splitlines()
    assert "| events a second through JetStream | 21,000 | ≥ 20,000 | yes |" in lines
    assert "| events a second behind Mosquitto | 14,000 | ≥ 15,000 | no |" in lines
    assert "| events lost | 2 | 0 | no |" in lines
    assert lines.index("| fold | 9.50 |") < lines.index("| decode | 3.00 |"), "the dearest step stands first"
    assert "| zones | 500 | 5,000 | 1.10 |" in lines
    assert (
        "Publish → alert on the live stream at 2,000/s: p50 90, p99 140.5 ms (goal < 250), 58 alerts."
        in lines
    )


def test_a_benchmark_that_failed_is_a_gap() -> None:
    found = FOUND | {"ingest": {}, "growth": {}, "custody": {}, "gates": {}}
    found["latency"] = {"latency_ms": {"committed": {"p99": 80.0}, "alert": None}, "check": None}
    figures = summed(found)
    assert (figures["alert_p99_ms"], figures["gate_p99_ms"]) == (None, None)
    lines = table(found, figures).splitlines()
    assert "| publish → alert, p99 ms at 2,000/s | not measured | < 250 | no |" in lines
    assert "| publish → committed, p99 ms at 2,000/s | 80 | < 100 | yes |" in lines
    assert "Judging: not measured." in lines
    assert "Publish → alert on the live stream: not measured." in lines


def test_nothing_lost_is_said_only_when_all_was_counted() -> None:
    failed = FOUND | {"latency": {}}
    assert (summed(failed)["lost"], summed(failed)["doubled"]) == (None, 1)


def test_only_a_run_with_nothing_amiss_ends_well() -> None:
    good = {"lost": 0, "doubled": 0}
    whole = FOUND | {"mqtt_ingest": FOUND["mqtt_ingest"] | good}
    whole["latency"] = FOUND["latency"] | {"check": good | {"rejected": 0, "unaccounted": 0}}
    whole["gates"] = {"p99_ms": 87.0, "unanswered": 0, "wrong": 0}
    assert is_whole(whole)
    for amiss in (
        {"latency": FOUND["latency"]},
        {"latency": FOUND["latency"] | {"check": good | {"rejected": 60_000}}},
        {"gates": whole["gates"] | {"unanswered": 1}},
        {"reading": {}},
    ):
        assert not is_whole(whole | amiss)
