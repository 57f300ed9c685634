"""``bondwatch bench``: measure this machine with the real processes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeAlias, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from gateway.bench.custody import Custody
from gateway.bench.custody import measure as measure_custody
from gateway.bench.filled import Volume
from gateway.bench.growth import Dimension, Size
from gateway.bench.growth import measure as measure_growth
from gateway.bench.growth_plot import plot as growth_plot
from gateway.bench.ingest import IngestReport, Load, measure
from gateway.bench.plans import written
from gateway.bench.reading import Took
from gateway.bench.reading import measure as measure_reading
from gateway.interrupts import end_as_by_ctrl_c

Report = TypeVar("Report")

AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="The last line is one JSON object.")]

app = typer.Typer(
    no_args_is_help=True, help="Benchmarks: the real processes, against a floor of the same run."
)


@app.callback()
def root() -> None:
    """Benchmarks: the real processes, against a floor of the same run."""
    end_as_by_ctrl_c()


@app.command()
def ingest(
    events: Annotated[int, typer.Option(min=1000, help="Events to send.")] = 300_000,
    devices: Annotated[int, typer.Option(min=1, help="Devices that share them.")] = 2000,
    per_publish: Annotated[int, typer.Option(min=1, max=1000, help="Events in one MQTT message.")] = 10,
    zones: Annotated[int, typer.Option(min=0, help="Zones that positions are judged against.")] = 500,
    shipments: Annotated[int, typer.Option(min=0, help="Shipments under custody, a device each.")] = 2000,
    workers: Annotated[int, typer.Option(min=1, help="Gateway processes.")] = 1,
    through_mosquitto: Annotated[
        bool,
        typer.Option("--mosquitto", help="Through Mosquitto, from PATH, instead of the embedded broker."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Events a second through broker, pipeline, commit and judging, and CPU per event against the floor.

    Takes some minutes and needs nothing running: it starts an installation of its own and removes it.
    """
    load = Load(events, devices, per_publish, zones, shipments, workers, through_mosquitto)
    report = _in_directory(lambda directory, say: measure(directory, load, say))
    _tell(_table(report), report, as_json)


@app.command()
def custody(
    events: Annotated[int, typer.Option(min=1000, help="Events in each round, of each kind.")] = 100_000,
    shipments: Annotated[
        int, typer.Option(min=2, help="Shipments in each round, of each kind; a device each.")
    ] = 2000,
    zones: Annotated[int, typer.Option(min=2, help="Zones that positions are judged against.")] = 500,
    rounds: Annotated[
        int, typer.Option(min=1, help="Rounds: on, off, off, on, the next the other way about.")
    ] = 5,
    as_json: AsJson = False,
) -> None:
    """Events a second with and without judging, and how long one late event takes behind 100,000 later ones.

    Takes some minutes and needs nothing running: it starts an installation of its own and removes it.
    """
    wanted = Custody(events=events, shipments=shipments, zones=zones, rounds=rounds)
    report = _in_directory(lambda directory, say: measure_custody(directory, wanted, say))
    table = Table(title="Custody", show_header=False, title_justify="left")
    table.add_row("events a second, judged", f"{report.events_per_s_on:,.0f}")
    table.add_row("… not judged", f"{report.events_per_s_off:,.0f}")
    table.add_row("ratio", f"{report.ratio:.2f}")
    table.add_row("a late event behind 100,000", f"{report.refold_100k_ms:.0f} ms")
    _tell(table, report, as_json)


