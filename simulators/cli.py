"""``bondwatch simulate``: one scenario against a running gateway, ending with one line of JSON."""

from __future__ import annotations

import signal
import sys
import threading
import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from simulators import places, scenario
from simulators.run import Address, Run, RunError, State
from simulators.stage import Api, StageError
from simulators.world import World

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def simulate(
    name: Annotated[str, typer.Argument(metavar="SCENARIO", help="Its name, or a .toml file.")] = "demo",
    *,
    api: Annotated[str, typer.Option(help="Base address of the API.")] = "http://127.0.0.1:8480",
    api_key_file: Annotated[Path, typer.Option(help="File that holds an API key.", exists=True)],
    mqtt: Annotated[str, typer.Option(help="HOST:PORT of the broker's MQTT listener.")] = "127.0.0.1:1883",
    state: Annotated[Path, typer.Option(help="The simulator's own directory: secrets and outboxes.")],
    for_s: Annotated[
        float | None, typer.Option("--for", help="Stop so many seconds after all are online.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed is the same story.")] = 7,
    speed: Annotated[float | None, typer.Option(help="How many times faster the past is uploaded.")] = None,
) -> None:
    """Run a scenario: trucks, scanners, gates and sensors report over MQTT until Ctrl-C, SIGTERM or --for."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        played, kept = scenario.load(name), State(state)
        begins_ms = _now_ms() - played.past_s * 1000
        turn = kept.rested_turn(begins_ms)
        world = World(played, places.load(), seed=seed, begins_ms=begins_ms, turn=turn)
        run = Run(world, kept, _now_ms)
        try:
            run.prepare(Api(api, api_key_file.read_text().strip()), _address(mqtt))
            print(f"{played.title}: {len(run.devices)} devices are online", file=sys.stderr, flush=True)
            if for_s is not None:
                timer = threading.Timer(for_s, stop.set)
                timer.daemon = True
                timer.start()
            run.drive(stop, speed or played.speed)
        except BaseException:
            run.close()
            raise
        summary = run.finish()
    except (scenario.ScenarioError, StageError, RunError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    print(msgspec.json.encode(summary).decode(), flush=True)


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise typer.BadParameter(f"{text!r} is not HOST:PORT", param_hint="--mqtt")
    return Address(host, int(port))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
