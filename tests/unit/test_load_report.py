"""Figures add up across processes; the report is one well-formed file that needs nothing else."""

from __future__ import annotations

import gc
import math
import re
import weakref
from html.parser import HTMLParser

import pytest

from simulators.load_device import Login
from simulators.load_figures import Beat, Ended, Figures, Recorded, Timeline, histogram, percentiles_ms
from simulators.load_open import Meter
from simulators.load_plots import heat_map, nice, percentile_plot, short
from simulators.load_report import report, verdict
from simulators.load_run import Crowd, LoadError, Target, Wanted, figures, plans, target_of

VOID = {"meta", "br", "rect", "circle", "path"}


def encoded(*values_us: int) -> str:
    found = histogram()
    for value in values_us:
        found.record_value(value)
    return str(found.encode().decode())


def beat(second: int, sent: int, committed: int, *values_us: int) -> Beat:
    counts = {"sent": sent, "durable": sent, "committed": committed}
    return Beat(
        second, counts, {"committed": encoded(*values_us), "durable": encoded(500)} if values_us else {}
    )


@pytest.fixture
def timeline() -> Timeline:
    found = Timeline()
    for second in range(4):
        for _process in range(2):
            found.add(beat(second, 50, 40, *range(1000, 50_000, 1000)))
    found.add(beat(5, 0, 80, 3_000_000))
    return found


def ended(**changes: object) -> Ended:
    plain = {"last": {}, "unanswered": 0, "rejected": 0, "resent": 0, "connections": 5, "alerts": (3, 2)}
    return Ended(**(plain | {"cpu_s": 0.5} | changes))


def result(timeline: Timeline, **wanted: object) -> Figures:
    load = Wanted(**{"rate": 100, "for_s": 4} | wanted)
    return figures(Target("here", 1883), load, 10, 1_700_000_000, timeline, [ended(), ended()])


def test_what_comes_after_the_duration_is_backlog(timeline: Timeline) -> None:
    found = result(timeline)
    assert (found.events, found.committed) == (400, 400)
    assert (found.sent_per_s, found.committed_per_s, found.backlog) == (100, 80, 80)
    assert (found.connections, found.alerts_expected, found.alerts_heard) == (10, 6, 4)
    assert result(timeline, bare=True).backlog == 0
    assert timeline.running("committed") == [80, 160, 240, 320, 320, 400]


def test_what_the_generator_had_not_sent_in_time_is_backlog_too() -> None:
    late = Timeline()
    late.add(beat(0, 100, 100))
    late.add(beat(1, 20, 20))
    found = result(late, rate=115, per_publish=10, for_s=1)  # twelve messages, so 120 events
    assert (found.events, found.durable, found.backlog) == (120, 120, 20)


def test_histograms_of_processes_add_up(timeline: Timeline) -> None:
    latency = percentiles_ms(timeline.latencies["committed"])
    assert latency is not None
    assert timeline.latencies["committed"].total_count == 8 * 49 + 1
    assert latency["p50"] == pytest.approx(25, rel=0.05)
    assert latency["max"] == pytest.approx(3000, rel=0.002)
    assert percentiles_ms(histogram()) is None


def test_what_is_said_of_a_second_is_kept_by_nobody_without_the_collector() -> None:
    gc.disable()
    try:
        meter = Meter()
        said = [weakref.ref(found) for found in meter.latencies.values()]
        meter.clear()
        assert [found() for found in said] == [None] * len(said)
    finally:
        gc.enable()


def test_a_late_generator_is_said(timeline: Timeline) -> None:
    assert not result(timeline).generator_is_late
    timeline.add(Beat(1, {}, {"generator": encoded(200_000)}))
    found = result(timeline)
    assert found.generator_is_late
    assert "发生器自身跟不上" in report(found, timeline)


