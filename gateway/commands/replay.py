"""``bondwatch replay FILE``: a recording down the real road into this installation's database."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import msgspec
import typer
from rich.console import Console

from devices.observation import moment
from gateway import logging, process
from gateway.clock import open_clock
from gateway.commands.gateway import IDLE_IN_TRANSACTION_S, unique_id
from gateway.embedded import addresses
from gateway.pipeline.reference import read_reference
from gateway.pipeline.road import Road
from gateway.pipeline.tools import Tools
from gateway.problem import Problem
from gateway.service import Worker
from gateway.settings import Settings
from gateway.sources.recording import Recording, Survey
from gateway.sources.replay import ReplaySource
from tracking.store import figures, positions, reference
from tracking.store.database import Connection, connect

app = typer.Typer()

MAX: Final = "max"
SHOW_S: Final = 0.5


class Played(NamedTuple):
    """What one run of a replay did. ``recorded`` and ``rejected`` are of this run; messages of all runs."""

    messages: int
    of: int
    recorded: int
    rejected: int
    reference_rows: int
    is_whole: bool


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="As bondwatch record wrote it.")],
    speed: Annotated[
        str,
        typer.Option(metavar="60x|max", help="How many times as fast as it was; max: as fast as it goes."),
    ] = MAX,
    as_json: Annotated[
        bool, typer.Option("--json", help="No progress; the last line is one object.")
    ] = False,
) -> None:
    """Play a recording into the database: what its devices said then is recorded with the times of then.

    The judge of this installation judges it. Ended at any moment, it goes on where it was; played again, it
    changes nothing.
    """
    settings, factor = Settings.load(), _factor(speed)
    logging.configure(settings, "replay")
    recording = Recording(file)
    survey = recording.survey()
    played = asyncio.run(_replay(settings, recording, survey, factor, quiet=as_json))
    if as_json:
        typer.echo(msgspec.json.encode(played._asdict()).decode())
    else:
        _tell(file, survey, played)


async def _replay(
    settings: Settings, recording: Recording, survey: Survey, speed: float | None, *, quiet: bool
) -> Played:
    dsn, worker_id = addresses.database_dsn(settings), unique_id("replay")
    source_name = positions.replay_source(survey.header.recording_id)

    def open_connection() -> Connection:
        return connect(dsn, application="bondwatch-replay", idle_in_transaction_s=IDLE_IN_TRANSACTION_S)

    async with AsyncExitStack() as stack:
        with connect(dsn, application="bondwatch-replay") as conn:
            rows = begin(conn, recording, survey)
            before = figures.of_source(conn, source_name)
        connection = open_connection()
        tools = Tools(worker_id, connection, read_reference(connection))
        road = Road(tools, connect=open_connection, now_us=open_clock(settings.clock_file).now_us)
        stack.callback(road.close)
        source = ReplaySource(recording, survey, dsn=dsn, worker=worker_id, speed=speed)
        stack.push_async_callback(source.close)
        process.spare_collector()
        worker = Worker(source, road)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, worker.stop)
        console = Console(stderr=True, quiet=quiet or not sys.stderr.isatty())
        showing = asyncio.create_task(_show(console, source, survey))
        stack.callback(showing.cancel)
        ending = asyncio.create_task(_stop_at_end(source, worker))
        stack.callback(ending.cancel)
        await worker.run()
    with connect(dsn, application="bondwatch-replay") as conn:
        after = figures.of_source(conn, source_name)
        if after.recorded > before.recorded:
            reference.recount(conn)
    return Played(
        messages=source.done,
        of=survey.messages,
        recorded=after.recorded - before.recorded,
        rejected=after.rejections - before.rejections,
        reference_rows=rows,
        is_whole=survey.is_whole,
    )


def begin(conn: Connection, recording: Recording, survey: Survey) -> int:
    """Once for each database: the reference data and the position, in one transaction. Returns the rows that
    were new.
    """
    source = positions.replay_source(survey.header.recording_id)
    with conn.transaction():
        if not positions.begin_replay(conn, source, survey.first_us or survey.header.begun_us):
            return 0
        return sum(reference.put(conn, recording.reference()).values())


async def _stop_at_end(source: ReplaySource, worker: Worker) -> None:
    await source.finished.wait()
    worker.stop()


async def _show(console: Console, source: ReplaySource, survey: Survey) -> None:
    begun_s = time.monotonic()
    with console.status("replaying") as status:
        while True:
            share = 100 * source.done / (survey.messages or 1)
            played = f"{source.done} of {survey.messages} messages   {share:.0f} %"
            status.update(f"{time.monotonic() - begun_s:.0f} s   {played}")
            await asyncio.sleep(SHOW_S)


def _tell(file: Path, survey: Survey, played: Played) -> None:
    say = f"{file}: {played.messages} of {played.of} messages played"
    say += f"; now {played.recorded} events recorded, {played.rejected} rejected"
    typer.echo(say, err=True)
    if not survey.is_whole:
        typer.echo(
            f"its recorder was cut off: it holds what came until {moment(survey.last_us).isoformat()}",
            err=True,
        )
    if played.messages < played.of:
        typer.echo("not at its end: the same command goes on from here", err=True)


def _factor(text: str) -> float | None:
    if text == MAX:
        return None
    try:
        factor = float(text.removesuffix("x"))
    except ValueError:
        factor = 0.0
    if not 0 < factor <= 1e6:
        raise Problem(f"--speed: {text!r} is no speed", "60x is a minute a second; or max")
    return factor
