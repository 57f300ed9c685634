"""A connection that dies at one step of the judge's, as it would with its process."""

from __future__ import annotations

from typing import Any

import pytest


def dies_at(patch: pytest.MonkeyPatch, module: Any, step: str, *, after: bool) -> list[int]:
    """Close the connection whenever a step is come to: before it, or when it has done its work.

    Args:
        patch: undone, the step is what it was.
        module: where the step's function is called from.
        step: its name; its first argument is the connection.
        after: let the step do its work first.

    Returns:
        One entry a death, as they happen.
    """
    deaths: list[int] = []
    real = getattr(module, step)

    def dies(conn: Any, *args: Any, **named: Any) -> Any:
        found = real(conn, *args, **named) if after else None
        deaths.append(1)
        conn.close()
        return found

    patch.setattr(module, step, dies)
    return deaths
