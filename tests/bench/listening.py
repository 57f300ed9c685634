"""Alerts as a page hears them, on the live stream: how long after what they tell of."""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.request
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, Self

import numpy as np

from gateway.bench.instance import Instance
from tests.bench.command import Failed

CONNECTED_S: Final = 30.0
_SILENT_S: Final = 60.0


class Listening:
    """Notes for each open alert how long before it, by the wall clock, what it tells of happened.

    For a load's alerts that is the moment at which the event was due: both clocks are this machine's.

    Args:
        instance: whose stream.
    """

    def __init__(self, instance: Instance) -> None:
        key = instance.home.secret("api_admin_key")
        self._request = urllib.request.Request(
            f"{instance.endpoints.api}/v1/stream", headers={"Authorization": f"Bearer {key}"}
        )
        self._took_ms: list[float] = []
        self._is_open, self._is_over = threading.Event(), False
        self._broken = "it stands"
        self._thread = threading.Thread(target=self._listen, name="listening", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._is_open.wait(CONNECTED_S):
            raise Failed(f"no live stream within {CONNECTED_S:g} s")
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True

    def figures(self, wanted: int) -> dict[str, float]:
        """``count``, ``p50``, ``p99``, ``max`` in milliseconds.

        Args:
            wanted: alerts that were heard elsewhere.

        Raises:
            Failed: fewer came here.
        """
        took = np.asarray(self._took_ms)
        if len(took) < max(1, wanted):
            raise Failed(f"the live stream told of {len(took)} alerts of {wanted}: {self._broken}")
        p50, p99 = np.percentile(took, (50, 99), method="inverted_cdf")
        named = {"p50": p50, "p99": p99, "max": took.max()}
        return {"count": len(took)} | {name: round(float(value), 1) for name, value in named.items()}

    def _listen(self) -> None:
        try:
            with urllib.request.urlopen(self._request, timeout=_SILENT_S) as answer:
                self._is_open.set()
                self._read(answer)
        except (OSError, http.client.HTTPException) as error:
            self._broken = repr(error)

    def _read(self, lines: Iterable[bytes]) -> None:
        name = b""
        for line in lines:
            if self._is_over:
                return
            field, _, value = line.partition(b": ")
            if field == b"event":
                name = value.strip()
            elif field == b"data" and name == b"alert":
                self._heard(json.loads(value))
        self._broken = "it ended"

    def _heard(self, alert: dict[str, Any]) -> None:
        if alert["state"] == "open":
            self._took_ms.append(
                1000 * (time.time() - datetime.fromisoformat(alert["opened_at"]).timestamp())
            )
