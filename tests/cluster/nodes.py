"""NATS servers with the very configuration files that ``deploy/nats`` offers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL

from gateway.embedded.component import GENTLY, Launch, StopSteps, answers
from gateway.embedded.nats import program
from gateway.embedded.ports import Ports

TEMPLATES = Path(__file__).resolve().parents[2] / "deploy" / "nats"
HOST = "127.0.0.1"
DISK = "2GB"


@dataclass
class Node:
    """One server: a copy of the template in a directory of its own, with the written secrets beside it.

    Args:
        name: its NATS_NAME.
        template: ``hub.conf`` or ``leaf.conf``.
        folder: its directory.
        ports: gives it its ports.
    """

    name: str
    template: str
    folder: Path
    ports: Ports
    variables: dict[str, str] = field(default_factory=dict)
    once: bool = False
    patience_s: float = 60.0
    stop_steps: StopSteps = GENTLY
    metrics: str | None = None
    announces: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        shutil.copyfile(TEMPLATES / self.template, self.folder / self.template)
        self.port, self.monitor_port, self.mqtt_port, self.cluster_port, self.leaves_port = (
            self.ports.free(HOST) for _ in range(5)
        )
        self.variables = {
            "NATS_NAME": self.name,
            "NATS_LISTEN": f"{HOST}:{self.port}",
            "NATS_MONITOR": f"{HOST}:{self.monitor_port}",
            "NATS_MQTT": f"{HOST}:{self.mqtt_port}",
            "NATS_STORE": str(self.folder / "store"),
            "NATS_DISK": DISK,
        }

    @property
    def url(self) -> str:
        return f"nats://{HOST}:{self.port}"

    @property
    def mqtt_url(self) -> str:
        return f"mqtt://{HOST}:{self.mqtt_port}"

    def prepare(self) -> Launch:
        argv = [str(program()), "--config", str(self.folder / self.template)]
        return Launch(argv, {"PATH": "/usr/bin:/bin", **self.variables}, SIGKILL, folder=str(self.folder))

    def ready(self) -> bool:
        return answers(f"http://{HOST}:{self.monitor_port}/healthz")


def hub(folder: Path, ports: Ports, names: Sequence[str] = ("n1", "n2", "n3")) -> list[Node]:
    """The servers of the hub, which know each other."""
    nodes = [Node(name, "hub.conf", folder / name, ports) for name in names]
    for node in nodes:
        node.variables |= {
            "NATS_CLUSTER": f"{HOST}:{node.cluster_port}",
            "NATS_LEAVES": f"{HOST}:{node.leaves_port}",
        }
    return nodes


def leaf(park: str, folder: Path, ports: Ports, uplink_port: int, hub_certificate: Path) -> Node:
    """The server of a park, whose way to the hub is ``uplink_port``."""
    node = Node(park, "leaf.conf", folder, ports)
    node.variables["NATS_HUB"] = json.dumps([f"tls://{HOST}:{uplink_port}"])
    node.variables["NATS_HUB_CA"] = str(hub_certificate)
    return node
