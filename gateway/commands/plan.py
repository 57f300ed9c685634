"""``bondwatch plan``: what an installation of a given size needs, from measured figures."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from gateway.interrupts import end_as_by_ctrl_c
from gateway.planning import figures
from gateway.planning.figures import SHIPPED, Figures
from gateway.planning.model import Assumptions, Needs, needs
from gateway.problem import Problem

app = typer.Typer()


@app.command()
def plan(
    devices: Annotated[int, typer.Option(min=1, help="Devices that report.")] = 2000,
    interval: Annotated[
        float, typer.Option(min=0.1, metavar="SECONDS", help="From one event of a device to its next.")
    ] = 30.0,
    keep_days: Annotated[int, typer.Option(min=1, help="Observations stay for so long.")] = 400,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    using: Annotated[
        Path, typer.Option("--figures", metavar="FILE", help="Measured elsewhere; default: those shipped.")
    ] = SHIPPED,
    measure: Annotated[
        Path | None,
        typer.Option(
            "--measure", metavar="FILE", help="Measure this machine first, and write the figures here."
        ),
    ] = None,
    storage: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="With --measure: storage figures of `python -m tests.bench.storage`."
        ),
    ] = None,
) -> None:
    """Cores, workers, memory, disk and network for so many devices; with every assumption.

    --measure starts an installation of its own and removes it; it takes minutes and wants an idle machine.
    """
    if measure is not None:
        end_as_by_ctrl_c()
        figures.save(_measured(storage), measure)
        using = measure
    known = figures.load(using)
    assumed = Assumptions(keep_days=keep_days)
    found = needs(devices, interval, known, assumed)
    if as_json:
        told = {"needs": found, "assumptions": assumed, "figures": known}
        typer.echo(msgspec.json.encode(told).decode())
        return
    Console().print(_table(found, assumed))
    _tell(assumed, known)


def _measured(storage: Path | None) -> Figures:
    from gateway.planning.measure import measure  # noqa: PLC0415 - starts processes: only when asked for

    ratio = figures.load().bytes.compression_ratio
    if storage is not None:
        try:
            ratio = float(json.loads(storage.read_text())["timescale"]["compression_ratio"])
        except (OSError, ValueError, KeyError) as error:
            raise Problem(f"{storage} holds no storage figures: {error}") from None
    console = Console(stderr=True)
    directory = Path(tempfile.mkdtemp(prefix="bondwatch-plan-"))
    directory.chmod(0o711)  # the database may run as another user
    try:
        return measure(directory, 120_000, 1000, ratio, lambda text: console.print(f"[dim]{text} …[/]"))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _table(found: Needs, assumed: Assumptions) -> Table:
    table = Table(title=f"{found.devices:,} devices, an event each {found.interval_s:g} s", show_header=False)
    cores = found.cores
    rows = (
        ("form", found.form),
        ("events a second, mean and peak", f"{found.events_per_s:,.0f}   {found.peak_events_per_s:,.0f}"),
        ("cores", f"{found.total_cores}"),
        ("… broker, database", f"{cores.broker:.2f}   {cores.database:.2f}"),
        ("… gateway, judge", f"{cores.gateway:.2f}   {cores.judge:.2f}"),
        ("gateway workers, judges", f"{found.workers}   {found.judges}"),
        ("databases", f"{found.databases}"),
        ("memory", f"{found.memory_gib:,.1f} GiB"),
        ("database, a day", f"{found.database_gib_per_day:,.2f} GiB"),
        ("… compressed", f"{found.compressed_gib_per_day:,.2f} GiB"),
        (f"database, {assumed.keep_days} days", f"{found.stored_gib:,.0f} GiB"),
        ("… without compression", f"{found.stored_uncompressed_gib:,.0f} GiB"),
        ("write-ahead log, a day", f"{found.log_gib_per_day:,.2f} GiB"),
        ("broker's stream", f"{found.stream_gib:,.1f} GiB"),
        ("network from devices, peak", f"{found.network_mbit_per_s:,.1f} Mbit/s"),
    )
    for row in rows:
        table.add_row(*row)
    return table


def _tell(assumed: Assumptions, known: Figures) -> None:
    said = "   ".join(f"{name}={value:g}" for name, value in msgspec.structs.asdict(assumed).items())
    typer.echo(f"assumed: {said}", err=True)
    typer.echo(
        f"measured {known.measured_on} on {known.machine}: {known.events} events of {known.devices} devices;"
        " docs/capacity.md has the reasons",
        err=True,
    )