class WellFormed(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - the base class's
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def test_the_report_is_one_well_formed_file_without_the_network(timeline: Timeline) -> None:
    found = result(timeline)
    found.check = Recorded(recorded=400, lost=3, doubled=0, rejected=0)
    page = report(found, timeline)
    parser = WellFormed()
    parser.feed(page)
    assert parser.open == []
    assert not re.search(r"(src|href)=|url\(|@import|https?:", page)
    assert not re.search(r"\bnan\b|\binf\b", page)
    assert page.count("<svg") == 4
    assert "3 · 0" in page
    assert "100 events a second were due, 80 were committed in time." in page


def test_the_report_says_what_was_refused_at_any_rate(timeline: Timeline) -> None:
    found = result(timeline)
    found.check = Recorded(recorded=400, lost=0, doubled=0, rejected=0)
    assert '"good">0 · 0 · 0<' in report(found, timeline)
    steps = [
        {"rate": 100.0, "achieved": 1.0, "p99_ms": 5.0, "backlog_s": 0.0, "own_fault": False, "why": None}
    ]
    amiss = Recorded(recorded=900, lost=1, doubled=0, rejected=7, unaccounted=2)
    found.limit = {"rate": 100.0, "broke_at": 150.0, "why": "p99", "bounds": {"p99_ms": 1e3}} | {
        "steps": steps, "check": amiss
    }  # fmt: skip
    page = report(found, timeline)
    assert '"bad">1 · 0 · 7<' in page
    assert '"bad">2<' in page


def test_the_knee_is_drawn(timeline: Timeline) -> None:
    found = result(timeline)
    steps = [
        {"rate": 100.0, "achieved": 100.0, "p99_ms": 50.0, "backlog_s": 0.0, "own_fault": False, "why": None},
        {
            "rate": 150.0,
            "achieved": 0.0,
            "p99_ms": math.inf,
            "backlog_s": 9,
            "own_fault": False,
            "why": "p99",
        },
        {
            "rate": 125.0,
            "achieved": 110.0,
            "p99_ms": 5e3,
            "backlog_s": 2,
            "own_fault": False,
            "why": "backlog",
        },
    ]
    found.limit = {
        "rate": 100.0, "broke_at": 125.0, "why": "backlog", "bounds": {"p99_ms": 1000.0}, "steps": steps
    }  # fmt: skip
    page = report(found, timeline)
    assert page.count('circle class="good"') == 1
    assert page.count('circle class="bad"') == 1
    assert verdict(found) == "The limit here is 100 events a second."


@pytest.mark.parametrize(
    ("rate", "broke_at", "why", "said", "below"),
    [
        (900.0, None, None, "At least 900 events a second; every rate that was tried held.", "best run"),
        (900.0, 1000.0, "generator", "At least 900 events a second; the generator could make", "best run"),
        (0.0, 50.0, "p99", "No rate that was tried held; the lowest was 50 events a second (p99).", "lowest"),
    ],
)
def test_the_headline_says_no_more_than_was_found(
    timeline: Timeline, rate: float, broke_at: float | None, why: str | None, said: str, below: str
) -> None:
    found = result(timeline)
    found.limit = {"rate": rate, "broke_at": broke_at, "why": why, "bounds": {"p99_ms": 1e3}, "steps": []}
    assert verdict(found).startswith(said)
    found.limit["steps"] = [
        {"rate": 50.0, "achieved": 1.0, "p99_ms": 5e3, "backlog_s": 2, "own_fault": False, "why": "p99"}
    ]
    assert re.search(f"Below: the [^.]*{below}", report(found, timeline))


def test_a_run_without_answers_has_a_report_too() -> None:
    empty = Timeline()
    assert "nothing was measured" in report(result(empty), empty)
    assert "nothing was measured" in heat_map([])
    assert "nothing was measured" in percentile_plot([("durable", histogram())])


@pytest.mark.parametrize(("about", "step"), [(0.9, 1), (1, 1), (1.3, 2), (3, 5), (24, 50), (700, 1000)])
def test_steps_of_an_axis_are_round(about: float, step: float) -> None:
    assert nice(about) == step


def test_numbers_are_short() -> None:
    assert [short(value) for value in (0, 0.01, 1500, 20_000, 3e6)] == ["0", "0.01", "1.5k", "20k", "3M"]


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("mqtt://here", Target("here", 1883)),
        ("here:1234", Target("here", 1234)),
        ("mqtts://u:p@here", Target("here", 8883, True, "u", "p")),
        ("mqtt://me%40park:p%3A%2F%25@here", Target("here", 1883, False, "me@park", "p:/%")),
        ("mqtt://me:@here", Target("here", 1883, False, "me", "")),
    ],
)
def test_addresses(url: str, target: Target) -> None:
    assert target_of(url) == target


@pytest.mark.parametrize("url", ["http://here", "mqtt://", "mqtt://here:no", "mqtt://here:99999"])
def test_no_address(url: str) -> None:
    with pytest.raises(LoadError, match="is no MQTT address"):
        target_of(url)


@pytest.mark.parametrize(("devices", "processes"), [(5, 4), (1, 1), (7, 2), (100, 3)])
def test_every_device_is_with_one_process_and_none_is_idle(devices: int, processes: int) -> None:
    crowd = Crowd([Login(f"LOAD/L-{number}", "x") for number in range(devices)])
    shares = plans(Target("here", 1883), Wanted(rate=100, for_s=1), crowd, processes)
    assert [login for plan in shares for login in plan.logins] == list(crowd.logins)
    assert all(plan.logins for plan in shares)
    assert [plan.first_device for plan in shares] == [
        sum(len(before.logins) for before in shares[:index]) for index in range(processes)
    ]
