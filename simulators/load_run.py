"""One run of the open-loop generator: starts the processes, gives the signal, adds up what they say."""

from __future__ import annotations

import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Struct

from simulators import connections
from simulators.load_device import Login
from simulators.load_figures import (
    Ended,
    Figures,
    Timeline,
    decode_beat,
    decode_ended,
    is_late,
    percentiles_ms,
)
from simulators.load_probes import Probe
from simulators.load_schedule import Profile
from simulators.load_worker import Plan

_LEAD_S: Final = 0.3
_READY_S: Final = 120.0


class LoadError(Exception):
    """The load can't be made; the message says why, for a person."""


class Target(NamedTuple):
    """The broker's MQTT listener, and how to log in where devices have no logins of their own."""

    host: str
    port: int
    tls: bool = False
    user: str | None = None
    password: str | None = None
    ca_file: str | None = None

    @property
    def url(self) -> str:
        """Without user and password."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


class Wanted(Struct, frozen=True, kw_only=True):
    """The load that is asked for; see ``load_worker.Plan``."""

    rate: float
    for_s: float
    profile: Profile = Profile.MIXED
    per_publish: int = 10
    processes: int = 2
    drain_s: float = 60.0
    run: int = 1
    bare: bool = False


class Crowd(NamedTuple):
    """Who sends: devices, and where alerts are measured the probes and the siren."""

    logins: Sequence[Login]
    probes: Sequence[Probe] = ()
    siren: Login | None = None


class Outcome(NamedTuple):
    """What came of a run."""

    figures: Figures
    timeline: Timeline
    last: dict[str, int]


def target_of(url: str, ca_file: str | None = None) -> Target:
    """The parts of ``mqtt://[user:password@]host[:port]`` or ``mqtts://…``.

    Raises:
        LoadError: it is no such address.
    """
    parts = urlsplit(url if "://" in url else f"mqtt://{url}")
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname or port == -1:
        raise LoadError(f'"{url}" is no MQTT address: write mqtt://HOST:1883 or mqtts://HOST:8883')
    tls = parts.scheme == "mqtts"
    user, password = (None if said is None else unquote(said) for said in (parts.username, parts.password))
    return Target(parts.hostname, port or (8883 if tls else 1883), tls, user, password, ca_file)


def can_connect(wanted: Wanted, devices: int, probes: int) -> None:
    """Refuse before anything is registered or started what a process of the generator could never connect.

    Raises:
        LoadError: this machine allows a process fewer open files.
    """
    processes = min(wanted.processes, devices)
    try:
        connections.allow(-(-devices // processes) + (probes + 1 if probes else 0))
    except connections.TooManyConnections as error:
        raise LoadError(f"{error}: raise that, or give more --processes") from None


def run(
    target: Target, wanted: Wanted, crowd: Crowd, tell: Callable[[Timeline], None] = lambda _: None
) -> Outcome:
    """Make the load.

    Args:
        target: the broker.
        wanted: the load.
        crowd: who sends.
        tell: told about once a second what is known so far.

    Raises:
        LoadError: a process failed; nothing of it runs any more.
    """
    processes = min(wanted.processes, len(crowd.logins))
    timeline, said = Timeline(), queue.SimpleQueue[tuple[int, str | None]]()
    with tempfile.TemporaryDirectory(prefix="bondwatch-load-") as directory:
        children: list[subprocess.Popen[str]] = []
        try:
            for plan in plans(target, wanted, crowd, processes):
                children.append(_start(Path(directory) / f"{plan.index}.json", plan, said))
            _gather(children, said)
            begun_us = time.monotonic_ns() // 1000 + round(_LEAD_S * 1e6)
            started_at = time.time() + _LEAD_S
            for child in children:
                assert child.stdin is not None
                child.stdin.write(f"{begun_us}\n")
                child.stdin.flush()
            ended = _listen(children, said, timeline, tell, wanted.for_s + wanted.drain_s + 60)
        finally:
            for child in children:
                child.kill()
                child.wait()
    last = {name: seq for one in ended for name, seq in one.last.items()}
    return Outcome(figures(target, wanted, len(crowd.logins), started_at, timeline, ended), timeline, last)


def plans(target: Target, wanted: Wanted, crowd: Crowd, processes: int) -> list[Plan]:
    """The share of each process: devices in blocks, publishes in turns, the probes with the first."""
    bounds = [len(crowd.logins) * index // processes for index in range(processes + 1)]
    return [
        Plan(
            host=target.host,
            port=target.port,
            tls=target.tls,
            ca_file=target.ca_file,
            user=target.user if wanted.bare else None,
            logins=list(crowd.logins[bounds[index] : bounds[index + 1]]),
            first_device=bounds[index],
            run=wanted.run,
            rate=wanted.rate,
            per_publish=wanted.per_publish,
            for_s=wanted.for_s,
            drain_s=wanted.drain_s,
            profile=wanted.profile,
            index=index,
            processes=processes,
            receipted=not wanted.bare,
            probes=list(crowd.probes) if index == 0 else [],
            siren=crowd.siren if index == 0 else None,
        )
        for index in range(processes)
    ]


def figures(
    target: Target,
    wanted: Wanted,
    devices: int,
    started_at: float,
    timeline: Timeline,
    ended: Sequence[Ended],
) -> Figures:
    """The figures of a run."""
    counts = timeline.counts
    within = {
        name: sum(second.counts[name] for number, second in timeline.seconds.items() if number < wanted.for_s)
        for name in counts
    }
    latency = {name: percentiles_ms(found) for name, found in timeline.latencies.items()}
    answered = "durable" if wanted.bare else "committed"
    cpu_s = sum(one.cpu_s for one in ended)
    return Figures(
        profile=wanted.profile.value,
        rate=wanted.rate,
        devices=devices,
        per_publish=wanted.per_publish,
        for_s=wanted.for_s,
        processes=len(ended),
        target=target.url,
        bare=wanted.bare,
        started_at=started_at,
        events=counts["sent"],
        durable=counts["durable"],
        committed=counts["committed"],
        sent_per_s=round(within["sent"] / wanted.for_s, 1),
        durable_per_s=round(within["durable"] / wanted.for_s, 1),
        committed_per_s=round(within["committed"] / wanted.for_s, 1),
        backlog=counts["sent"] - within[answered],
        latency_ms=latency,
        generator_is_late=is_late(latency),
        generator_cpu_us_per_event=round(cpu_s / max(1, counts["sent"]) * 1e6, 2),
        resent=sum(one.resent for one in ended),
        rejected=sum(one.rejected for one in ended),
        unanswered=sum(one.unanswered for one in ended),
        connections=sum(one.connections for one in ended),
        alerts_expected=sum(one.alerts[0] for one in ended),
        alerts_heard=sum(one.alerts[1] for one in ended),
    )


def _start(file: Path, plan: Plan, said: queue.SimpleQueue[tuple[int, str | None]]) -> subprocess.Popen[str]:
    file.touch(mode=0o600)
    file.write_bytes(msgspec.json.encode(plan))
    child = subprocess.Popen(
        [sys.executable, "-m", "simulators.load_worker", str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def read() -> None:
        assert child.stdout is not None
        for line in child.stdout:
            said.put((plan.index, line.rstrip("\n")))
        said.put((plan.index, None))

    threading.Thread(target=read, daemon=True).start()
    return child


def _gather(
    children: Sequence[subprocess.Popen[str]], said: queue.SimpleQueue[tuple[int, str | None]]
) -> None:
    """Wait until every process has its devices connected."""
    for _ in children:
        try:
            index, line = said.get(timeout=_READY_S)
        except queue.Empty:
            raise LoadError(f"the devices were not connected within {_READY_S:g} s") from None
        if line != "ready":
            words = _last_words(children[index])
            raise LoadError(f"{words}; is the broker there, and does it admit these clients?")


def _listen(
    children: Sequence[subprocess.Popen[str]],
    said: queue.SimpleQueue[tuple[int, str | None]],
    timeline: Timeline,
    tell: Callable[[Timeline], None],
    most_s: float,
) -> list[Ended]:
    ended: dict[int, Ended] = {}
    end = time.monotonic() + most_s
    while len(ended) < len(children):
        try:
            index, line = said.get(timeout=max(0.1, end - time.monotonic()))
        except queue.Empty:
            raise LoadError("a process of the generator doesn't end") from None
        if line is None:
            if index not in ended:
                raise LoadError(_last_words(children[index]))
        elif line.startswith('{"second"'):
            timeline.add(decode_beat(line))
            tell(timeline)
        else:
            ended[index] = decode_ended(line)
    return [ended[index] for index in sorted(ended)]


def _last_words(child: subprocess.Popen[str]) -> str:
    assert child.stderr is not None
    lines = child.stderr.read().strip().splitlines()
    return lines[-1] if lines else f"a process of the generator ended with code {child.wait()}"
