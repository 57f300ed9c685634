"""Kill parts of the real system at random while devices report, then count what was lost.

make fault ARGS="--source jetstream --events 20000 --kills 10 --seed 7 --json"
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import shutil
import signal
import sys
import tempfile
import threading
import time
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from devices.client import Device, Loop
from gateway.access.mosquitto import ACL_FILE, USERS_FILE, render, write
from tests.fault import stage, story, verdict
from tests.fault.api import Api
from tests.fault.siren import Siren
from tests.fault.stack import Stack
from tests.fault.waiting import until
from tests.support.brokers import Mosquitto, mosquitto
from tracking.store.credentials import hash_mosquitto
from tracking.store.database import connect

VICTIMS = ("gateway", "judge", "broker", "database")
TRUCKS = 20
PARK = "FLT"
SIREN = stage.siren_of(PARK)
USER = "bondwatch-gateway"


@dataclass
class Report:
    """The last line of a run."""

    published: int
    recorded: int
    lost: int
    doubled: int
    kills: int
    alerts_missing: int


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="make fault", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("--source", choices=("jetstream", "mqtt"), default="jetstream")
    parser.add_argument("--events", type=int, default=20_000, help="events in all")
    parser.add_argument("--kills", type=int, default=10, help="processes to kill with -9")
    parser.add_argument("--seed", type=int, default=7, help="of the choice of victims and moments")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    parser.add_argument("--keep", action="store_true", help="leave the directory of the run")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="bondwatch-fault-"))
    directory.chmod(0o711)  # the database may run as another user
    try:
        report = Run(directory, options).run()
    finally:
        if options.keep:
            print(f"kept {directory}", file=sys.stderr)
        else:
            shutil.rmtree(directory, ignore_errors=True)
    if options.json:
        print(json.dumps(asdict(report)))
    failed = report.lost or report.doubled or report.alerts_missing or report.recorded != report.published
    return 1 if failed else 0


class Run:
    """One run: stage, devices, kills, verdict."""

    def __init__(self, directory: Path, options: argparse.Namespace) -> None:
        self.directory = directory
        self.options = options
        self.random = random.Random(options.seed)
        self.gateway_password = secrets.token_hex(24)
        self.events = options.events // TRUCKS

    def run(self) -> Report:
        broker = self._mosquitto() if self.options.source == "mqtt" else None
        stack = Stack(self.directory, broker, self.gateway_password)
        if broker is not None:
            broker.start()
        try:
            stack.start()
            self._say("running")
            return self._drive(stack)
        finally:
            stack.stop()
            if broker is not None:
                broker.stop()

    def _mosquitto(self) -> Mosquitto:
        directory = self.directory / "mosquitto"
        directory.mkdir()
        directory.chmod(0o700)
        write(render({}, USER, hash_mosquitto(self.gateway_password)), directory)
        users, acl = directory / USERS_FILE, directory / ACL_FILE
        return mosquitto(directory, extra=f"allow_anonymous false\npassword_file {users}\nacl_file {acl}\n")

    def _drive(self, stack: Stack) -> Report:
        api = Api(stack.api, stack.key)
        begin_ms = round(time.time() * 1000) - self.events * story.STEP_MS - 120_000
        passwords = stage.set_stage(api, PARK, TRUCKS, begin_ms)
        if stack.mosquitto is not None:
            stack.run("device", "sync", "--mosquitto-dir", str(stack.mosquitto.directory))
            assert stack.mosquitto.process is not None
            stack.mosquitto.process.send_signal(signal.SIGHUP)  # it reads both files again
        siren = Siren(stack.mqtt_port, api, SIREN, passwords.pop(SIREN))
        with closing(Loop()) as loop:
            devices = [
                Device(
                    "127.0.0.1",
                    stack.mqtt_port,
                    name=name,
                    password=password,
                    outbox=self.directory / f"{name.replace('/', '-')}.outbox",
                    protocol="5" if stack.mosquitto else "3.1.1",
                    synchronous="NORMAL",
                    loop=loop,
                )
                for name, password in passwords.items()
            ]
            try:
                return self._report(stack, devices, siren, begin_ms)
            finally:
                for device in devices:
                    device.close()
                siren.close()

    def _report(self, stack: Stack, devices: list[Device], siren: Siren, begin_ms: int) -> Report:
        stories = [iter(list(story.drive(begin_ms, self.events))) for _ in devices]
        published: dict[str, list[int]] = {device.name: [] for device in devices}
        killed: list[str] = []
        over = threading.Event()

        def talk() -> None:
            # Spread over the kills: about four seconds each, so that every kill meets traffic.
            rounds = max(1, self.options.kills * 4 * 10)
            chunk = max(1, -(-self.events // rounds))
            while not over.is_set():
                busy = False
                for device, steps in zip(devices, stories, strict=True):
                    batch = [(step.time_ms, step.fact) for _, step in zip(range(chunk), steps, strict=False)]
                    if batch:
                        published[device.name] += device.report_all(batch, wait_s=120)
                        busy = True
                if not busy:
                    return
                over.wait(0.1)

        talking = threading.Thread(target=talk, name="devices")
        talking.start()
        try:
            for number, victim in enumerate(self._victims()):
                over.wait(self.random.uniform(0.5, 3.0))
                stack.kill(victim)
                killed.append(victim)
                self._say(f"kill {number + 1}/{self.options.kills}: {victim}")
            until(lambda: not talking.is_alive(), 600, "the devices to have reported everything")
        finally:
            over.set()
            talking.join()
        self._say(f"{sum(map(len, published.values()))} events reported; waiting for the receipts")
        for device in devices:
            if not device.flush(180):
                self._say(f"{device.name}: {device.waiting} events without a receipt ({device.state})")
        return self._verdict(stack, devices, published, siren, killed)

    def _verdict(
        self,
        stack: Stack,
        devices: list[Device],
        published: dict[str, list[int]],
        siren: Siren,
        killed: list[str],
    ) -> Report:
        expected = {device.name: (device.run, published[device.name]) for device in devices}
        with connect(stack.dsn) as conn:
            until(
                lambda: verdict.quiet(conn),
                180,
                "all work to be judged and every alert to be sent",
                every_s=0.5,
            )
            counts = verdict.count(conn, expected)
            if counts.strangers:
                raise RuntimeError(f"{counts.strangers} recorded events that nobody published")
            found = verdict.findings(conn)
            wanted = story.excursions(self.events)
            wrong = {name: n for name in published if (n := found.get(stage.shipment_of(name), 0)) != wanted}
            if wrong:
                raise RuntimeError(f"expected {wanted} route deviations a truck, found {wrong}")
            raised = verdict.raised(conn)
            with suppress(TimeoutError):  # what is missing then is counted
                until(lambda: raised <= siren.heard, 30, "every alert at the siren")
        self._say(f"killed {', '.join(killed) or 'nothing'}; {len(raised)} alerts, {wanted} findings a truck")
        return Report(
            published=sum(map(len, published.values())),
            recorded=counts.recorded,
            lost=counts.lost,
            doubled=counts.doubled,
            kills=len(killed),
            alerts_missing=len(raised - siren.heard),
        )

    def _victims(self) -> list[str]:
        """Who dies, in order: random rounds in which everyone has a turn."""
        rounds = -(-self.options.kills // len(VICTIMS))
        drawn = [victim for _ in range(rounds) for victim in self.random.sample(VICTIMS, len(VICTIMS))]
        return drawn[: self.options.kills]

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
