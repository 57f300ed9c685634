"""Runs a world against a real gateway: every device speaks MQTT through the SDK, as itself.

Papers go to the API. A paper of a moment is recorded before any device tells of that moment: nobody opens a
seal before the order is there. While the API is away the story waits.

The story has begun some time ago. Devices report that past first, faster than it happened, like trackers
that come back into the network; all event times are what the devices claim, and all of them are in the past.
When the story has caught up with the clock it goes on at the clock's pace.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

from msgspec import Struct

from devices.client import Loop
from devices.client.commands import CommandHandler
from devices.client.gate import GateKeeper
from devices.client.outbox import Outbox
from simulators.faults import FaultyDevice
from simulators.reports import Paper, Report
from simulators.scenario import Offline, Repeat
from simulators.stage import Api, Secrets, build
from simulators.world import PlannedFault, World

RECEIPTS_WITHIN_S: Final = 45.0
ONLINE_WITHIN_S: Final = 30.0
_TICK_S: Final = 0.25
_ROOM_WITHIN_S: Final = 60.0


class RunError(Exception):
    """The run can't begin; the message says why and what to do."""


class Address(NamedTuple):
    """A broker's MQTT listener."""

    host: str
    port: int


class Summary(Struct):
    """What a run did. ``published`` counts distinct events, answers to commands and each piece of rubbish."""

    published: int = 0
    unconfirmed: int = 0
    resent: int = 0
    duplicates_sent: int = 0
    rubbish: int = 0
    rejected: int = 0
    carried_over: int = 0


class State:
    """The simulator's own directory: secrets, outboxes, and until when each turn was on the road."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.secrets = Secrets(directory / "secrets.json")
        self._turns = directory / "turns.json"

    def outbox(self, name: str) -> Path:
        """The outbox file of a device."""
        return self.directory / "outboxes" / f"{name.replace('/', '_')}.outbox"

    def kept_passes(self, name: str) -> Path:
        """The file in which a gate keeps its passes, beside its outbox."""
        return self.outbox(name).with_suffix(".passes")

    def rested_turn(self, begins_ms: int) -> int:
        """The first turn that wasn't on the road any more when the story begins."""
        until = self._read()
        return next(turn for turn in range(len(until) + 1) if until.get(str(turn), 0) < begins_ms)

    def on_the_road(self, turn: int, until_ms: int) -> None:
        """Note it, so that a run soon after sends other trucks."""
        partial = self._turns.with_suffix(".partial")
        partial.write_text(json.dumps(self._read() | {str(turn): until_ms}))
        partial.replace(self._turns)

    def left_over(self, crew: Collection[str]) -> list[str]:
        """Devices outside this crew whose run was killed with events in their outbox: they deliver now."""
        found = []
        for name in sorted(self.secrets.known.keys() - set(crew)):
            if self.outbox(name).exists():
                outbox = Outbox(self.outbox(name), name)
                if outbox.waiting:
                    found.append(name)
                outbox.close()
        return found

    def set_aside(self, name: str) -> None:
        """A device was registered anew: its old outbox belongs to another installation."""
        path = self.outbox(name)
        if path.exists():
            shutil.move(path, path.with_name(f"{path.name}.{time.time_ns()}"))

    def _read(self) -> dict[str, int]:
        return json.loads(self._turns.read_text()) if self._turns.exists() else {}


