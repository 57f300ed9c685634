"""Everything that runs: who it is, how it is started, killed, multiplied and ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from gateway.embedded.child import Child, State
from gateway.embedded.component import Component, Worker
from gateway.embedded.home import Home
from gateway.embedded.ports import Ports
from gateway.embedded.postgres import Postgres
from gateway.process import NAME_VARIABLE
from tests.cluster import nodes, tls
from tests.cluster.road import Road

HOST = "127.0.0.1"
EDGE_PARK = "EDG"
TICK_S = 0.1
START_S = 180.0
STREAM_GIB = "0.25"
OTHERS = (("gateway", 2), ("judge", 1), ("judge", 2), ("api", 1))


class Site:
    """The processes of one run. Everything that starts or ends one belongs to the main thread.

    Attributes:
        uplink: the park's way to the hub: its server's and its ``bondwatch access``'s.
    """

    def __init__(self, directory: Path) -> None:
        self._ports = Ports()
        self._logs = directory / "logs"
        self._logs.mkdir()
        self.home = Home(directory / "hub").prepare()
        self._park_home = Home(directory / "park").prepare()
        self.hub = nodes.hub(directory, self._ports)
        context, certificate = tls.make(directory)
        self._hub_door = Road([node.leaves_port for node in self.hub], context)
        self._uplinks = [Road([self._hub_door.port])]
        self.leaf = nodes.leaf(EDGE_PARK, directory / "leaf", self._ports, self._uplinks[0].port, certificate)
        self.balancer = Road([node.mqtt_port for node in self.hub])
        self._postgres = Postgres(self.home, self._ports.free(HOST))
        self._uplinks.append(Road([self._postgres.port]))
        self._api_port = self._ports.free(HOST)
        self._children: dict[str, Child] = {}
        self._ending: list[Child] = []
        self._hub_settings = {
            "BONDWATCH_HOME": str(self.home.path),
            "BONDWATCH_BROKER_URL": ",".join(node.url for node in self.hub),
            "BONDWATCH_DOWNLINK_URL": ",".join(node.mqtt_url for node in self.hub),
            "BONDWATCH_DATABASE_DSN": self.dsn,
            "BONDWATCH_STREAM_REPLICAS": "3",
            "BONDWATCH_STREAM_MAX_GIB": STREAM_GIB,
            "BONDWATCH_API_PORT": str(self._api_port),
            "BONDWATCH_LOG_FORMAT": "console",
        }
        self._park_settings = self._hub_settings | {
            "BONDWATCH_HOME": str(self._park_home.path),
            "BONDWATCH_BROKER_URL": self.leaf.url,
            "BONDWATCH_DATABASE_DSN": self.dsn.replace(
                f":{self._postgres.port}/", f":{self._uplinks[1].port}/"
            )
            + "&connect_timeout=3&tcp_user_timeout=5000",
        }

    @property
    def dsn(self) -> str:
        return self._postgres.dsn

    @property
    def api(self) -> str:
        return f"http://{HOST}:{self._api_port}"

    @property
    def names(self) -> list[str]:
        """Who runs, or is about to again."""
        return list(self._children)

    def start(self) -> None:
        """Start everything, join the park, wait until all of it is ready."""
        leaf_key = self.run("nats", "leaf", EDGE_PARK, str(self.leaf.folder), at_park=True).strip()
        servers = [word for node in self.hub for word in ("--server", f"{HOST}:{node.cluster_port}")]
        for node in self.hub:
            self.run("nats", "hub", str(node.folder), *servers, "--leaf", leaf_key)
        self._stage([*self.hub, self.leaf, self._postgres])
        self.run("migrate")
        self._stage([self._worker("gateway", 1)])
        others = [self._worker(kind, number) for kind, number in OTHERS]
        self._stage([*others, self._access()])
        self.run("nats", "join", EDGE_PARK)

    def run(self, *arguments: str, at_park: bool = False) -> str:
        """Run a ``bondwatch`` command to its end; what it printed."""
        settings = self._park_settings if at_park else self._hub_settings
        command = [sys.executable, "-m", "gateway.cli", *arguments]
        done = subprocess.run(
            command, env=os.environ | settings, check=False, capture_output=True, text=True, timeout=60
        )
        if done.returncode != 0:
            raise RuntimeError(f"bondwatch {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def pid(self, name: str) -> int | None:
        return self._children[name].pid

    def ready(self, name: str) -> bool:
        return self._children[name].state is State.READY

    def kill(self, name: str) -> None:
        """End a process with -9. It is started again as a service manager would."""
        child = self._children[name]
        if child.pid is not None and child.running:
            os.kill(child.pid, signal.SIGKILL)

    def grow(self, kind: str) -> str:
        """One more worker; its name."""
        number = 1 + max(int(name.rpartition("-")[2]) for name in self._children if name.startswith(kind))
        worker = self._worker(kind, number)
        self._spawn(worker)
        return worker.name

    def shrink(self, name: str) -> None:
        """End a worker in an orderly way, for good."""
        child = self._children.pop(name)
        child.begin_stop(time.monotonic())
        self._ending.append(child)

    def cut(self) -> None:
        """The park's uplink is dead."""
        for road in self._uplinks:
            road.cut()

    def mend(self) -> None:
        for road in self._uplinks:
            road.mend()

    def tend(self) -> None:
        """Look after every process once: who died is started again."""
        now = time.monotonic()
        for child in self._children.values():
            if child.look(now) is State.STARTING:
                child.spawn()
        for child in self._ending:
            child.continue_stop(now, hurry=False)

    def until(self, condition: Callable[[], bool], deadline_s: float, what: str) -> float:
        """Tend until the condition holds; the seconds it took.

        Raises:
            TimeoutError: it didn't come in time.
        """
        begin = time.monotonic()
        while not condition():
            self.tend()
            if time.monotonic() - begin > deadline_s:
                raise TimeoutError(f"waited {deadline_s:g} s for {what}")
            time.sleep(TICK_S)
        return time.monotonic() - begin

    def stop(self) -> None:
        """End everything, workers first."""
        for kinds in (("gateway", "judge", "api", "access"), ("",)):
            some = [child for name, child in self._children.items() if name.startswith(kinds)]
            for child in some:
                child.begin_stop(time.monotonic())
            for child in (*some, *self._ending):
                while child.running:
                    child.continue_stop(time.monotonic(), hurry=True)
                    time.sleep(TICK_S)
        for road in (*self._uplinks, self._hub_door, self.balancer):
            road.close()

    def last_words(self) -> str:
        """The ends of all logs, for whoever wants to know why."""
        parts = []
        for log in sorted(self._logs.glob("*.log")):
            parts.append(f"== {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-15:]))
        return "\n".join(parts)

    def _stage(self, components: Sequence[Component]) -> None:
        for component in components:
            self._spawn(component)
        for component in components:
            self.until(lambda name=component.name: self.ready(name), START_S, f"{component.name} to be ready")

    def _spawn(self, component: Component) -> None:
        child = Child(component, self._logs)
        child.spawn()
        self._children[component.name] = child

    def _worker(self, kind: str, number: int) -> Worker:
        return self._process(f"{kind}-{number}", (kind,), self._hub_settings)

    def _access(self) -> Worker:
        return self._process("access", ("access", "--park", EDGE_PARK), self._park_settings)

    def _process(self, name: str, command: Sequence[str], settings: dict[str, str]) -> Worker:
        port = self._ports.free(HOST)
        own = {NAME_VARIABLE: name, "BONDWATCH_METRICS_PORT": str(port)}
        return Worker(name, command, settings | own, port)
