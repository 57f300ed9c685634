"""Kill parts of the real system at random while devices report, then count what was lost.

make fault ARGS="--source jetstream --events 20000 --kills 10 --seed 7 --json"
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import signal
import sys
import time
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from devices.client import Device, Loop
from gateway.access.mosquitto import ACL_FILE, USERS_FILE, render, write
from gateway.interrupts import end_as_by_ctrl_c
from tests.fault import command, stage, story, verdict
from tests.fault.api import Api
from tests.fault.command import say
from tests.fault.siren import Siren
from tests.fault.stack import Stack
from tests.fault.talk import Talk
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
    parser = command.parser("fault", __doc__, events=20_000, kills=10)
    parser.add_argument("--source", choices=("jetstream", "mqtt"), default="jetstream")
    options = parser.parse_args()
    end_as_by_ctrl_c()
    with command.directory("fault", keep=options.keep) as directory:
        report = Run(directory, options).run()
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
            say("running")
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
        killed: list[str] = []
        # Spread over the kills: about four seconds each, so that every kill meets traffic.
        rounds = max(1, self.options.kills * 4 * 10)
        chunk = max(1, -(-self.events // rounds))
        with Talk(devices, begin_ms, self.events, chunk=chunk, pause_s=0.1) as talk:
            for number, victim in enumerate(self._victims()):
                talk.wait(self.random.uniform(0.5, 3.0))
                stack.kill(victim)
                killed.append(victim)
                say(f"kill {number + 1}/{self.options.kills}: {victim}")
            until(lambda: talk.is_done, 600, "the devices to have reported everything")
        say(f"{talk.count} events reported; waiting for the receipts")
        for device in devices:
            if not device.flush(180):
                say(f"{device.name}: {device.waiting} events without a receipt ({device.state})")
        return self._verdict(stack, devices, talk, siren, killed)

    def _verdict(
        self,
        stack: Stack,
        devices: list[Device],
        talk: Talk,
        siren: Siren,
        killed: list[str],
    ) -> Report:
        expected = {device.name: (device.run, talk.published[device.name]) for device in devices}
        with connect(stack.dsn) as conn:
            until(
                lambda: verdict.quiet(conn),
                180,
                "all work to be judged and every alert to be sent",
                every_s=0.5,
            )
            counts, wanted = verdict.settled(conn, expected, self.events)
            raised = verdict.raised(conn)
            with suppress(TimeoutError):  # what is missing then is counted
                until(lambda: raised <= siren.heard, 30, "every alert at the siren")
        say(f"killed {', '.join(killed) or 'nothing'}; {len(raised)} alerts, {wanted} findings a truck")
        return Report(
            published=talk.count,
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


if __name__ == "__main__":
    sys.exit(main())