class Run:
    """One run of a scenario. `prepare`, then `drive`, then `finish`."""

    _api: Api

    def __init__(self, world: World, state: State, now_ms: Callable[[], int]) -> None:
        self._world, self._state, self._now_ms = world, state, now_ms
        self._loop = Loop()
        self.devices: dict[str, FaultyDevice] = {}
        self._begun: dict[str, int] = {}
        self.summary = Summary()
        self._faults = list(world.faults)
        self._back: list[tuple[int, FaultyDevice]] = []

    def prepare(self, api: Api, broker: Address) -> None:
        """Set the stage, connect every device.

        Raises:
            StageError: the API refuses something.
            RunError: a device is not admitted by the broker.
        """
        self._api = api
        for name in build(api, self._world, self._state.secrets):
            self._state.set_aside(name)
        for name in [*self._world.devices, *self._state.left_over(self._world.devices)]:
            self.devices[name] = FaultyDevice(
                broker.host,
                broker.port,
                name=name,
                password=self._state.secrets.known[name],
                outbox=self._state.outbox(name),
                synchronous="NORMAL",  # a simulated scanner's power fails with the simulator
                loop=self._loop,
                on_command=self._keeper(name),
                firmware="simulated",
                connect=False,  # not before it is counted
            )
        self._begun = {name: device.last_seq for name, device in self.devices.items()}
        self.summary.carried_over = sum(device.waiting for device in self.devices.values())
        for device in self.devices.values():
            device.connect()
        deadline = time.monotonic() + ONLINE_WITHIN_S
        for device in self.devices.values():
            if not device.wait_online(max(deadline - time.monotonic(), 0.0)):
                where = f"{broker.host}:{broker.port}"
                raise RunError(f"{device.name} does not come online at {where}: {device.state}")

    def _keeper(self, name: str) -> CommandHandler | None:
        """What a gate does with its commands: it keeps the passes, and its barrier follows the decisions."""
        spec = self._world.devices.get(name)
        if spec is None or spec.kind != "gate":
            return None
        return GateKeeper(self._state.kept_passes(name), on_later=lambda _: None).on_command

    def drive(self, stop: threading.Event, speed: float) -> None:
        """Report until told to stop; the past so many times faster than it happened."""
        reports = self._world.reports()
        waiting = next(reports)
        begun, noted = time.monotonic(), 0.0
        while not stop.is_set():
            elapsed = time.monotonic() - begun
            story_ms = min(self._world.begins_ms + int(elapsed * 1000 * speed), self._now_ms())
            waiting = self._report(waiting, reports, story_ms)
            self._misbehave(story_ms)
            if elapsed >= noted:
                self._state.on_the_road(self._world.turn, story_ms)
                noted = elapsed + 1.0
            stop.wait(_TICK_S)

    def finish(self) -> Summary:
        """Wait for the receipts that are still due, disconnect, count."""
        for _, device in self._back:
            device.connect()
        deadline = time.monotonic() + RECEIPTS_WITHIN_S
        devices = list(self.devices.values())
        for device in devices:
            device.flush(max(deadline - time.monotonic(), 0.0))
        self.summary.unconfirmed = sum(device.waiting for device in devices)
        self.close()
        told = sum(device.last_seq - self._begun[device.name] for device in devices)
        self.summary.published = told + self.summary.rubbish
        self.summary.resent = sum(device.counts.sent_again for device in devices)
        self.summary.rejected = sum(device.counts.rejected for device in devices)
        return self.summary

    def close(self) -> None:
        """Disconnect every device. What has no receipt goes out in the next run."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda device: device.close(), self.devices.values()))
        self._loop.close()

    def _report(
        self, waiting: Report | Paper, reports: Iterator[Report | Paper], until_ms: int
    ) -> Report | Paper:
        by_device: dict[str, list[tuple[int, Any]]] = {}
        while waiting.time_ms <= until_ms:
            if isinstance(waiting, Paper):
                self._api.send("POST", waiting.path, waiting.body)
            else:
                by_device.setdefault(waiting.device, []).append((waiting.time_ms, waiting.fact))
            waiting = next(reports)
        for name, facts in by_device.items():
            self.devices[name].report_all(facts, wait_s=_ROOM_WITHIN_S)
        return waiting

    def _misbehave(self, story_ms: int) -> None:
        while self._faults and self._faults[0].at_ms <= story_ms and self._commit(self._faults[0]):
            self._faults.pop(0)
        for back in [back for back in self._back if back[0] <= story_ms]:
            self._back.remove(back)
            back[1].connect()

    def _commit(self, planned: PlannedFault) -> bool:
        """Whether it happened: what can't be sent now goes wrong as soon as it can."""
        device, fault = self.devices[planned.device], planned.fault
        if isinstance(fault, Offline):
            device.disconnect()
            self._back.append((self._world.begins_ms + fault.until_s * 1000, device))
        elif isinstance(fault, Repeat):
            sent = device.repeat(fault.events)
            self.summary.duplicates_sent += sent
            return sent > 0
        else:
            is_sent = device.babble(self.summary.rubbish + 1)
            self.summary.rubbish += is_sent
            return is_sent
        return True
