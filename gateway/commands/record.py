"""``bondwatch record FILE``: what the broker delivers, and what a second run needs besides, into one file."""

from __future__ import annotations

import asyncio
import secrets
import signal
import ssl
import sys
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console

from gateway.clock import open_clock
from gateway.embedded import addresses
from gateway.problem import Problem
from gateway.recorder import Recorder, ReferenceReader
from gateway.settings import Settings
from gateway.sources.recording import Header, Writer
from gateway.sources.taps import JetStreamTap, MqttTap, Tap

app = typer.Typer()

START: Final = "start"


@app.command()
def record(
    file: Annotated[Path, typer.Argument(help="Where to; must not exist.")],
    for_s: Annotated[
        float | None, typer.Option("--for", min=1, metavar="SECONDS", help="End by itself after this.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="MOMENT",
            help="Begin with what the stream stored then (RFC 3339), or with all that it has: start.",
        ),
    ] = None,
    reference: Annotated[
        bool, typer.Option(help="Parks, places, devices, shipments, terms and documents, too.")
    ] = True,
    as_json: Annotated[
        bool, typer.Option("--json", help="No progress; the last line is one object.")
    ] = False,
) -> None:
    """Write what the broker delivers to a file, until Ctrl-C, SIGTERM or --for; the workers go on as ever.

    The file is readable up to its last block at any moment. bondwatch replay FILE plays it.
    """
    settings = Settings.load()
    told = asyncio.run(
        _record(settings, file, for_s, _moment(since), with_reference=reference, quiet=as_json)
    )
    if as_json:
        typer.echo(msgspec.json.encode(told).decode())
    else:
        typer.echo(f"{file}: {told['messages']} messages, {told['bytes']} bytes", err=True)
    if told["missed"]:
        raise Problem(
            f"at least {told['missed']} messages were dropped by the broker before they were recorded",
            "raise its limits: bondwatch doctor says which",
        )


async def _record(
    settings: Settings,
    file: Path,
    for_s: float | None,
    since: datetime | None,
    *,
    with_reference: bool,
    quiet: bool,
) -> dict[str, int]:
    recording_id = secrets.token_hex(16)
    async with AsyncExitStack() as stack:
        tap = await _open_tap(settings, recording_id, since)
        stack.push_async_callback(tap.close)
        reader = None
        if with_reference:
            reader = ReferenceReader(addresses.database_dsn(settings))
            stack.push_async_callback(reader.close)
        begun_us = time.time_ns() // 1000
        writer = Writer(
            file, Header(recording_id, settings.source, begun_us, with_reference, version("bondwatch"))
        )
        console = Console(stderr=True, quiet=quiet or not sys.stderr.isatty())
        status = stack.enter_context(console.status("recording"))
        begun_s = time.monotonic()

        def show() -> None:
            passed_s, size_kib = time.monotonic() - begun_s, writer.size / 1024
            status.update(f"{passed_s:.0f} s   {writer.messages} messages   {size_kib:.0f} KiB")

        recorder = Recorder(tap, writer, reader, open_clock(settings.clock_file), show)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, recorder.stop)
        await recorder.run(for_s)
        return {"messages": writer.messages, "bytes": writer.size, "missed": tap.missed}


async def _open_tap(settings: Settings, recording_id: str, since: datetime | None) -> Tap:
    servers = addresses.brokers(settings, "gateway")
    address = servers[0]
    if settings.source == "jetstream":
        return await JetStreamTap.open(
            [one.url for one in servers], user=address.user, password=address.password, since=since
        )
    if since is not None:
        raise Problem("only JetStream keeps what was delivered", "leave out --since: record from now on")
    from gateway.sources.mqtt_terms import Address  # noqa: PLC0415 - the codec only where it is used

    tls = ssl.create_default_context(cafile=address.ca_file) if address.tls else None
    mqtt = Address(address.host, address.port, address.user, address.password, tls)
    return await MqttTap.open(mqtt, f"bondwatch-record-{recording_id[:12]}")


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    if text == START:
        return datetime(1970, 1, 2, tzinfo=UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Problem(f"--since: {text!r} is no moment", "2026-03-01T08:00:00+08:00, or start")
    return moment
