"""Where scans put a thing within a warehouse: the zone that the last of them names, until one takes it away.

A place is no parent: a thing on a shelf is in no other thing by it, and what it is in stays as it was. A scan
that stores a thing *in* another (a pallet in a cage, a carton in a rack that is itself a thing) names that as
``parent``, and is containment like any other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

from devices.observation import Action, Scan

TAKES_AWAY: Final = frozenset(
    {Action.PICKING, Action.REMOVING, Action.LOADING, Action.SHIPPING, Action.DEPARTING}
)
"""Scans after which goods are no longer where they were kept, wherever the scan itself was made."""

K = TypeVar("K")


def placed(scans: Iterable[tuple[K, Scan]]) -> tuple[K, str] | None:
    """The scan that put a thing where it is, and the zone's code; None: nobody knows a place.

    Args:
        scans: of the thing itself, newest first, each with what names it.
    """
    for key, scan in scans:
        if scan.action in TAKES_AWAY:
            return None
        if scan.location is not None:
            return key, scan.location
    return None
