"""``bondwatch load``: an open-loop load against a deployment or a bare broker, and what came of it."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import msgspec
import typer
from rich.console import Console

from gateway.embedded import addresses
from gateway.interrupts import end_as_by_ctrl_c
from gateway.load import check, shown, stage
from gateway.load.shown import Progress
from gateway.problem import Problem
from gateway.settings import Settings
from simulators.load_device import Login
from simulators.load_figures import Figures, total
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
    alert. In the end the database is asked whether anything is lost, doubled or rejected, at any rate that
    was tried; then the exit code is 1.

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
    console.print(shown.table(figures))
    if html is not None:
        html.write_text(report(figures, result.timeline), encoding="utf-8")
        console.print(f"report: {html}")
    if as_json:
        typer.echo(msgspec.json.encode(figures).decode())
    if figures.checked is not None and not figures.checked.is_whole:
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
            with Progress(wanted, console) as tell:
                return run(self.target, wanted, Crowd(logins), tell)
        with connect(self.dsn, application="bondwatch-load") as conn:
            console.print(f"[dim]registering {self.devices} devices in park {stage.PARK} …[/]")
            crowd = stage.crowd(conn, self.devices, probes, wanted.run)
            time.sleep(_SETTLE_S)
            with Progress(wanted, console) as tell:
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
        if outcome.figures.check is not None and not outcome.figures.check.is_whole:
            console.print(f"{'':>10}    [red]{shown.told(outcome.figures.check)}[/]")
    found = knee(steps, bounds)
    best = outcomes[found.rate] if found.rate else outcomes[min(outcomes)]
    best.figures.limit = {
        "rate": found.rate,
        "broke_at": found.broke_at,
        "why": found.why,
        "bounds": bounds._asdict(),
        "check": total([one.figures.check for one in outcomes.values() if one.figures.check is not None]),
        "steps": [
            step._asdict() | {"why": fault(step, bounds), "check": outcomes[step.rate].figures.check}
            for step in sorted(steps)
        ],
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
