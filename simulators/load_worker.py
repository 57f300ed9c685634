"""One process of ``bondwatch load``: ``python -m simulators.load_worker PLAN``, started by ``load_run``.

It connects its devices, says ``ready``, reads the moment of the beginning (monotonic microseconds) from its
input, says a JSON line a second while it sends, and one at the end; see ``load_figures``. When its input
ends, whoever started it is gone, and it ends too.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import ssl
import sys
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from simulators import connections
from simulators.load_device import Login
from simulators.load_figures import Beat, Ended
from simulators.load_open import Link, Meter, OpenDevice, Siren
from simulators.load_probes import Clock, Probe, Probing
from simulators.load_schedule import BURST_FACTOR, STORMS, Events, Profile, Schedule

CONNECTING_AT_ONCE: Final = 64
_TICK_S: Final = 0.001
_RETRY_S: Final = (0.1, 0.6)
_SWEEP_S: Final = 0.1
_AGAIN_S: Final = 8.0
_TIMEOUT_S: Final = 30.0


class Plan(Struct, frozen=True, kw_only=True):
    """What one process does.

    Attributes:
        host, port, tls, ca_file: the broker's MQTT listener.
        user: for every connection; None: each device's own name.
        logins: this process's devices.
        first_device: number of the first of them among all.
        run: of all events.
        rate: events a second of all processes.
        per_publish: events in one message.
        for_s: duration.
        drain_s: how long to wait for the last answers after it.
        profile: what is sent.
        index, processes: which process, of how many.
        receipted: whether a gateway answers.
        probes, siren: of the one process that measures alerts.
    """

    host: str
    port: int
    tls: bool
    ca_file: str | None
    user: str | None
    logins: list[Login]
    first_device: int
    run: int
    rate: float
    per_publish: int
    for_s: float
    drain_s: float
    profile: Profile
    index: int
    processes: int
    receipted: bool
    probes: list[Probe] = []
    siren: Login | None = None


class Worker:
    """The process."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.meter = Meter()
        receipted = plan.receipted
        self.devices = [
            OpenDevice(login, plan.user or login.name, plan.run, self.meter, receipted=receipted)
            for login in plan.logins
        ]
        self.events = [
            Events(plan.first_device + at, plan.run, plan.profile) for at in range(len(plan.logins))
        ]
        self.clock = Clock()
        self.probing = Probing(plan.probes, plan.run, self.clock, self.meter)
        siren = Siren(plan.siren, self.probing.alert) if plan.siren is not None else None
        self.links: list[Link] = [*self.devices, *self.probing.devices, *([siren] if siren else [])]
        self._tls = ssl.create_default_context(cafile=plan.ca_file) if plan.tls else None
        self._at_once = asyncio.Semaphore(CONNECTING_AT_ONCE)
        self._connecting: dict[Link, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """From the first connection to the last answer.

        Raises:
            OSError: a device is not admitted at the beginning.
            CancelledError: whoever started this process is gone.
        """
        begins = _follow()
        await asyncio.gather(*(self._connect(link) for link in self.links))
        say("ready")
        self.clock.begin(await begins)
        cpu_s = time.process_time()
        tasks = [asyncio.create_task(part) for part in self._beside()]
        await self._send()
        await self._drain()
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if ended is not None and not isinstance(ended, asyncio.CancelledError):
                raise ended
        self._beat()
        for link in self.links:
            link.close()
        say(self._ended(time.process_time() - cpu_s))

    def _beside(self) -> list[Coroutine[Any, Any, None]]:
        parts = [self._beats(), self._mend()]
        if self.plan.profile is Profile.RECONNECT_STORM:
            parts.append(self._storms())
        return parts + self.probing.tasks(self.plan.for_s)

    def _ended(self, cpu_s: float) -> Ended:
        everyone = [*self.devices, *self.probing.devices]
        return Ended(
            last={device.name: device.last for device in everyone if device.last},
            unanswered=sum(device.unanswered for device in everyone),
            rejected=sum(device.rejected for device in everyone),
            resent=sum(device.resent for device in everyone),
            connections=sum(link.connections for link in self.links),
            alerts=self.probing.alerts,
            cpu_s=cpu_s,
        )

    async def _send(self) -> None:
        """Every publish at its moment, or as soon after it as this process comes to it."""
        plan, meter = self.plan, self.meter
        schedule = Schedule(
            plan.rate / plan.per_publish, plan.for_s, plan.profile, index=plan.index, of=plan.processes
        )
        gap_ms = 1000 * len(self.devices) * plan.processes / plan.rate  # between two events of a device
        if plan.profile is Profile.BURST:
            gap_ms /= BURST_FACTOR
        back = [gap_ms * at for at in range(plan.per_publish - 1, -1, -1)]
        for number in range(schedule.publishes):
            due_us = self.clock.begun_us + round(schedule.moment_s(number) * 1e6)
            while (now_us := time.monotonic_ns() // 1000) < due_us:
                await asyncio.sleep(max(_TICK_S, (due_us - now_us) / 1e6))
            meter.latencies["generator"].record_value(max(1, now_us - due_us))
            at = number % len(self.devices)
            device, due_ms = self.devices[at], self.clock.at_ms(due_us)
            times_ms = [round(due_ms - before) for before in back]
            payload = self.events[at].payload(device.last + 1, times_ms)
            device.publish(due_us, plan.per_publish, payload)
            if number % 64 == 63:
                await asyncio.sleep(0)  # answers are measured also while it catches up

    async def _drain(self) -> None:
        """Until everything is answered, or nothing more is to be hoped for."""
        while self.clock.now_s() < self.plan.for_s:
            await asyncio.sleep(_TICK_S * 10)
        ends_s = self.clock.now_s() + self.plan.drain_s
        again_s = self.clock.now_s() + _AGAIN_S
        while self._waiting() and self.clock.now_s() < ends_s:
            if self.clock.now_s() > again_s:
                again_s += _AGAIN_S
                for device in self.devices:
                    device.again(time.monotonic_ns() // 1000 - round(_AGAIN_S * 1e6))
            await asyncio.sleep(0.02)

    def _waiting(self) -> bool:
        return bool(self.probing.awaited) or any(
            device.unanswered for device in (*self.devices, *self.probing.devices)
        )

    async def _beats(self) -> None:
        second = 1
        while True:
            await asyncio.sleep(max(0.0, second - self.clock.now_s()))
            self._beat(second - 1)
            second += 1

    def _beat(self, second: int | None = None) -> None:
        latencies = {
            name: found.encode().decode() for name, found in self.meter.latencies.items() if found.total_count
        }
        say(Beat(max(0, int(self.clock.now_s())) if second is None else second, self.meter.counts, latencies))
        self.meter.clear()

    # connections

    async def _connect(self, link: Link) -> None:
        loop = asyncio.get_running_loop()
        async with self._at_once:
            await loop.create_connection(lambda: link, self.plan.host, self.plan.port, ssl=self._tls)
            await asyncio.wait_for(link.ready, _TIMEOUT_S)

    async def _mend(self) -> None:
        while True:
            for link in self.links:
                if link.transport is None and link not in self._connecting:
                    self._connecting[link] = asyncio.create_task(self._reconnect(link))
            await asyncio.sleep(_SWEEP_S)

    async def _reconnect(self, link: Link) -> None:
        """One attempt, and the pause after one in vain: until it is over, nobody else touches the link."""
        link.broken, link.ready = None, asyncio.get_running_loop().create_future()
        try:
            await self._connect(link)
        except (OSError, TimeoutError):
            link.break_off()
            await asyncio.sleep(random.uniform(*_RETRY_S))
        finally:
            del self._connecting[link]

    async def _storms(self) -> None:
        for part in STORMS:
            await asyncio.sleep(max(0.0, part * self.plan.for_s - self.clock.now_s()))
            for device in self.devices:
                device.break_off()


def say(what: Any) -> None:
    """One line for the process that started this one."""
    line = what if isinstance(what, str) else msgspec.json.encode(what).decode()
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _follow() -> asyncio.Future[int]:
    """The moment of the beginning, once it is said; when the input ends, the task that asked is cancelled."""
    loop, work, source = asyncio.get_running_loop(), asyncio.current_task(), sys.stdin.fileno()
    begins: asyncio.Future[int] = loop.create_future()

    def hear() -> None:
        if said := os.read(source, 64):
            begins.set_result(int(said))
        else:
            loop.remove_reader(source)
            assert work is not None
            work.cancel()

    loop.add_reader(source, hear)
    return begins


async def _work(plan: Plan) -> None:
    await Worker(plan).run()


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see the module."""
    (path,) = sys.argv[1:] if argv is None else argv
    plan = msgspec.json.decode(Path(path).read_bytes(), type=Plan)
    gc.freeze()
    gc.disable()  # a collection would look like a slow broker; the one cycle there is, Meter cuts itself
    try:
        connections.allow(len(plan.logins) + len(plan.probes) + (plan.siren is not None))
        asyncio.run(_work(plan))
    except asyncio.CancelledError:
        return 1
    except (OSError, TimeoutError) as error:
        print(f"{error or 'the broker does not answer'}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
