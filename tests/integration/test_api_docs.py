"""The commands of docs/api.md run, in their order and with success, on an empty installation."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from fastapi.testclient import TestClient

from tracking.api.access import key_hash
from tracking.api.app import create_app
from tracking.store import registry
from tracking.store.database import Connection

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")
NOW = datetime(2026, 3, 10, tzinfo=UTC)
KEY = "bwk_a-key-of-this-test"


def commands() -> Iterator[list[str]]:
    """Every ``api PATH OPTION …`` of the page, as the shell would split it."""
    for block in re.findall(r"^```bash\n(.*?)^```$", PAGE, re.M | re.S):
        for command in re.split(r"^(?=api )", block, flags=re.M):
            if command.startswith("api "):
                yield shlex.split(command)[1:]


def send(client: TestClient, path: str, *options: str) -> int:
    """What curl would send; the status of the answer."""
    if options[:1] == ("-G",):
        name, _, value = options[-1].partition("=")
        return client.get(path, params={name: value}).status_code
    given = dict(zip(options[::2], options[1::2], strict=True))
    body = given.get("-d")
    method = given.get("-X", "GET" if body is None else "POST")
    return client.request(method, path, content=body and body.encode()).status_code


def test_the_walk_through_runs(database: str, conn: Connection) -> None:
    registry.add_key(conn, "tests", key_hash(KEY), NOW)
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    with TestClient(create_app(database, now=lambda: NOW), headers=headers) as client:
        answers = {shlex.join(command): send(client, *command) for command in commands()}
    assert len(answers) > 20
    assert not {command: status for command, status in answers.items() if status not in (200, 201)}
