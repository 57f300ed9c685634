"""One device's fold in progress: what its steps read, change and tell."""

from __future__ import annotations

from msgspec import Struct

from tracking.domain.places import PlaceIndex
from tracking.domain.tracks.milestones import Milestone
from tracking.domain.tracks.parameters import Parameters, Profile
from tracking.domain.tracks.state import Track


class Working(Struct):
    """Passed from step to step; nobody outside the fold sees it.

    Attributes:
        track: a copy that the steps change.
        profile: what the device's registration says.
        params: thresholds.
        places: the areas.
        out: milestones told so far.
        apart_m2: square of the distance beyond which a fix isn't simply where the last one was.
        jump_m2: square of the shortest impossible jump.
        slow_mps: a faster fix moves, metres per second.
        is_slow: whether the fix that judges says that it isn't faster; ``None``: it states no speed.
    """

    track: Track
    profile: Profile
    params: Parameters
    places: PlaceIndex
    out: list[Milestone]
    apart_m2: float
    jump_m2: float
    slow_mps: float
    is_slow: bool | None = None

    @classmethod
    def over(
        cls, track: Track, profile: Profile, params: Parameters, places: PlaceIndex, out: list[Milestone]
    ) -> Working:
        """Over a device's track."""
        apart_m, jump_m = params.stop_radius_m, params.jump_min_m
        slow_mps = params.stop_speed_kmh / 3.6
        return cls(track, profile, params, places, out, apart_m * apart_m, jump_m * jump_m, slow_mps)
