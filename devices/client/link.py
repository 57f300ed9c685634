"""The connection of one device: paho-mqtt as codec and session, our loop, our reconnecting.

Every connection is made with a new paho client, so that paho's own queue of unacknowledged messages never
competes with the outbox, which alone decides what is sent again. The broker keeps the session (commands at
QoS 1 wait for the device); the client id is the device's name.
"""

from __future__ import annotations

import random
import ssl
import time
from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple, Protocol

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from devices.client.loop import Loop

KEEPALIVE_S: Final = 30
CONNECT_TIMEOUT_S: Final = 5.0
FIRST_RETRY_S: Final = 0.5
LONGEST_RETRY_S: Final = 30.0
STEADY_AFTER_S: Final = 10.0
"""A connection that held so long was a good one: the next retry starts at the shortest wait again."""

SESSION_EXPIRY_S: Final = 7 * 86_400
"""How long an MQTT 5 broker keeps commands for a device that is away; MQTT 3.1.1 brokers have a setting."""

_MISC_EVERY_S: Final = 1.0
_SYSTEM_RANDOM: Final = random.SystemRandom()


class Broker(NamedTuple):
    """Where to connect and how."""

    host: str
    port: int
    protocol: Literal["3.1.1", "5"] = "3.1.1"
    tls: ssl.SSLContext | None = None


class Will(NamedTuple):
    """What the broker publishes, retained, when the connection dies."""

    topic: str
    payload: bytes


class Side(Protocol):
    """The device's side of its link; called in the loop's thread."""

    def online(self, now: float) -> None:
        """Connected and subscribed."""

    def offline(self, reason: str) -> None:
        """Not connected any more, or not admitted."""

    def message(self, topic: str, payload: bytes) -> None:
        """Something came on a subscribed topic."""

    def acknowledged(self) -> None:
        """The broker has one more of our publishes."""

    def pump(self, now: float) -> float:
        """Send what is to be sent; answers when to be called again at the latest."""

    def broken(self, error: Exception) -> None:
        """The device can't go on."""


