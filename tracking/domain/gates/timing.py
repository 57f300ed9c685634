"""How long a gate waits for its decision, and what it does when none comes: properties of its area."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, get_args

from msgspec import Struct

from devices.messages import Fallback

FALLBACKS: Final[Mapping[str, Fallback]] = {name: name for name in get_args(Fallback)}
"""``passes``: open for a vehicle that is on one of the approved passes that the gate keeps, else hold."""

LONGEST_S: Final = 600.0


class Timing(Struct, frozen=True):
    """What a gate does while it waits, and then.

    Attributes:
        within_s: seconds from its report; after that it follows its fallback. The default is ours.
        fallback: one of ``FALLBACKS``.
    """

    within_s: float = 10.0
    fallback: Fallback = "hold"

    def is_over(self, arrived: datetime, now: datetime) -> bool:
        """Whether the gate has followed its fallback."""
        return now - arrived > timedelta(seconds=self.within_s)

    def ends(self, arrived: datetime) -> datetime:
        """The last moment at which a decision is worth having."""
        return arrived + timedelta(seconds=self.within_s)


def timing(properties: Mapping[str, Any]) -> Timing:
    """A gate's, by the properties ``decide_within_s`` and ``fallback`` of its area; what is no such value
    leaves the default.
    """
    within, fallback = properties.get("decide_within_s"), properties.get("fallback")
    is_time = isinstance(within, int | float) and not isinstance(within, bool) and 0 < within <= LONGEST_S
    return Timing(
        float(within) if is_time and within is not None else Timing().within_s,
        FALLBACKS.get(fallback, Timing().fallback) if isinstance(fallback, str) else Timing().fallback,
    )
