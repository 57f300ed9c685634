"""A gateway in one page, for tests of whatever talks to a gateway: it takes events and sends receipts."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Self

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from devices.messages import Command, Receipt, Refusal, encode
from devices.topics import commands_topic, parse, receipts_topic

Key = tuple[str, int, int]


class ConfirmingGateway:
    """Listens to all events of a broker.

    Attributes:
        recorded: (device, run, seq) -> the event as it first came.
        heard: how often each key came.
        changed: keys that came again with another content; must stay empty.
        presence: device -> the states it announced, in order.
        receipts: False: say nothing to devices (a gateway that is away).
        refuse: decides of an event whether it is refused, and why.
        lose: decides of a payload whether it never arrives.
    """

    def __init__(self, port: int) -> None:
        self.recorded: dict[Key, dict[str, Any]] = {}
        self.heard: Counter[Key] = Counter()
        self.changed: list[Key] = []
        self.presence: dict[str, list[str]] = {}
        self.payloads: list[tuple[float, str, bytes]] = []
        self.receipts = True
        self.refuse: Callable[[dict[str, Any]], str | None] = lambda _event: None
        self.lose: Callable[[bytes], bool] = lambda _payload: False
        self._changes = threading.Condition()
        self._subscribed = threading.Event()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id="confirming-gateway", clean_session=False
        )
        self._client.on_connect = lambda client, *_: client.subscribe(
            [("bw/v1/+/+/events", 1), ("bw/v1/+/+/presence", 1)]
        )
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = lambda _client, _data, message: self._take(message.topic, message.payload)
        self._client.suppress_exceptions = False
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._subscribed.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def wait_until(self, holds: Callable[[], bool], what: str, timeout_s: float = 15.0) -> None:
        """Wait for a condition on what was heard."""
        with self._changes:
            assert self._changes.wait_for(holds, timeout_s), f"not within {timeout_s} s: {what}"

    def numbers(self, name: str, run: int | None = None) -> list[int]:
        """The sequence numbers recorded of a device, ascending."""
        return sorted(
            seq for device, of_run, seq in self.recorded if device == name and run in (None, of_run)
        )

    def facts(self, name: str, kind: str) -> list[dict[str, Any]]:
        """The recorded events of one type of a device."""
        return [
            event
            for (device, _, _), event in self.recorded.items()
            if device == name and event["type"] == kind
        ]

    def confirm(self, name: str, run: int, *ranges: tuple[int, int]) -> None:
        """Send a receipt by hand."""
        self._client.publish(receipts_topic(name), encode(Receipt(run, list(ranges), [])))

    def command(self, name: str, command: Command | bytes) -> None:
        """Send a command, or something that should have been one."""
        self._client.publish(
            commands_topic(name), command if isinstance(command, bytes) else encode(command), qos=1
        )

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish anything."""
        self._client.publish(topic, payload, qos=1)

    def _take(self, topic: str, payload: bytes) -> None:
        at = parse(topic)
        with self._changes:
            if at.channel == "presence":
                self.presence.setdefault(at.name, []).append(json.loads(payload)["state"])
            elif not self.lose(payload):
                self.payloads.append((time.monotonic(), at.name, payload))
                self._record(at.name, payload)
            self._changes.notify_all()

    def _record(self, name: str, payload: bytes) -> None:
        try:
            said = json.loads(payload)
        except ValueError:
            return
        events = said if isinstance(said, list) else [said]
        committed, refused = [], []
        for event in events:
            key = (name, event["run"], event["seq"])
            self.heard[key] += 1
            reason = self.refuse(event)
            if reason:
                refused.append(Refusal(reason, seq=event["seq"]))
                continue
            if self.recorded.setdefault(key, event) != event:
                self.changed.append(key)
            committed.append((event["seq"], event["seq"]))
        if self.receipts:
            receipt = Receipt(events[0]["run"], committed, refused)
            self._client.publish(receipts_topic(name), encode(receipt), qos=0)
