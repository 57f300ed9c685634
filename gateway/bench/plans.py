"""How the database goes about what is asked of it: the plans of the statements that were really run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from msgspec import Struct

from tracking.store.database import Connection, queries, query_subjects

EXPLAIN: Final = b"explain (analyze, buffers, costs off, timing off) "


class Plan(Struct, frozen=True):
    """One statement's plan.

    Attributes:
        query: ``file.name`` of the named query; empty: a statement that has no name.
        lines: as EXPLAIN ANALYZE prints them, with rows, buffers and times.
    """

    query: str
    lines: list[str]


@contextmanager
def explaining(conn: Connection) -> Iterator[list[Plan]]:
    """Every statement that reads is explained, too, before it runs; the list grows with each.

    Args:
        conn: its cursors are others for as long.
    """
    names = {
        text: f"{subject}.{name}" for subject in query_subjects() for name, text in queries(subject).items()
    }
    plans: list[Plan] = []

    class Explaining(psycopg.Cursor[Any]):
        def execute(self, query: Any, params: Any = None, **how: Any) -> Any:
            if isinstance(query, bytes) and query.lstrip().startswith((b"select", b"with", b"--")):
                with psycopg.Cursor(self.connection) as plain:
                    lines = [line for (line,) in plain.execute(EXPLAIN + query, params)]
                plans.append(Plan(names.get(query, ""), lines))
            return super().execute(query, params, **how)

    before, conn.cursor_factory = conn.cursor_factory, Explaining
    try:
        yield plans
    finally:
        conn.cursor_factory = before


def written(found: Sequence[tuple[str, Sequence[Plan]]]) -> str:
    """As Markdown: a heading a question, a block a statement."""
    parts = []
    for question, plans in found:
        parts.append(f"## {question}\n")
        parts += [
            f"`{plan.query or 'a statement without a name'}`\n\n```\n{chr(10).join(plan.lines)}\n```\n"
            for plan in plans
        ]
    return "\n".join(parts)
