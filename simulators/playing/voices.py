"""The devices of a story on a real broker: each speaks as itself, at QoS 1, and waits to be heard.

One socket a device and no threads, so that hundreds of them are no matter.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

from devices.topics import device_name, events_topic
from simulators import connections, wire
from simulators.scripts.timeline import Said

MOST: Final = 200
"""Events in one message."""

PATIENCE_S: Final = 60.0
_AGAIN_S: Final = 0.5
_READ_BYTES: Final = 65_536
_PACKETS: Final = 65_535


class Voices:
    """Connections of devices, made when they first speak, and anew when the broker has lost them.

    Args:
        host: of the broker.
        port: of its MQTT listener.
        secrets: by device name.
        run: of the numbers that they count.

    Attributes:
        said: by device and number, what was published and the message that it went out in.
        messages: that the broker has acknowledged.
    """

    def __init__(self, host: str, port: int, secrets: Mapping[str, str], run: int) -> None:
        self._address = host, port
        self._secrets = secrets
        self._run = run
        self.said: dict[tuple[str, int], tuple[dict[str, Any], bytes]] = {}
        self.messages = 0
        self._open: dict[str, _Connection] = {}

    def close(self) -> None:
        """Let every device go."""
        for connection in self._open.values():
            connection.close()

    def say(self, events: Iterable[Said]) -> int:
        """Publish events and wait until the broker has them all; how many there were.

        Args:
            events: in the order of sending.

        Raises:
            TimeoutError: the broker didn't take one in time.
            TooManyConnections: this machine doesn't let one process have so many.
        """
        connections.allow(len(self._secrets))
        told: dict[str, list[dict[str, Any]]] = {}
        for said in events:
            event = {"run": self._run, "seq": said.number, "time": said.time.isoformat(), **said.fact}
            told.setdefault(said.device, []).append(event)
        waiting: dict[str, list[bytes]] = {}
        for device, all_told in told.items():
            for at in range(0, len(all_told), MOST):
                some = all_told[at : at + MOST]
                payload = json.dumps(some, ensure_ascii=False).encode()
                self.said |= {(device, one["seq"]): (one, payload) for one in some}
                waiting.setdefault(device, []).append(payload)
        acknowledged = sum(map(len, waiting.values()))
        deadline = time.monotonic() + PATIENCE_S
        while waiting:
            waiting = self._tried(waiting)
            if waiting and time.monotonic() > deadline:
                raise TimeoutError(f"{next(iter(waiting))}: the broker took nothing for {PATIENCE_S:g} s")
            if waiting:
                time.sleep(_AGAIN_S)
        self.messages += acknowledged
        return sum(len(events) for events in told.values())

    def _tried(self, waiting: Mapping[str, list[bytes]]) -> dict[str, list[bytes]]:
        """Send to all, then wait for all; those whose connection failed say everything again."""
        failed: dict[str, list[bytes]] = {}
        for step in (_Connection.publish, _Connection.wait):
            for device, payloads in waiting.items():
                if device in failed:
                    continue
                try:
                    step(self._connection(device), payloads)
                except (OSError, wire.WireError):
                    failed[device] = payloads
                    lost = self._open.pop(device, None)
                    if lost is not None:
                        lost.close()
        return failed

    def _connection(self, device: str) -> _Connection:
        if device not in self._open:
            self._open[device] = _Connection(self._address, device, self._secrets[device])
        return self._open[device]


class _Connection:
    """One device's, with its packets that the broker hasn't acknowledged yet."""

    def __init__(self, address: tuple[str, int], device: str, secret: str) -> None:
        self._socket = socket.create_connection(address, timeout=PATIENCE_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = wire.Reader()
        self._publisher = wire.Publisher(events_topic(device))
        self._last = 0
        self._unheard: set[int] = set()
        self._socket.sendall(wire.connect(device, device_name(*device.split("/")), secret))
        try:
            while not any(isinstance(heard, wire.Admitted) for heard in self._heard()):
                pass
        except (OSError, wire.WireError):
            self._socket.close()
            raise

    def publish(self, payloads: list[bytes]) -> None:
        """Send messages."""
        for payload in payloads:
            self._last = self._last % _PACKETS + 1
            self._unheard.add(self._last)
            self._socket.sendall(self._publisher.packet(self._last, payload))

    def wait(self, _: list[bytes]) -> None:
        """Until the broker has all that was sent."""
        while self._unheard:
            for heard in self._heard():
                if isinstance(heard, wire.Acks):
                    self._unheard.difference_update(heard.packet_ids)

    def close(self) -> None:
        """Leave, or be found gone."""
        with suppress(OSError):  # it may be gone already
            self._socket.sendall(wire.DISCONNECT)
        self._socket.close()

    def _heard(self) -> list[wire.Heard]:
        data = self._socket.recv(_READ_BYTES)
        if not data:
            raise ConnectionError("the broker closed the connection")
        return list(self._reader.feed(data))
