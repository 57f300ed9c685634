"""The devices of a story on a real broker: each speaks as itself, at QoS 1, and waits to be heard."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from typing import Any, Final, Self

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from devices.topics import device_name, events_topic
from simulators.scripts.timeline import Said

MOST: Final = 200
"""Events in one message."""

PATIENCE_S: Final = 60.0


class Voices:
    """Connections of devices, made when they first speak.

    Args:
        host: of the broker.
        port: of its MQTT listener.
        secrets: by device name.
        run: of the numbers that they count.
    """

    def __init__(self, host: str, port: int, secrets: Mapping[str, str], run: int) -> None:
        self._address = host, port
        self._secrets = secrets
        self._run = run
        self._clients: dict[str, paho.Client] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.disconnect()
            client.loop_stop()

    def say(self, events: Iterable[Said]) -> int:
        """Publish events and wait until the broker has them all; how many there were.

        Args:
            events: in the order of sending.

        Raises:
            TimeoutError: the broker didn't take one in time.
        """
        messages: dict[str, list[dict[str, Any]]] = {}
        for said in events:
            event = {"run": self._run, "seq": said.number, "time": said.time.isoformat(), **said.fact}
            messages.setdefault(said.device, []).append(event)
        waiting = []
        for device, told in messages.items():
            for at in range(0, len(told), MOST):
                payload = json.dumps(told[at : at + MOST], ensure_ascii=False).encode()
                waiting.append(self._client(device).publish(events_topic(device), payload, qos=1))
        for message in waiting:
            message.wait_for_publish(PATIENCE_S)
            if not message.is_published():
                raise TimeoutError(f"the broker didn't take an event within {PATIENCE_S:g} s")
        return sum(len(told) for told in messages.values())

    def _client(self, device: str) -> paho.Client:
        if device not in self._clients:
            connected = threading.Event()
            client = paho.Client(CallbackAPIVersion.VERSION2, client_id=device, clean_session=True)
            client.username_pw_set(device_name(*device.split("/")), self._secrets[device])
            client.reconnect_delay_set(min_delay=1, max_delay=5)
            client.on_connect = lambda *_: connected.set()
            client.connect(*self._address)
            client.loop_start()
            if not connected.wait(PATIENCE_S):
                raise TimeoutError(f"{device} could not connect")
            self._clients[device] = client
        return self._clients[device]
