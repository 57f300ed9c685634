"""How the database goes about what is asked of it: the plans of the statements that were really run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from msgspec import Struct

from tracking.store.database import Connection, queries, query_subjects

EXPLAIN: Final = b"explain (analyze, buffers, costs off, timing off) "
_TIMES: Final = ("Planning Time:", "Execution Time:")


class Plan(Struct, frozen=True):
    """One statement's plan.

    Attributes:
        query: ``file.name`` of the named query; empty: a statement that has no name.
        lines: as EXPLAIN ANALYZE prints them, with rows, buffers and times.
    """

    query: str
    lines: list[str]

    @property
    def ms(self) -> float:
        """Planned and run, in the server."""
        return sum(float(line.split()[2]) for line in self.lines if line.startswith(_TIMES))


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
                    for _ in range(2):  # the second time, what it touches is in memory
                        lines = [line for (line,) in plain.execute(EXPLAIN + query, params)]
                plans.append(Plan(names.get(query, ""), lines))
            return super().execute(query, params, **how)

    before, conn.cursor_factory = conn.cursor_factory, Explaining
    try:
        yield plans
    finally:
        conn.cursor_factory = before


def written(found: Sequence[tuple[str, Sequence[Plan]]]) -> str:
    """As Markdown: of each question its statements with their times, and the plan of the longest."""
    parts = []
    for question, plans in found:
        longest = max(plans, key=lambda plan: plan.ms)
        spent: dict[str, list[float]] = {}
        for plan in plans:
            spent.setdefault(plan.query or "unnamed", []).append(plan.ms)
        times = ", ".join(
            f"`{name}` {sum(ms):.1f}" + (f" ({len(ms)} times)" if len(ms) > 1 else "")
            for name, ms in spent.items()
        )
        parts += [f"## {question}", "", f"Milliseconds of each statement: {times}.", ""]
        parts += [f"`{longest.query or 'unnamed'}`:", "", "```", *longest.lines, "```", ""]
    return "\n".join(parts)
