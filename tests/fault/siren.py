"""Who must hear every alert: an MQTT client with a persistent session, as a siren or a display would have."""

from __future__ import annotations

import json
import threading
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.fault.api import Api

SEVERITIES = ("critical", "major", "minor", "info")


class Siren:
    """Collects the findings whose alerts it hears; a registered client of kind ``siren``.

    A broker that was killed may have forgotten our session (it says so: no session present). Then what was
    published meanwhile is gone, and a siren does what docs/brokers.md asks: it reads the alerts once.
    """

    def __init__(self, mqtt_port: int, api: Api, name: str, password: str) -> None:
        self.heard: set[str] = set()
        self._api = api
        self._park = name.partition("/")[0]
        self._connected_before = False
        self._online = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
        self._client.username_pw_set(name, password)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.on_subscribe = self._on_subscribe
        self._client.reconnect_delay_set(min_delay=1, max_delay=2)
        self._client.connect("127.0.0.1", mqtt_port)
        self._client.loop_start()
        if not self._online.wait(30):
            raise TimeoutError("the siren could not subscribe to the alerts")

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: mqtt.Client, _userdata: Any, flags: mqtt.ConnectFlags, *_: Any) -> None:
        client.subscribe([(f"bw/v1/{self._park}/alerts/{severity}", 1) for severity in SEVERITIES])
        if self._connected_before and not flags.session_present:
            threading.Thread(target=self._catch_up, daemon=True).start()
        self._connected_before = True

    def _on_subscribe(self, _client: mqtt.Client, _userdata: Any, _mid: int, codes: Any, *_: Any) -> None:
        if not any(code.is_failure for code in codes):
            self._online.set()

    def _on_message(self, _client: mqtt.Client, _userdata: Any, message: mqtt.MQTTMessage) -> None:
        self.heard.add(json.loads(message.payload)["id"])

    def _catch_up(self) -> None:
        path: str | None = "/v1/alerts?limit=200"
        while path:
            page = self._api.ask("GET", path)
            for shipment in {alert["shipment"] for alert in page["alerts"]}:
                custody = self._api.ask("GET", f"/v1/shipments/{shipment}/custody")
                self.heard |= {finding["finding_id"] for finding in custody["findings"]}
            path = page["next"]
