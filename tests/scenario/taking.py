"""Takes away one message that a finding rests on: the record must have been whole before, and say so now."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

from tests.fault.api import Api
from tests.fault.stack import Stack
from tests.fault.waiting import until
from tracking.store.database import connect

VERIFIED_S: Final = 400.0
LOGGED_S: Final = 60.0


def unnoticed(stack: Stack, api: Api) -> Iterator[str]:
    """What ``bondwatch verify`` and the evidence don't say of a message that is gone, in words."""
    before = until(lambda: _settled(stack), LOGGED_S, "everything to stand in the log")
    if before["differences"]:
        yield f"verify finds differences before anything was taken away: {before['differences'][:3]}"
        return
    number, finding, message = _cited(api)
    with connect(stack.dsn) as conn:
        conn.execute(
            "delete from observations where batch_id = %s and leaf = %s", [message["batch"], message["leaf"]]
        )
    after = _verified(stack)
    gone = [one for one in after["differences"] if one["key"] == str(message["batch"])]
    if after["ok"] or not any("missing" in one["says"] for one in gone):
        yield f"verify doesn't name the message that was taken away: {after['differences'][:3]}"
    told = api.ask("GET", f"/v1/shipments/{quote(number)}/findings/{finding}/evidence")
    gone = [(one["device"], one["seq"]) for one in told["observations"] if not one["is_recorded"]]
    if told["is_whole"] is not False or gone != [(message["device"], message["seq"])]:
        yield f"{number}: the evidence doesn't name the message that was taken away: {gone}"


def _cited(api: Api) -> tuple[str, str, dict[str, Any]]:
    """A message that a finding names by its key: the shipment, the finding, the message."""
    for shipment in api.ask("GET", "/v1/shipments?limit=200")["shipments"]:
        number = shipment["number"]
        for finding in api.ask("GET", f"/v1/shipments/{quote(number)}/custody")["findings"]:
            path = f"/v1/shipments/{quote(number)}/findings/{finding['finding_id']}/evidence"
            keyed = json.dumps(finding["evidence"])
            for message in api.ask("GET", path)["observations"]:
                if f'"seq": {message["seq"]}' in keyed:
                    return number, finding["finding_id"], message
    raise AssertionError("no finding names a message")


def _settled(stack: Stack) -> Any:
    told = _verified(stack)
    return None if told["unlogged"] or told["waiting"] else told


def _verified(stack: Stack) -> dict[str, Any]:
    try:
        printed = stack.run("verify", "--json", timeout_s=VERIFIED_S)
    except subprocess.CalledProcessError as error:
        printed = error.stdout
    found: dict[str, Any] = json.loads(printed.strip().splitlines()[-1])
    return found
