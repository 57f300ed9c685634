"""Sets the stage over the HTTP API: parks, places, devices, attachments, shipments.

Everything may be there already; a second run changes nothing. A device's secret is told once, at its
registration: the simulator keeps it in its state directory (mode 0600). A device that is registered but whose
secret isn't there gets a new one.
"""

from __future__ import annotations

import json
import os
import time
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final
from urllib import error as http_errors
from urllib import request as http

from simulators.reports import Attachment, DeviceSpec
from simulators.world import World

_TIMEOUT_S: Final = 30.0
_RETRY_S: Final = 0.25
_EXISTS: Final = 409
_AWAY: Final = 503


class StageError(Exception):
    """The API doesn't take what the scenario needs; the message holds its answer."""


class Api:
    """The few calls that a simulator makes. The API, or its database, may be away for up to 30 s."""

    def __init__(self, base: str, key: str) -> None:
        self._base, self._key = base.rstrip("/"), key

    def send(self, method: str, path: str, body: Any) -> tuple[int, dict[str, Any]]:
        """The status and the JSON of an answer.

        Raises:
            StageError: no answer, or a refusal other than "exists already".
        """
        call = http.Request(  # noqa: S310 - the address is the operator's own
            f"{self._base}/v1/{path}",
            method=method,
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"},
        )
        deadline = time.monotonic() + _TIMEOUT_S
        while True:
            try:
                with http.urlopen(call, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - as above
                    return answer.status, json.load(answer)
            except http_errors.HTTPError as refusal:
                said = refusal.read().decode(errors="replace")
                if refusal.code == _EXISTS:
                    return refusal.code, {}
                if refusal.code != _AWAY or time.monotonic() > deadline:
                    raise StageError(f"{method} /v1/{path}: {refusal.code} {said[:500]}") from refusal
            except (http_errors.URLError, HTTPException, OSError) as problem:
                if time.monotonic() > deadline:
                    raise StageError(f"{self._base} does not answer: {problem}") from problem
            time.sleep(_RETRY_S)


class Secrets:
    """Device name -> secret, in one file of the state directory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}

    def keep(self, name: str, secret: str) -> None:
        """Write a secret down at once: it is told only this time."""
        self.known[name] = secret
        partial = self._path.with_suffix(".partial")
        with os.fdopen(os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            json.dump(self.known, file)
        partial.replace(self._path)


def build(api: Api, world: World, secrets: Secrets) -> list[str]:
    """Register everything that the world needs.

    Returns:
        Names of devices that were registered anew although their secret was known: the installation is
        another one than the state directory remembers.
    """
    for code, park in world.places.parks.items():
        api.send("PUT", f"parks/{code}", park)
    api.send("POST", "zones", world.places.zones)
    api.send("POST", "corridors", world.places.corridors)
    anew = [name for name, spec in world.devices.items() if _register(api, spec, secrets)]
    for attachment in world.attachments:
        _attach(api, attachment)
    for shipment in world.shipments():
        api.send("POST", "shipments", shipment)
    return anew


def _register(api: Api, spec: DeviceSpec, secrets: Secrets) -> bool:
    known = spec.name in secrets.known
    status, said = api.send(
        "POST",
        "devices",
        {"park": spec.park, "code": spec.code, "kind": spec.kind, "expected_every_s": spec.expected_every_s},
    )
    if status == _EXISTS and not known:
        _, said = api.send("POST", f"devices/{spec.name}/secret", {})
    if "secret" in said:
        secrets.keep(spec.name, said["secret"])
    return known and status != _EXISTS


def _attach(api: Api, attachment: Attachment) -> None:
    said = {"device": attachment.device, "thing": attachment.thing, "role": attachment.role}
    api.send("POST", "attachments", said | {"from": attachment.begins})
