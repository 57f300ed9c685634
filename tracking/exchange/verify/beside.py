"""What was written of observations in other tables, read beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

Row: TypeAlias = tuple[Any, ...]
"""Begins with time, run and number of the observation that it is of."""


class Beside:
    """Rows in the order of their observations.

    Args:
        rows: in that order.
        stray: is told of each row that belongs to no observation.
    """

    def __init__(self, rows: Iterator[Row], stray: Callable[[Row], None]) -> None:
        self._rows = rows
        self._stray = stray
        self._next = next(rows, None)

    def at(self, key: Row) -> list[Row]:
        """The rows of one observation, by time, run and number; observations are asked for in order."""
        found: list[Row] = []
        while self._next is not None and self._next[:3] <= key:
            if self._next[:3] == key:
                found.append(self._next)
            else:
                self._stray(self._next)
            self._next = next(self._rows, None)
        return found

    def end(self) -> None:
        """No observation follows."""
        while self._next is not None:
            self._stray(self._next)
            self._next = next(self._rows, None)
