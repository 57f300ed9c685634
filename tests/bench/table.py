"""The table of a bench run: what was measured beside what it should be. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

Figures: TypeAlias = dict[str, float | None]
"""By name; None: it wasn't measured."""


class Goal(NamedTuple):
    """What a figure should be.

    Attributes:
        name: of the figure in the last line.
        text: what it is.
        goal: in words.
        holds: whether a value meets it.
    """

    name: str
    text: str
    goal: str
    holds: Callable[[float], bool]


GOALS: Final = (
    Goal("ingest_per_s", "events a second through JetStream", "≥ 20,000", lambda value: value >= 20_000),
    Goal("mqtt_ingest_per_s", "events a second behind Mosquitto", "≥ 15,000", lambda value: value >= 15_000),
    Goal("ratio_to_floor", "CPU per event against the floor", "≤ 2", lambda value: value <= 2),
    Goal("commit_p99_ms", "publish → committed, p99 ms at 2,000/s", "< 100", lambda value: value < 100),
    Goal("alert_p99_ms", "publish → alert, p99 ms at 2,000/s", "< 250", lambda value: value < 250),
    Goal("gate_p99_ms", "gate arrival → decision, p99 ms", "< 150", lambda value: value < 150),
    Goal("growth_worst", "CPU per event with ten times as much", "≤ 1.2", lambda value: value <= 1.2),
    Goal("trace_p99_ms", "a trace of 50,000 positions, p99 ms", "< 300", lambda value: value < 300),
    Goal("lost", "events lost", "0", lambda value: value == 0),
    Goal("doubled", "events doubled", "0", lambda value: value == 0),
)


def table(found: dict[str, dict[str, Any]], figures: Figures) -> str:
    """As Markdown.

    Args:
        found: what each benchmark measured; empty: it failed.
        figures: the last line.
    """
    rows = []
    for goal in GOALS:
        value = figures[goal.name]
        if value is None:
            rows.append(f"| {goal.text} | not measured | {goal.goal} | no |")
        else:
            met = "yes" if goal.holds(value) else "no"
            rows.append(f"| {goal.text} | {value:,g} | {goal.goal} | {met} |")
    steps = sorted(found["ingest"].get("step_us_per_event", {}).items(), key=lambda item: -item[1])
    grown = found["growth"].get("growth", [])
    return "\n".join(
        [
            "# Benchmarks, short form",
            "",
            "| figure | measured | goal | met |",
            "|---|---|---|---|",
            *rows,
            "",
            "| step of the road | µs of CPU an event |",
            "|---|---|",
            *(f"| {name} | {value:.2f} |" for name, value in steps),
            "",
            "| ten times as much | from | to | ratio |",
            "|---|---|---|---|",
            *(
                f"| {one['dimension']} | {one['size']:,} | {one['grown']:,} | {one['ratio']:.2f} |"
                for one in grown
            ),
            "",
            _judging(found["custody"]),
            "",
            _stream(found["latency"].get("stream_alert_ms")),
            "",
        ]
    )


def _stream(heard: dict[str, float] | None) -> str:
    if heard is None:
        return "Publish → alert on the live stream: not measured."
    return (
        f"Publish → alert on the live stream at 2,000/s: p50 {heard['p50']:g}, p99 {heard['p99']:g} ms"
        f" (goal < 250), {heard['count']:g} alerts."
    )


def _judging(custody: dict[str, Any]) -> str:
    if not custody:
        return "Judging: not measured."
    return (
        f"Judging: {custody['ratio']:.2f} of the events a second without it (goal ≥ 0.7); a late event"
        f" behind 100,000 later ones: {custody['refold_100k_ms']:.0f} ms (goal < 200)."
    )