class Link:
    """Keeps one device connected. Public methods are for the loop's thread, except `wake`."""

    def __init__(
        self,
        side: Side,
        loop: Loop,
        broker: Broker,
        *,
        name: str,
        password: str,
        will: Will,
        subscriptions: dict[str, int],
    ) -> None:
        self.due = 0.0
        self._loop, self._broker, self._name, self._password = loop, broker, name, password
        self._will, self._subscriptions, self._side = will, subscriptions, side
        self._client: paho.Client | None = None
        self._attempt = 0
        self._retry_s = FIRST_RETRY_S
        self._retry_at = 0.0
        self._online_since: float | None = None
        self._misc_at = 0.0
        self._why_closed = ""
        self._wanted = False
        self._woken = False

    def wake(self) -> None:
        """There is something to do; from any thread."""
        if not self._woken:
            self._woken = True
            self._loop.call(self._rise)

    def _rise(self) -> None:
        self._woken = False  # before the pump looks, so that what comes after it wakes anew
        self.due = 0.0

    def up(self) -> None:
        """Connect, and connect again whenever the connection is lost."""
        self._wanted, self._retry_at, self.due = True, 0.0, 0.0
        self._loop.add(self)

    def down(self) -> None:
        """Disconnect cleanly and stay so. The broker sends no will."""
        self._wanted = False
        self._attempt += 1
        client = self._client
        if client is not None and client.socket() is not None:
            client.disconnect()
            client.loop_write()
        self._drop("disconnected")
        self._loop.remove(self)

    def restart(self, reason: str) -> None:
        """Give this connection up and make another."""
        self._drop(reason)
        self._schedule_retry()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Hand a message to the broker at QoS 1; False when there is no connection."""
        if self._client is None or self._online_since is None:
            return False
        return bool(
            self._client.publish(topic, payload, qos=1, retain=retain).rc == MQTTErrorCode.MQTT_ERR_SUCCESS
        )

    def readable(self) -> None:
        """Loop: read what came; TLS may hold more than the socket shows."""
        self._step(lambda client: client.loop_read())
        while (
            self._client is not None
            and isinstance(sock := self._client.socket(), ssl.SSLSocket)
            and sock.pending()
        ):
            self._step(lambda client: client.loop_read())

    def writable(self) -> None:
        """Loop: write what waits."""
        self._step(lambda client: client.loop_write())

    def wants_write(self) -> bool:
        """Loop: paho holds bytes that the socket didn't take yet."""
        return self._client is not None and bool(self._client.want_write())

    def tick(self, now: float) -> None:
        """Loop: reconnect, keep alive, pump."""
        if self._client is None:
            self.due = now + LONGEST_RETRY_S
            if self._wanted and now >= self._retry_at:
                self._connect()
            elif self._wanted:
                self.due = self._retry_at
            return
        if now >= self._misc_at:
            self._misc_at = now + _MISC_EVERY_S
            self._step(lambda client: client.loop_misc())
        self.due = self._misc_at
        if self._online_since is not None:
            self.due = min(self.due, self._side.pump(now))

    def failed(self, error: Exception) -> None:
        """Loop: something of this device raised."""
        self._wanted = False
        self._drop(str(error))
        self._side.broken(error)

    def _connect(self) -> None:
        self._attempt += 1
        attempt = self._attempt

        def establish() -> None:  # in a helper thread: may block
            client = self._new_client()
            try:
                client.connect(self._broker.host, self._broker.port, KEEPALIVE_S, **self._session())
            except (OSError, ValueError) as error:
                reason = str(error)
                self._loop.call(lambda: self._refused(attempt, reason))
            else:
                self._loop.call(lambda: self._adopt(attempt, client))

        self._retry_at = float("inf")  # until this attempt has ended
        self._loop.background.submit(establish)

    def _adopt(self, attempt: int, client: paho.Client) -> None:
        sock = client.socket()
        if attempt != self._attempt or not self._wanted or sock is None:
            client.disconnect()
            if sock is None and attempt == self._attempt:
                self._refused(attempt, "closed while connecting")
            return
        client.on_socket_close = lambda *_: self._loop.unwatch(self)
        self._client, self._misc_at, self.due = client, 0.0, 0.0
        self._loop.watch(self, sock)

    def _refused(self, attempt: int, reason: str) -> None:
        if attempt != self._attempt or not self._wanted:
            return
        self._schedule_retry()
        self._side.offline(reason)

    def _new_client(self) -> paho.Client:
        version5 = self._broker.protocol == "5"
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._name,
            clean_session=None if version5 else False,
            protocol=MQTTProtocolVersion.MQTTv5 if version5 else MQTTProtocolVersion.MQTTv311,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.username_pw_set(self._name, self._password)
        client.max_inflight_messages_set(0)  # the outbox's own limit is the one that counts
        client.will_set(self._will.topic, self._will.payload, qos=1, retain=True)
        if self._broker.tls is not None:
            client.tls_set_context(self._broker.tls)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = lambda *_: self._side.acknowledged()
        client.on_disconnect = self._on_disconnect
        return client

    def _session(self) -> dict[str, Any]:
        """How MQTT 5 is told to keep the session; 3.1.1 is told by `clean_session`."""
        if self._broker.protocol != "5":
            return {}
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho leaves it bare
        properties.SessionExpiryInterval = SESSION_EXPIRY_S
        return {"clean_start": False, "properties": properties}

    def _on_connect(
        self, client: paho.Client, _data: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        if reason.is_failure:
            self._why_closed = f"refused: {reason}"
        else:
            client.subscribe(list(self._subscriptions.items()))

    def _on_subscribe(
        self, client: paho.Client, _data: Any, _mid: int, reasons: list[Any], _properties: Any
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self._why_closed = f"not allowed to subscribe to {', '.join(self._subscriptions)}"
            client.disconnect()
            return
        now = time.monotonic()
        self._online_since, self.due = now, 0.0
        self._side.online(now)

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        self._side.message(message.topic, bytes(message.payload))

    def _on_disconnect(
        self, _client: paho.Client, _data: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        self._why_closed = self._why_closed or str(reason)

    def _step(self, action: Callable[[paho.Client], object]) -> None:
        client = self._client
        if client is None:
            return
        action(client)
        if client.socket() is None:
            self._drop(self._why_closed or "connection lost")
            if self._wanted:
                self._schedule_retry()
        else:
            self.due = 0.0

    def _drop(self, reason: str) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        now = time.monotonic()
        if self._online_since is not None and now - self._online_since > STEADY_AFTER_S:
            self._retry_s = FIRST_RETRY_S
        self._online_since, self._why_closed = None, ""
        self._loop.unwatch(self)
        sock = client.socket()
        if sock is not None:
            sock.close()
        self._side.offline(reason)

    def _schedule_retry(self) -> None:
        self._retry_at = time.monotonic() + self._retry_s * _SYSTEM_RANDOM.uniform(0.5, 1.0)
        self._retry_s = min(self._retry_s * 2, LONGEST_RETRY_S)
        self.due = self._retry_at