@app.command()
def reading(
    rows: Annotated[int, typer.Option(min=0, help="Observations in the database.")] = 1_000_000,
    shipments: Annotated[int, typer.Option(min=1, help="Shipments to search among.")] = 1_000_000,
    devices: Annotated[int, typer.Option(min=1, help="Devices on the live map.")] = 10_000,
    traced: Annotated[int, typer.Option(min=1, help="Positions of the trace that is read.")] = 50_000,
    requests: Annotated[int, typer.Option(min=1, help="Of each kind; of searches ten times as many.")] = 100,
    explain: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the database's plans here, as Markdown.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """How long a trace, a search, a live map and statistics take by the API, in a full database.

    Filling it takes most of the time: some minutes for a million shipments or ten million rows. It needs
    nothing running: it starts an installation of its own and removes it.
    """
    volume = Volume(rows=rows, shipments=shipments, devices=devices, traced=traced)
    report, plans = _in_directory(
        lambda directory, say: measure_reading(
            directory, volume, requests, say, explained=explain is not None
        )
    )
    table = Table("", "p50 ms", "p99 ms", "max ms", "answer", title="Reading", title_justify="left")
    for name in ("trace", "trace_geojson", "search", "map", "map_viewport", "statistics"):
        took: Took = getattr(report, name)
        table.add_row(
            name.replace("_", ", "),
            *(f"{value:,.1f}" for value in (took.p50_ms, took.p99_ms, took.max_ms)),
            f"{took.bytes / 1000:,.0f} kB",
        )
    _tell(table, report, as_json)
    if explain is not None:
        explain.write_text(written(plans), encoding="utf-8")


@app.command()
def growth(
    devices: Annotated[int, typer.Option(min=1, help="That report, with a shipment each.")] = 2000,
    zones: Annotated[int, typer.Option(min=2, help="Zones that positions are judged against.")] = 500,
    rows: Annotated[int, typer.Option(min=1, help="Observations recorded before.")] = 1_000_000,
    each: Annotated[int, typer.Option(min=1, help="Events of a device in each leg, one a second.")] = 40,
    factor: Annotated[int, typer.Option(min=2, help="How many times as much.")] = 10,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of four legs, for each.")] = 2,
    only: Annotated[
        list[Dimension] | None, typer.Option(help="What grows; can be repeated. Default: all four.")
    ] = None,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the plot here.")] = None,
    as_json: AsJson = False,
) -> None:
    """CPU per event with ten times the devices, zones, shipments, stored rows: each against the common size.

    Takes about a quarter of an hour and needs nothing running: it starts installations of its own, two at a
    time, and removes them.
    """
    size = Size(devices=devices, zones=zones, shipments=devices, rows=rows)
    report = _in_directory(
        lambda directory, say: measure_growth(
            directory, size, each, factor, rounds, only or list(Dimension), say
        )
    )
    table = Table("", "from", "to", "µs an event", "grown", "ratio", title="Growth", title_justify="left")
    for one in report.growth:
        table.add_row(
            one.dimension,
            f"{one.size:,}",
            f"{one.grown:,}",
            f"{one.cpu_us_per_event:.1f}",
            f"{one.grown_cpu_us_per_event:.1f}",
            f"{one.ratio:.2f}",
        )
    _tell(table, report, as_json)
    if svg is not None:
        svg.write_text(growth_plot(report), encoding="utf-8")


def _in_directory(run: Callable[[Path, Callable[[str], None]], Report]) -> Report:
    """Run a benchmark in a directory of its own, and say on the way what happens."""
    console = Console(stderr=True)
    directory = Path(tempfile.mkdtemp(prefix="bondwatch-bench-"))
    directory.chmod(0o711)  # the database may run as another user
    try:
        return run(directory, lambda text: console.print(f"[dim]{text} …[/]"))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _tell(table: Table, report: msgspec.Struct, as_json: bool) -> None:
    """The table for people; the report for programs that asked for it."""
    Console(stderr=True).print(table)
    if as_json:
        typer.echo(msgspec.json.encode(report).decode())


def _table(report: IngestReport) -> Table:
    table = Table(title="Ingest", show_header=False, title_justify="left")
    table.add_row("events a second", f"{report.events_per_s:,.0f}")
    table.add_row("seconds", f"{report.seconds:.1f}")
    table.add_row("lost, doubled", f"{report.lost}, {report.doubled}")
    table.add_row("median batch", f"{report.batch_p50} events")
    table.add_row("CPU an event, all processes", f"{report.cpu_us_per_event:.1f} µs")
    table.add_row("… of the floor", f"{report.floor_cpu_us_per_event:.1f} µs")
    table.add_row("ratio", f"{report.ratio_to_floor:.2f}")
    table.add_row("CPU of a device that connects", f"{report.connect_ms:.2f} ms")
    for process, cost in sorted(report.process_us_per_event.items(), key=lambda item: -item[1]):
        table.add_row(f"process {process}", f"{cost:.1f} µs an event")
    for step, cost in sorted(report.step_us_per_event.items(), key=lambda item: -item[1]):
        table.add_row(f"step {step}", f"{cost:.1f} µs an event")
    return table
