"""Real brokers for tests: NATS with JetStream and its MQTT listener, and Mosquitto.

Each test gets its own broker on free ports of loopback, with its own state directory; a broker can be
stopped, killed and started again on the same ports and state. They die with the test process.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from tests.support import debian

START_DEADLINE_S: Final = 15


@dataclass
class Broker:
    """A broker process that can be stopped and started again."""

    directory: Path
    command: list[str]
    mqtt_port: int
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    process: subprocess.Popen[bytes] | None = None

    @property
    def ports(self) -> tuple[int, ...]:
        """Where it listens once it has started."""
        return (self.mqtt_port,)

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")

    def start(self) -> None:
        """Start and wait until it answers on its ports."""
        with (self.directory / "log").open("ab") as output:
            self.process = subprocess.Popen(
                self.command, stdout=output, stderr=output, env=self.environment, cwd=self.directory,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - the child only asks the kernel for a signal
            )  # fmt: skip
        deadline = time.monotonic() + START_DEADLINE_S
        while not all(listens(port) for port in self.ports):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.command[0]} did not start:\n{self.log}")
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it, gracefully unless told otherwise, and wait until it's gone."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.send_signal(signal.SIGCONT)
            self.process.wait(START_DEADLINE_S)
            self.process = None


@dataclass
class NatsServer(Broker):
    """``nats-server`` from its wheel."""

    port: int = 0

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.mqtt_port, self.port)


@dataclass
class Mosquitto(Broker):
    """Mosquitto 2, with the configuration that docs/brokers.md recommends, as far as a test may."""

    services_port: int = 0


def nats_server(directory: Path, *, extra: str = "") -> NatsServer:
    """A NATS server, not yet started. ``extra`` is appended to its configuration."""
    directory.mkdir(parents=True, exist_ok=True)
    port, mqtt_port = free_ports(2)
    configuration = directory / "nats.conf"
    configuration.write_text(
        f"""server_name: test
listen: 127.0.0.1:{port}
max_payload: 2MB
jetstream {{ store_dir: "{directory}/jetstream" }}
mqtt {{ listen: 127.0.0.1:{mqtt_port} }}
{extra}
"""
    )
    program = Path(sys.executable).parent / "nats-server"
    return NatsServer(directory, [str(program), "-c", str(configuration)], mqtt_port, port=port)


def mosquitto(directory: Path, *, extra: str = "allow_anonymous true\n") -> Mosquitto:
    """A Mosquitto, not yet started. ``extra`` is appended to its configuration."""
    directory.mkdir(parents=True, exist_ok=True)
    (mqtt_port,) = free_ports(1)
    configuration = directory / "mosquitto.conf"
    configuration.write_text(
        f"""listener {mqtt_port} 127.0.0.1
persistence true
persistence_location {directory}/
max_queued_messages 0
max_inflight_messages 0
max_packet_size 2000000
log_type all
{"user root" if os.geteuid() == 0 else ""}
{extra}
"""
    )
    program, environment = mosquitto_program()
    return Mosquitto(directory, [program, "-c", str(configuration)], mqtt_port, environment)


@contextlib.contextmanager
def running(broker: Broker) -> Iterator[Broker]:
    """Start it, and end it in any case."""
    try:
        broker.start()
        yield broker
    finally:
        broker.stop(signal.SIGKILL)


@cache
def mosquitto_program() -> tuple[str, dict[str, str]]:
    """The program and the environment that it runs in.

    On PATH, else Debian's package unpacked privately, else installed as root (its service is not started).
    """
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if found:
        return found, dict(os.environ)
    try:
        root = debian.unpacked("mosquitto")
        return str(root / "usr/sbin/mosquitto"), debian.environment(root)
    except (OSError, subprocess.CalledProcessError):
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    subprocess.run(["apt-get", "update", "-q"], check=True, env=quiet, capture_output=True)
    install = ["apt-get", "install", "-q", "-y", "--no-install-recommends", "mosquitto"]
    subprocess.run(install, check=True, env=quiet, capture_output=True)
    return "/usr/sbin/mosquitto", dict(os.environ)


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody had a moment ago."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def listens(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
