"""Many servers on one machine: kill any process, cut a park's uplink, grow and shrink; count what was lost.

make cluster ARGS="--kills 20 --events 60000 --json"
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.request import urlopen

from devices.client import Device, Loop
from gateway.embedded.nats import last_stored
from gateway.interrupts import end_as_by_ctrl_c
from gateway.subjects import EDGE
from tests.cluster import ownership
from tests.cluster.site import EDGE_PARK, Site
from tests.fault import command, stage, story, verdict
from tests.fault.api import Api
from tests.fault.command import say
from tests.fault.siren import Siren
from tests.fault.talk import Talk
from tracking.store.database import connect

HUB_PARK = "HUB"
PARKS = (HUB_PARK, EDGE_PARK)
TRUCKS = 8
"""Of each park."""

SHARE = 5
"""Of the partitions, for each of three gateways at least."""

TAKEOVER_S = 5.0
"""What is promised."""

KILL_S = 8.0
"""What a kill and its mending take on the whole; the devices speak on for longer than all of that."""

PATIENCE_S = 30.0
BACK_S = 90.0


@dataclass
class Report:
    """The last line of a run."""

    published: int = 0
    recorded: int = 0
    lost: int = 0
    doubled: int = 0
    kills: int = 0
    takeover_max_s: float = 0.0


def main() -> int:
    parser = command.parser("cluster", __doc__, events=40_000, kills=8)
    parser.add_argument(
        "--cut", type=float, default=120.0, help="seconds for which the park's uplink is dead"
    )
    options = parser.parse_args()
    end_as_by_ctrl_c()
    with command.directory("cluster", keep=options.keep) as directory:
        site = Site(directory)
        try:
            report = Run(site, directory, options).run()
        except BaseException:
            say(site.last_words())
            raise
        finally:
            site.stop()
    if options.json:
        print(json.dumps(asdict(report)))
    failed = report.lost or report.doubled or report.recorded != report.published
    return 1 if failed or report.takeover_max_s > TAKEOVER_S else 0


class Run:
    """One run: stage, devices, cut, kills, growth and shrink, verdict."""

    def __init__(self, site: Site, directory: Path, options: argparse.Namespace) -> None:
        self.site = site
        self.directory = directory
        self.options = options
        self.random = random.Random(options.seed)
        self.events = options.events // (TRUCKS * len(PARKS))
        self.report = Report()
        self.watch = ownership.Watch(site.dsn)

    def run(self) -> Report:
        begin = time.monotonic()
        self.site.start()
        say(f"running after {time.monotonic() - begin:.0f} s: {', '.join(self.site.names)}")
        api = Api(self.site.api, self.site.home.secret("api_admin_key"))
        begin_ms = round(time.time() * 1000) - self.events * story.STEP_MS - 120_000
        ports = {HUB_PARK: self.site.balancer.port, EDGE_PARK: self.site.leaf.mqtt_port}
        sirens, devices = [], []
        with closing(Loop()) as loop:
            try:
                for park in PARKS:
                    passwords = stage.set_stage(api, park, TRUCKS, begin_ms)
                    secret = passwords.pop(stage.siren_of(park))
                    sirens.append(Siren(ports[park], api, stage.siren_of(park), secret))
                    devices += [
                        Device(
                            "127.0.0.1",
                            ports[park],
                            name=name,
                            password=password,
                            outbox=self.directory / f"{name.replace('/', '-')}.outbox",
                            synchronous="NORMAL",
                            loop=loop,
                        )
                        for name, password in passwords.items()
                    ]
                return self._drive(devices, sirens, begin_ms)
            finally:
                for device in devices:
                    device.close()
                for siren in sirens:
                    siren.close()

    def _drive(self, devices: list[Device], sirens: list[Siren], begin_ms: int) -> Report:
        seconds = max(self.options.kills * KILL_S, self.options.cut) + 60
        chunk = max(1, int(self.events / seconds / 5))
        with Talk(devices, begin_ms, self.events, chunk=chunk, pause_s=0.2) as talk:
            self._trouble()
            if talk.is_done:
                raise RuntimeError(
                    "the devices had said everything before the trouble was over: more --events"
                )
            self.site.until(lambda: talk.is_done, 900, "the devices to have reported everything")
        self.report.published = talk.count
        say(f"{self.report.published} events reported; waiting for the receipts")
        self.site.until(
            lambda: not any(device.waiting for device in devices), 240, "a receipt for every event"
        )
        return self._verdict(devices, talk.published, sirens)

    def _trouble(self) -> None:
        """Everything that may go wrong, one after the other, under load."""
        self._wait(3)
        self._grow()
        self.site.cut()
        cut_at, mended = time.monotonic(), False
        say("the park's uplink is cut")
        for number, victim in enumerate(self._victims()):
            self._wait(self.random.uniform(0.5, 2.5))
            self._kill(victim)
            self.report.kills += 1
            if number == self.options.kills // 2:
                self._shrink()
            if not mended and time.monotonic() - cut_at > self.options.cut:
                self._mend(cut_at)
                mended = True
        if not mended:
            self._wait(self.options.cut - (time.monotonic() - cut_at))
            self._mend(cut_at)

    def _mend(self, cut_at: float) -> None:
        waiting = self._at_the_edge() - self._fetched()
        if waiting <= 0:
            raise RuntimeError("nothing waited at the edge: the cut was none")
        say(
            f"the uplink is back after {time.monotonic() - cut_at:.0f} s; {waiting} messages wait at the park"
        )
        self.site.mend()

    def _kill(self, victim: str) -> None:
        pid = self.site.pid(victim)
        begin = time.monotonic()
        self.site.kill(victim)
        moved = ""
        if victim.startswith("gateway"):
            moved = f"; partitions moved in {self._moved(begin, without=pid):.1f} s"
        back = self.site.until(
            lambda: self.site.pid(victim) != pid and self.site.ready(victim), BACK_S, f"{victim} to be back"
        )
        say(f"killed {victim}: back after {back:.1f} s{moved}")

    def _grow(self) -> None:
        begin = time.monotonic()
        name = self.site.grow("gateway")
        self.site.until(lambda: self.site.ready(name), BACK_S, f"{name} to be ready")
        begin_share = time.monotonic()
        pid = self.site.pid(name)
        self.site.until(
            lambda: self.watch.ask(ownership.shares, Counter())[pid or 0] >= SHARE,
            PATIENCE_S,
            f"{name} to get its share",
        )
        took = time.monotonic() - begin_share
        self.report.takeover_max_s = max(self.report.takeover_max_s, round(took, 1))
        say(f"{name} came, ready after {begin_share - begin:.1f} s, has its partitions {took:.1f} s later")

    def _shrink(self) -> None:
        name = next(name for name in self.site.names if name.startswith("gateway"))
        pid = self.site.pid(name)
        begin = time.monotonic()
        self.site.shrink(name)
        say(f"{name} left; partitions moved in {self._moved(begin, without=pid):.1f} s")

    def _moved(self, begin: float, *, without: int | None) -> float:
        """Seconds until living workers own every partition."""

        def settled() -> bool:
            alive = [self.site.pid(name) or 0 for name in self.site.names if name.startswith("gateway")]
            return self.watch.ask(lambda conn: ownership.settled(conn, alive, without=without), False)

        self.site.until(settled, PATIENCE_S, "every partition to be with a living worker")
        took = time.monotonic() - begin
        self.report.takeover_max_s = max(self.report.takeover_max_s, round(took, 1))
        return took

    def _verdict(
        self,
        devices: list[Device],
        published: dict[str, list[int]],
        sirens: list[Siren],
    ) -> Report:
        expected = {device.name: (device.run, published[device.name]) for device in devices}
        self.site.until(
            lambda: self.watch.ask(verdict.quiet, False),
            180,
            "all work to be judged and every alert to be sent",
        )
        with connect(self.site.dsn) as conn:
            counts, wanted = verdict.settled(conn, expected, self.events)
            raised = verdict.raised(conn)
        self.site.until(
            lambda: raised <= set().union(*(siren.heard for siren in sirens)), 60, "every alert at the sirens"
        )
        say(f"{len(raised)} alerts heard, {wanted} findings a truck")
        self.report.recorded, self.report.lost, self.report.doubled = counts[:3]
        return self.report

    def _victims(self) -> Iterator[str]:
        """Who dies, in order: random rounds in which everyone who runs then has a turn."""
        left: list[str] = []
        for _ in range(self.options.kills):
            left = [name for name in left if name in self.site.names]
            left = left or self.random.sample(self.site.names, len(self.site.names))
            yield left.pop()

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self.site.until(lambda: time.monotonic() >= end, seconds + 60, "time to pass")

    def _at_the_edge(self) -> int:
        """The last message of the park's stream."""
        return last_stored(f"http://127.0.0.1:{self.site.leaf.monitor_port}", EDGE)

    def _fetched(self) -> int:
        """The last message of the park's stream that the hub has."""
        for node in self.site.hub:
            url = f"http://127.0.0.1:{node.monitor_port}/jsz?streams=1&accounts=1&config=1"
            details = []
            with suppress(OSError), urlopen(url) as answer:
                details = json.load(answer)["account_details"]
            for account in details:
                for one in account["stream_detail"]:
                    if one["name"] == "BW_EVENTS" and one.get("sources"):
                        return int(one["sources"][0].get("seq", 0))
        raise RuntimeError("no server of the hub says how far it has fetched")


if __name__ == "__main__":
    sys.exit(main())
