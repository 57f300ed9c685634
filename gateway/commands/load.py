"""``bondwatch load``: an open-loop load against a deployment or a bare broker, and what came of it."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import msgspec
import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from gateway.embedded import addresses
from gateway.interrupts import end_as_by_ctrl_c
from gateway.load import check, stage
from gateway.problem import Problem
from gateway.settings import Settings
from simulators.load_device import Login
from simulators.load_figures import Figures, Timeline, percentiles_ms
from simulators.load_knee import Bounds, Step, fault, knee, next_rate
from simulators.load_probes import turns_s
from simulators.load_report import report
from simulators.load_run import (
    Crowd,
    LoadError,
    Outcome,
    Target,
    Wanted,
    can_connect,
    run,
    target_of,
)
from simulators.load_schedule import PROFILES, Profile
from tracking.store.database import connect

STEP_S: Final = 10.0
_SETTLE_S: Final = 2.5
"""Gateways that had the devices' former secrets have seen the new ones by then."""

app = typer.Typer()

_PROFILES = "; ".join(f"{name.value}: {text}" for name, text in PROFILES.items())


@app.command()
def load(
    rate: Annotated[float, typer.Option(min=0.1, help="Events a second, all devices together.")] = 2000,
    devices: Annotated[int, typer.Option(min=1, max=1_000_000, help="Each on its own connection.")] = 200,
    for_s: Annotated[float, typer.Option("--for", min=1, help="Seconds.")] = 30,
    profile: Annotated[Profile, typer.Option(help=f"{_PROFILES}.", show_choices=False)] = Profile.MIXED,
    per_publish: Annotated[int, typer.Option(min=1, max=1000, help="Events in one MQTT message.")] = 10,
    processes: Annotated[int | None, typer.Option(min=1, help="That send. Default: one a core.")] = None,
    broker: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="mqtt://[USER:PASSWORD@]HOST:PORT or mqtts://. Default: the settings' own."
        ),
    ] = None,
    bare: Annotated[
        bool, typer.Option("--bare", help="Only a broker: no gateway answers, no database is asked.")
    ] = False,
    ca_file: Annotated[
        Path | None, typer.Option(exists=True, help="For mqtts:// with a CA of your own.")
    ] = None,
    alerts: Annotated[
        int, typer.Option(min=0, max=100, help="Seals that are cut every 2 s to measure alerts; 0: none.")
    ] = 4,
    find_limit: Annotated[
        bool, typer.Option("--find-limit", help="Raise the rate, from --rate on, until p99 or backlog break.")
    ] = False,
    step_s: Annotated[
        float, typer.Option("--step", min=2, help="Seconds a rate, for --find-limit.")
    ] = STEP_S,
    p99_ms: Annotated[
        float, typer.Option("--p99", min=1, help="What p99 may be, ms, for --find-limit.")
    ] = 1000,
    backlog_s: Annotated[
        float, typer.Option("--backlog", min=0.1, help="Seconds of backlog allowed, for --find-limit.")
    ] = 1.0,
    drain_s: Annotated[float, typer.Option("--drain", min=0, help="Seconds to wait for late answers.")] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="The last line is one JSON object.")] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a report with plots: one file, no network.")
    ] = None,
) -> None:
    """Send a load at its own pace, however slow the system is, and say how long everything took.

    Latencies run from the moment at which a message was due, so a pause of the system is seen in full (open
    loop, no coordinated omission): to the broker's PUBACK (durable), the gateway's receipt (committed), the
    alert. In the end the database is asked whether anything is lost or doubled; then the exit code is 1.

    The load goes to the running installation, or to the one that BONDWATCH_BROKER_URL and
    BONDWATCH_DATABASE_DSN name, into a park LOAD of its own. For comparison, to a broker alone:
    bondwatch load --bare --broker mqtt://HOST:1883
    """
    if bare and broker is None:
        raise Problem("--bare needs the broker's address", "add --broker mqtt://HOST:1883")
    if html is not None and not html.resolve().parent.is_dir():
        raise Problem(f"--html: there is no directory {html.resolve().parent}")
    if devices * per_publish > rate * (step_s if find_limit else for_s):
        raise Problem(
            f"at {rate:g} events/s {devices} devices with {per_publish} events a message get no turn each",
            "raise --rate or --for, or lower --devices or --per-publish",
        )
    wanted = Wanted(
        rate=rate,
        for_s=step_s if find_limit else for_s,
        profile=profile,
        per_publish=per_publish,
        processes=processes or os.cpu_count() or 1,
        drain_s=drain_s,
        bare=bare,
    )
    console = Console(stderr=True)
    end_as_by_ctrl_c()
    try:
        deployment = Deployment.find(broker, bare, ca_file, devices, alerts)
        if find_limit:
            result = _find_limit(deployment, wanted, Bounds(p99_ms, backlog_s), console)
        else:
            result = deployment.run(wanted, console)
    except LoadError as error:
        raise Problem(str(error)) from None
    except KeyboardInterrupt:
        console.print("ended before its end")
        raise typer.Exit(130) from None
    figures = result.figures
    console.print(_table(figures))
    if html is not None:
        html.write_text(report(figures, result.timeline), encoding="utf-8")
        console.print(f"report: {html}")
    if as_json:
        typer.echo(msgspec.json.encode(figures).decode())
    if figures.check is not None and (figures.check.lost or figures.check.doubled):
        raise typer.Exit(1)


