"""Every named query against the migrated schema: it parses, its tables and columns exist, and somebody uses
it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tracking.store.database import Connection, queries, query_subjects

ROOT = Path(__file__).parents[2]
TIMESCALE = {"chunks"}  # its own functions; test_timescale.py runs what uses them
NAMED = [
    (subject, name) for subject in query_subjects() for name in queries(subject) if name not in TIMESCALE
]
PLACEHOLDER = re.compile(r"%(?:\((\w+)\))?([sbt])|%%")


def numbered(query: str) -> str:
    """The query with PostgreSQL's own placeholders, as the driver would send it."""
    names: dict[str, int] = {}

    def replace(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        name = match[1] or str(len(names))
        return f"${names.setdefault(name, len(names) + 1)}"

    return PLACEHOLDER.sub(replace, query)


@pytest.mark.parametrize(("subject", "name"), NAMED, ids=[f"{subject}.{name}" for subject, name in NAMED])
def test_it_can_be_prepared(conn_once: Connection, subject: str, name: str) -> None:
    statement = numbered(queries(subject)[name].decode())
    with conn_once.transaction(force_rollback=True):
        conn_once.execute(f"prepare under_test as {statement}".encode())
        conn_once.execute("deallocate under_test")


@pytest.mark.parametrize("subject", query_subjects())
def test_somebody_uses_it(subject: str) -> None:
    code = "\n".join(
        path.read_text() for top in ("tracking", "gateway") for path in (ROOT / top).rglob("*.py")
    )
    unused = [name for name in queries(subject) if f'"{name}"' not in code]
    assert unused == []
