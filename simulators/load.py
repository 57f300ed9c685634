"""A lean load generator: many devices, each on a connection of its own, in one process.

``python -m simulators.load --mqtt HOST:PORT --devices-file F --events N --per-publish K --json``

Every device drives along a straight line; its event times end now and lie within the last four minutes, so
that nothing counts as late or silent; with ``--every`` they lie that many seconds apart. Without ``--rate``
each device keeps a window of publishes under way, as fast as the broker acknowledges; with it, publishes go
out by the clock, however slow the broker is (open loop).
With ``--until-receipt`` a device keeps every event until the gateway's receipt, sends again what got
none, and survives broken connections; without it, the broker's PUBACK is enough.

The first line, ``connected``, says that every device is admitted and nothing is sent yet. The last is JSON:
``published`` distinct events, ``acknowledged`` by the broker (repeats included),
``receipted`` by the gateway (null when nobody waits for it), ``publishes`` made, ``resent`` events,
``rejected``, ``started_at`` (first publish, Unix seconds), ``seconds`` from then to the last answer,
``cpu_us_per_event`` of this process.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from simulators import connections
from simulators.load_device import LoadDevice, Login, Plan, Totals, Way

CONNECTING_AT_ONCE: Final = 64
_TICK_S: Final = 0.01
_SWEEP_S: Final = 0.25


async def generate(
    host: str,
    port: int,
    logins: Sequence[Login],
    plan: Plan,
    on_connected: Callable[[], None] = lambda: None,
) -> tuple[Totals, list[LoadDevice]]:
    """Send the plan's events from these devices; the devices hold the ledger (run, numbers sent).

    Raises:
        ConnectionError: a device is not admitted.
        TimeoutError: not done within the deadline.
    """
    rng = random.Random(plan.seed)
    totals = Totals(receipted=0 if plan.until_receipt else None, devices=len(logins))
    share, extra = divmod(plan.events, len(logins))
    until_ms = time.time_ns() // 1_000_000
    devices = [
        LoadDevice(login, Way(rng, share + (number < extra), until_ms, plan.every_s, plan.skip), plan, totals)
        for number, login in enumerate(logins)
    ]
    loop = asyncio.get_running_loop()
    at_once = asyncio.Semaphore(CONNECTING_AT_ONCE)

    async def admit(device: LoadDevice) -> None:
        async with at_once:
            await loop.create_connection(lambda: device, host, port)
            await device.ready

    await asyncio.gather(*map(admit, devices))
    on_connected()
    totals.started_at, begun, cpu = time.time(), time.monotonic(), time.process_time()
    pacing = asyncio.create_task(_by_the_clock(devices, plan)) if plan.rate is not None else None
    for device in devices:
        device.start()
    waiting = devices
    while waiting := [device for device in waiting if not device.done]:
        now = time.monotonic()
        if now - begun > plan.deadline_s:
            raise TimeoutError(f"not done within {plan.deadline_s:g} s: {totals}")
        for device in waiting:
            if device.broken is not None:
                await _reconnect(loop, device, host, port)
            elif plan.until_receipt:
                device.sweep(now)
        await asyncio.sleep(_SWEEP_S if plan.until_receipt else _TICK_S)
    totals.seconds = round(time.monotonic() - begun, 3)
    totals.cpu_us_per_event = round((time.process_time() - cpu) / max(totals.published, 1) * 1e6, 2)
    if pacing is not None:
        await pacing
    for device in devices:
        device.close()
    await asyncio.sleep(0)
    return totals, devices


async def _reconnect(loop: asyncio.AbstractEventLoop, device: LoadDevice, host: str, port: int) -> None:
    device.broken, device.ready = None, loop.create_future()
    try:
        await loop.create_connection(lambda: device, host, port)
        await device.ready
    except OSError as error:
        device.broken = str(error)  # the next sweep tries again


async def _by_the_clock(devices: Sequence[LoadDevice], plan: Plan) -> None:
    """Publishes at their moments, round the devices, whether the broker keeps up or not."""
    assert plan.rate is not None
    begun = time.monotonic()
    publishes_per_s = plan.rate / plan.per_publish
    turns = _round(devices)
    sent = 0
    while any(device.way.sent < device.way.events for device in devices):
        due = int((time.monotonic() - begun) * publishes_per_s)
        for device in islice(turns, due - sent):
            device.send()
        sent = due
        await asyncio.sleep(_TICK_S)


def _round(devices: Sequence[LoadDevice]) -> Iterator[LoadDevice]:
    while True:
        yield from devices


def _say_connected() -> None:
    print("connected", flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see the module."""
    parser = argparse.ArgumentParser(prog="simulators.load", description="Load from many devices.")
    parser.add_argument("--mqtt", required=True, metavar="HOST:PORT")
    parser.add_argument("--devices-file", required=True, type=Path, help="JSON lines: name, secret")
    parser.add_argument("--events", required=True, type=int, help="in all")
    parser.add_argument("--per-publish", type=int, default=10, help="events in one message")
    parser.add_argument("--window", type=int, default=8, help="publishes under way per device")
    parser.add_argument("--rate", type=float, help="events a second; default: as acknowledged")
    parser.add_argument("--every", type=float, help="seconds between a device's events, by its clock")
    parser.add_argument("--until-receipt", action="store_true", help="keep events until receipted")
    parser.add_argument("--seed", type=int, help="of runs and ways; default: another each time")
    parser.add_argument("--skip", type=int, default=0, help="go on after so many of each device's events")
    parser.add_argument("--deadline", type=float, default=600.0, help="give up after so many seconds")
    parser.add_argument("--ledger", type=Path, help="write here, as JSON lines, what each device published")
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    said = parser.parse_args(argv)
    host, _, port = said.mqtt.rpartition(":")
    with said.devices_file.open("rb") as lines:
        logins = [msgspec.json.decode(line, type=Login) for line in lines if line.strip()]
    plan = Plan(
        events=said.events,
        per_publish=said.per_publish,
        window=said.window,
        rate=said.rate,
        until_receipt=said.until_receipt,
        every_s=said.every,
        seed=said.seed,
        skip=said.skip,
        deadline_s=said.deadline,
    )
    gc.freeze()
    gc.disable()  # nothing here makes cycles, and a collection would look like a slow broker
    try:
        connections.allow(len(logins))
        totals, devices = asyncio.run(generate(host, int(port), logins, plan, _say_connected))
    except (OSError, TimeoutError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if said.ledger is not None:
        with said.ledger.open("w") as ledger:
            for device in devices:
                entry = {"name": device.name, "run": device.way.run, "last": device.way.sent}
                ledger.write(json.dumps(entry) + "\n")
    if not said.json:
        print(
            f"{totals.published:,} events in {totals.seconds} s: {totals.published / totals.seconds:,.0f}/s"
        )
    print(msgspec.json.encode(totals).decode(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