class Deployment(NamedTuple):
    """What is put under load."""

    target: Target
    dsn: str | None
    devices: int
    alerts: int

    @classmethod
    def find(cls, url: str | None, bare: bool, ca_file: Path | None, devices: int, alerts: int) -> Deployment:
        """The broker asked for, else the settings' own; the database by the settings."""
        ca = str(ca_file) if ca_file else None
        if bare:
            assert url is not None
            return cls(target_of(url, ca), None, devices, 0)
        settings = Settings.load()
        dsn = addresses.database_dsn(settings)
        if url is not None:
            return cls(target_of(url, ca), dsn, devices, alerts)
        found = addresses.mqtt_brokers(settings, "judge")[0]
        ca = ca or (str(found.ca_file) if found.ca_file else None)
        return cls(Target(found.host, found.port, found.tls, ca_file=ca), dsn, devices, alerts)

    def run(self, wanted: Wanted, console: Console) -> Outcome:
        """One run, and the database's word on it."""
        wanted = msgspec.structs.replace(wanted, run=random.SystemRandom().randrange(1, 2**31))
        probes = turns_s(self.alerts, wanted.for_s)
        can_connect(wanted, self.devices, len(probes))
        if self.dsn is None:
            password = self.target.password or ""
            logins = [Login(f"{stage.PARK}/L-{number:06}", password) for number in range(self.devices)]
            with _Progress(wanted, console) as tell:
                return run(self.target, wanted, Crowd(logins), tell)
        with connect(self.dsn, application="bondwatch-load") as conn:
            console.print(f"[dim]registering {self.devices} devices in park {stage.PARK} …[/]")
            crowd = stage.crowd(conn, self.devices, probes, wanted.run)
            time.sleep(_SETTLE_S)
            with _Progress(wanted, console) as tell:
                outcome = run(self.target, wanted, crowd, tell)
            console.print("[dim]asking the database what is there …[/]")
            outcome.figures.check = check.check(conn, wanted.run, outcome.last)
        return outcome


def _find_limit(deployment: Deployment, wanted: Wanted, bounds: Bounds, console: Console) -> Outcome:
    """Rate after rate; the outcome of the best one, with the knee in its figures."""
    steps: list[Step] = []
    outcomes: dict[float, Outcome] = {}
    while (rate := next_rate(steps, wanted.rate, bounds)) is not None:
        outcome = deployment.run(msgspec.structs.replace(wanted, rate=rate), console)
        step = _step(outcome.figures)
        steps.append(step)
        outcomes[rate] = outcome
        why = fault(step, bounds)
        console.print(
            f"{rate:>10,.0f}/s  p99 {step.p99_ms:>8,.0f} ms  backlog {step.backlog_s:5.2f} s  "
            + ("[green]holds[/]" if why is None else f"[red]breaks: {why}[/]")
        )
    found = knee(steps, bounds)
    best = outcomes[found.rate] if found.rate else outcomes[min(outcomes)]
    best.figures.limit = {
        "rate": found.rate,
        "broke_at": found.broke_at,
        "why": found.why,
        "bounds": bounds._asdict(),
        "steps": [step._asdict() | {"why": fault(step, bounds)} for step in sorted(steps)],
    }
    return best


