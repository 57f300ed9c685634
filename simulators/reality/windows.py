"""Whiles, or stretches of a road: from a moment, or a metre, up to another that doesn't belong to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

Window: TypeAlias = tuple[float, float]


def within(windows: Iterable[Window], at: float) -> bool:
    """Whether any of them covers a moment."""
    return any(begins <= at < ends for begins, ends in windows)
