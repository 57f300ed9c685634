"""An external MQTT 5 broker: what it says of itself, and what Mosquitto's configuration lets happen.

Brokers acknowledge what they later drop when a queue is full, so their limits decide what can be lost by
devices that know no receipts.
"""

import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.doctor.finding import Finding, failure, fine, warning
from gateway.embedded.addresses import BrokerAddress

TIMEOUT_S: Final = 5.0
SYS_WAIT_S: Final = 1.5
MESSAGE_BYTES: Final = 2**20
MIN_RECEIVE_MAXIMUM: Final = 20
AUTOSAVE_S: Final = 60
DROPPED: Final = "$SYS/broker/publish/messages/dropped"
VERSION: Final = "$SYS/broker/version"

# What Mosquitto does when its configuration is silent.
MOSQUITTO_DEFAULTS: Final = {
    "persistence": "false",
    "max_queued_messages": "1000",
    "max_queued_bytes": "0",
    "autosave_interval": "1800",
    "max_packet_size": "0",
    "message_size_limit": "0",
    "allow_anonymous": "false",
}


class Visit:
    """One connection to the broker: its CONNACK and what it publishes of itself."""

    def __init__(self, address: BrokerAddress) -> None:
        self.refused = ""
        self.allows: dict[str, Any] = {}
        self.status: dict[str, str] = {}
        self._answered = threading.Event()
        self._heard = threading.Event()
        client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        client.username_pw_set(address.user, address.password)
        if address.tls:
            client.tls_set_context(ssl.create_default_context(cafile=address.ca_file))
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        client.connect_timeout = TIMEOUT_S
        client.connect(address.host, address.port)
        client.loop_start()
        try:
            if not self._answered.wait(TIMEOUT_S):
                self.refused = "it doesn't answer to CONNECT"
            elif not self.refused:
                client.subscribe([(VERSION, 0), (DROPPED, 0)])
                self._heard.wait(SYS_WAIT_S)
        finally:
            client.disconnect()
            client.loop_stop()

    def _on_connect(
        self, _client: paho.Client, _data: Any, _flags: Any, code: ReasonCode, properties: Properties | None
    ) -> None:
        if code.is_failure:
            self.refused = str(code)
        elif properties is not None:
            self.allows = vars(properties)
        self._answered.set()

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        self.status[message.topic] = message.payload.decode(errors="replace")
        if len(self.status) == 2:
            self._heard.set()


def look(address: BrokerAddress, mosquitto_conf: Path | None) -> Iterator[Finding]:
    """Everything that connecting and, for Mosquitto, its configuration file tell."""
    try:
        visit = Visit(address)
    except (OSError, ValueError) as error:
        yield failure("broker", f"{address.url} can't be reached: {error}", "check BONDWATCH_BROKER_URL")
        return
    if visit.refused:
        advice = "check BONDWATCH_BROKER_USER and BONDWATCH_BROKER_PASSWORD, and that it speaks MQTT 5"
        yield failure("broker", f"{address.url} lets us not in: {visit.refused}", advice)
        return
    yield fine("broker", f"{visit.status.get(VERSION, 'an MQTT 5 broker')} at {address.url}")
    yield from capabilities(visit.allows)
    dropped = visit.status.get(DROPPED)
    if dropped is not None and dropped.strip() not in {"", "0"}:
        advice = "its queues were full at times: raise max_queued_messages and max_queued_bytes"
        yield warning("broker", f"it has dropped {dropped} messages since it started", advice)
    if mosquitto_conf is not None:
        yield from mosquitto(mosquitto_conf)
    elif "mosquitto" in visit.status.get(VERSION, "").lower():
        advice = (
            "bondwatch doctor --mosquitto-conf /etc/mosquitto/mosquitto.conf looks at queue size and autosave"
        )
        yield warning("broker", "Mosquitto drops silently over 1,000 queued messages by default", advice)


def capabilities(allows: dict[str, Any]) -> Iterator[Finding]:
    """What the CONNACK grants."""
    if allows.get("SharedSubscriptionAvailable", 1) == 0:
        yield failure("broker", "it has no shared subscriptions", "run one worker only, or another broker")
    if allows.get("MaximumQoS", 2) < 1:
        yield failure("broker", "it allows QoS 0 only", "allow QoS 1: events must be acknowledged")
    packet = allows.get("MaximumPacketSize")
    if packet is not None and packet < MESSAGE_BYTES:
        yield failure("broker", f"packets over {packet} bytes are refused", "allow 1 MiB and some: 2000000")
    receive = allows.get("ReceiveMaximum", 65535)
    if receive < MIN_RECEIVE_MAXIMUM:
        yield warning("broker", f"only {receive} messages may be under way", "raise its receive maximum")
    else:
        yield fine("broker", f"receive maximum {receive}, packets up to {packet or 'any number of'} bytes")


def mosquitto(path: Path) -> Iterator[Finding]:
    """Mosquitto's own limits, from its configuration file (and what that includes)."""
    try:
        found = MOSQUITTO_DEFAULTS | read_mosquitto(path)
    except OSError as error:
        yield failure("mosquitto", f"{path} can't be read: {error.strerror}", "run as a user who may read it")
        return
    queued = int(found["max_queued_messages"])
    if queued != 0:
        advice = "set max_queued_messages 0 (no limit) and bound it by max_queued_bytes"
        yield failure("mosquitto", f"over {queued} queued messages it drops silently, PUBACK or not", advice)
    if found["persistence"] != "true":
        advice = "set persistence true: without it a restart forgets what nobody has recorded yet"
        yield failure("mosquitto", "it keeps nothing on disk", advice)
    elif int(found["autosave_interval"]) > AUTOSAVE_S or int(found["autosave_interval"]) == 0:
        advice = f"set autosave_interval {AUTOSAVE_S} or less: a crash forgets what came since the last save"
        yield warning("mosquitto", f"it saves every {found['autosave_interval']} s", advice)
    for name in ("max_packet_size", "message_size_limit"):
        if 0 < int(found[name]) < MESSAGE_BYTES:
            yield failure("mosquitto", f"{name} is {found[name]} bytes", f"set {name} 2000000")
    if found["allow_anonymous"] == "true":
        yield failure(
            "mosquitto", "anyone may connect", "set allow_anonymous false; see bondwatch device --help"
        )


def read_mosquitto(path: Path) -> dict[str, str]:
    """The last value of each option; ``include_dir`` is followed."""
    found: dict[str, str] = {}
    for line in path.read_text(errors="replace").splitlines():
        name, _, value = line.strip().partition(" ")
        if not name or name.startswith("#"):
            continue
        if name == "include_dir":
            for part in sorted(Path(value.strip()).glob("*.conf")):
                found |= read_mosquitto(part)
        else:
            found[name] = value.strip()
    return found
