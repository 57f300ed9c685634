"""What is true of any play: all that is published is recorded once, and findings open to what was said."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from simulators.playing.player import RUN
from tests.fault.api import Api
from tracking.store.database import Connection

Said = Mapping[tuple[str, int], tuple[dict[str, Any], bytes]]
"""By device and number: the event, and the message that it went out in."""


def miscounted(conn: Connection, said: Said) -> Iterator[str]:
    """Events that were published and aren't recorded, and those that are recorded more often than once."""
    wanted: dict[str, set[int]] = {}
    for device, number in said:
        wanted.setdefault(device, set()).add(number)
    for device, numbers in sorted(wanted.items()):
        rows = conn.execute(
            "select o.seq from observations o join devices d using (device_id) join parks p using (park_id)"
            " where p.code || '/' || d.code = %s and o.run = %s",
            [device, RUN],
        ).fetchall()
        found = [seq for (seq,) in rows]
        if lost := sorted(numbers - set(found)):
            yield f"{device} lost {len(lost)} events, the first is {lost[0]}"
        if len(found) > len(set(found)):
            yield f"{device} has {len(found) - len(set(found))} events twice"
        if others := set(found) - numbers:
            yield f"{device} has {len(others)} events that nobody published"


def unopened(api: Api, shipment: str, findings: list[Mapping[str, Any]], said: Said) -> Iterator[str]:
    """Findings that don't open to just what devices said: every message there, byte for byte."""
    for finding in findings:
        name = f"{shipment} {finding['rule']}"
        path = f"/v1/shipments/{quote(shipment, safe='')}/findings/{finding['finding_id']}/evidence"
        pages = list(_pages(api, path))
        opened = [message for page in pages for message in page["observations"]]
        if any(page["is_whole"] is False for page in pages) or len(opened) != pages[0]["count"]:
            yield f"{name} cites what is gone or was changed"
        has_papers = any("document" in piece or "calibrated_at" in piece for piece in finding["evidence"])
        if not opened and not has_papers:
            yield f"{name} rests on nothing"
        for message in opened:
            event, payload = said[message["device"], message["seq"]]
            raw = b64decode(message["raw"])
            if raw not in payload or json.loads(raw) != event:
                yield f"{name} opens to other bytes than {message['device']} said as {message['seq']}"


def _pages(api: Api, path: str) -> Iterator[dict[str, Any]]:
    following: str | None = path
    while following:
        page = api.ask("GET", following)
        yield page
        following = page["next"]
