"""How soon alerts are heard on the live stream, by the machine's clock."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from typing import Final, NamedTuple
from urllib.parse import quote

from tests.fault.waiting import until

CONNECTED_S: Final = 30.0


class Heard(NamedTuple):
    """An alert on the stream, and when it came, by the machine's monotonic clock."""

    at: float
    rule: str


class Listener:
    """Listens to what ``/v1/stream`` tells of a shipment, in a thread of its own.

    Args:
        address: of the API.
        key: for it.
        shipment: number.
    """

    def __init__(self, address: str, key: str, shipment: str) -> None:
        self._request = urllib.request.Request(
            f"{address}/v1/stream?shipment={quote(shipment)}", headers={"Authorization": f"Bearer {key}"}
        )
        self._heard: list[Heard] = []
        self._is_open = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()
        until(self._is_open.is_set, CONNECTED_S, "the live stream")

    def wait(self, rule: str, since: float, within_s: float) -> float | None:
        """Seconds from a moment to the first alert of a rule after it; None: none came in time.

        Args:
            rule: its code.
            since: by ``time.monotonic``.
            within_s: how long to wait, counted from then.
        """
        while True:
            heard = (one for one in list(self._heard) if one.rule == rule and one.at >= since)
            found = next(heard, None)
            if found is not None and found.at <= since + within_s:
                return found.at - since
            if found is not None or time.monotonic() > since + within_s:
                return None
            time.sleep(0.01)

    def _listen(self) -> None:
        name = ""
        try:
            with urllib.request.urlopen(self._request, timeout=3600) as answer:
                self._is_open.set()
                for line in answer:
                    if line.startswith(b"event: "):
                        name = line.removeprefix(b"event: ").decode().strip()
                    elif line.startswith(b"data: ") and name == "alert":
                        body = json.loads(line.removeprefix(b"data: "))
                        self._heard.append(Heard(time.monotonic(), body["rule"]))
        except OSError:
            return  # the installation has ended