def _step(figures: Figures) -> Step:
    latency = figures.latency_ms["durable" if figures.bare else "committed"]
    return Step(
        rate=figures.rate,
        achieved=figures.durable_per_s if figures.bare else figures.committed_per_s,
        p99_ms=latency["p99"] if latency else float("inf"),
        backlog_s=round(figures.backlog / figures.rate, 3),
        own_fault=figures.generator_is_late,
    )


class _Progress:
    """What is known so far, drawn anew each second; a line every ten where nobody watches."""

    def __init__(self, wanted: Wanted, console: Console) -> None:
        self._wanted, self._console = wanted, console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._said = -1

    def __enter__(self) -> Callable[[Timeline], None]:
        if self._console.is_terminal:
            self._live.start()
        return self._tell

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def _tell(self, timeline: Timeline) -> None:
        second = max(timeline.seconds)
        if self._console.is_terminal:
            self._live.update(_now(self._wanted, timeline, second), refresh=True)
        elif second // 10 > self._said:
            self._said = second // 10
            counts = timeline.counts
            self._console.print(
                f"{second:4} s  sent {counts['sent']:,}  durable {counts['durable']:,}"
                f"  committed {counts['committed']:,}"
            )


def _now(wanted: Wanted, timeline: Timeline, second: int) -> Table:
    table = Table(
        title=f"{wanted.profile.value}, {wanted.rate:,.0f}/s: {min(second + 1, round(wanted.for_s))}"
        f" of {wanted.for_s:g} s",
        title_justify="left",
    )
    for head in ("", "events", "a second", "p50 ms", "p99 ms", "max ms"):
        table.add_column(head, justify="right")
    shown = timeline.seconds.get(second - 1, timeline.seconds[second])
    for name in ("sent", "durable", "committed"):
        found = percentiles_ms(timeline.latencies[name]) if name in timeline.latencies else None
        table.add_row(
            name,
            f"{timeline.counts[name]:,}",
            f"{shown.counts[name]:,}",
            *([f"{found[key]:,.1f}" for key in ("p50", "p99", "max")] if found else ["", "", ""]),
        )
    return table


def _table(figures: Figures) -> Table:
    table = Table(title=f"Load: {figures.profile}", show_header=False, title_justify="left")
    table.add_row("events sent, a second", f"{figures.events:,}, {figures.sent_per_s:,.0f}")
    table.add_row("durable a second", f"{figures.durable_per_s:,.0f}")
    if not figures.bare:
        table.add_row("committed a second", f"{figures.committed_per_s:,.0f}")
    table.add_row("backlog at the end", f"{figures.backlog:,}")
    for name, text in (("durable", "durable"), ("committed", "committed"), ("alert", "alert")):
        if found := figures.latency_ms[name]:
            line = "  ".join(f"{at} {value:,.1f}" for at, value in found.items())
            table.add_row(f"publish → {text}, ms", line)
    if figures.alerts_expected:
        table.add_row("alerts heard", f"{figures.alerts_heard} of {figures.alerts_expected}")
    if figures.check is not None:
        told = figures.check
        style = "red" if told.lost or told.doubled else "green"
        table.add_row("lost, doubled, rejected", f"[{style}]{told.lost}, {told.doubled}, {told.rejected}[/]")
    elif figures.unanswered:
        table.add_row("without an answer", f"[red]{figures.unanswered:,}[/]")
    if figures.limit is not None:
        broke, why = figures.limit["broke_at"], figures.limit["why"]
        held = f"{figures.limit['rate']:,.0f} events/s" if figures.limit["rate"] else "no rate held"
        table.add_row("limit", held + (f", {why} at {broke:,.0f}" if broke else " or more"))
    if figures.generator_is_late:
        table.add_row(
            "[yellow]beware[/]", "the generator was late itself: more --processes, or another machine"
        )
    return table
