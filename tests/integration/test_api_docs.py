"""The commands of docs/api.md run, in their order and with success, on an empty installation."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from fastapi.testclient import TestClient

from tests.support.partner import partner

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")
NOW = datetime(2026, 3, 10, tzinfo=UTC)


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


def test_the_walk_through_runs(database: str) -> None:
    with partner(database, lambda: NOW) as client:
        client.headers["Content-Type"] = "application/json"
        answers = {shlex.join(command): send(client, *command) for command in commands()}
    assert len(answers) > 20
    assert not {command: status for command, status in answers.items() if status not in (200, 201)}
