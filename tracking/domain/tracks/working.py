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
    """

    track: Track
    profile: Profile
    params: Parameters
    places: PlaceIndex
    out: list[Milestone]
