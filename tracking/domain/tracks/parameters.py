"""Every threshold of the first fold: default, unit, source. ``docs/tracks.md`` lists them all.

[P] marks a number of our own without a legal or published source behind it; each can be set per installation.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from tracking.domain.places import REACH_M

SNAPSHOT_EVERY: Final = 1000
"""Observations of a device from one snapshot of its track to the next: where late ones go back to [P]."""

SILENCE_GRACE_US: Final = 10_000_000
"""A silence is looked at this long after its limit has passed: most late reports are seconds late [P]."""


class Parameters(Struct, frozen=True):
    """Thresholds that turn fixes into verdicts.

    Attributes:
        max_accuracy_m: a fix that claims a worse accuracy is heard but judges no place. 100 m, rules A1 [P].
        default_accuracy_m: taken for a fix that states none. 20 m: trackers on trucks state 8 to 15 m [P].
        border_buffer_m: how far beyond its accuracy a fix outside a zone must lie to be out. 50 m, A5 [P].
        exit_points: consecutive fixes outside that confirm ``left``. 3, A5 [P].
        exit_span_s: and the seconds between them, counted by depth. 120 s, A5 [P].
        entry_points: consecutive fixes inside by more than their accuracy that confirm ``entered`` or
            ``returned``. 2, A4 [P].
        entry_span_s: and the seconds between them, counted by depth; as ``exit_points`` and ``exit_span_s``
            for what stands. 20 s: reflections last less while moving [P].
        stray_points: consecutive fixes beyond a corridor's tolerance and their accuracy that confirm
            ``strayed``. 3, A1 [P].
        stray_span_s: and the seconds between them, counted by depth. 180 s, A1 [P].
        sure_depth: as many accuracies from the border as make a second count in full; nearer to it, it counts
            by the square of its share of this. 4.8: see the decision on evidence [P].
        error_lasts_s: no more seconds than this count between two fixes: they are two looks at the place, and
            what lies between was not seen. 300 s: errors of what stands among buildings last that long [P].
        return_hysteresis_m: how far within a corridor's tolerance a fix must lie to be in. 100 m, A1 [P].
        stop_speed_kmh: a faster fix begins no stop. 3 km/h, A2 [P].
        stop_radius_m: a stop stays within this and the fix's accuracy. 80 m, A2 [P].
        stop_min_s: shortest stop worth a milestone, seconds. 180 s: longer than a traffic light [P].
        move_points: consecutive fixes beyond the radius that end a stop. 3, as for leaving a zone [P].
        jump_min_m: a shorter step is never an impossible jump. 2000 m, A8 [P].
        jump_points: consistent fixes after an impossible jump that make it believed. 3 [P].
        datum_slack_m: how far beyond the accuracy of both a fix may lie from where another datum would put a
            standing device, to be suspect. 30 m, G7 [P].
        datum_points: suspect fixes in a row that are held back at least. 5, G7 [P].
        datum_span_s: and for how long at least, seconds; then the device is believed to be there. 600 s [P].
        silence_factor: a device is silent after this many of its expected intervals. 5, G1 [P].
        crossing_max_gap_s: the longest time between two fixes over which a straight way between them is
            ``certain``, seconds. 60 s: two reports of a moving truck [P].
    """

    max_accuracy_m: float = 100.0
    default_accuracy_m: float = 20.0
    border_buffer_m: float = 50.0
    exit_points: int = 3
    exit_span_s: float = 120.0
    entry_points: int = 2
    entry_span_s: float = 20.0
    stray_points: int = 3
    stray_span_s: float = 180.0
    sure_depth: float = 4.8
    error_lasts_s: float = 300.0
    return_hysteresis_m: float = 100.0
    stop_speed_kmh: float = 3.0
    stop_radius_m: float = 80.0
    stop_min_s: float = 180.0
    move_points: int = 3
    jump_min_m: float = 2000.0
    jump_points: int = 3
    datum_slack_m: float = 30.0
    datum_points: int = 5
    datum_span_s: float = 600.0
    silence_factor: float = 5.0
    crossing_max_gap_s: float = 60.0

    def __post_init__(self) -> None:
        """Refuse what the index can't serve.

        Raises:
            ValueError: when a fix could lie undetermined where the index names no area any more.
        """
        if self.border_buffer_m + self.max_accuracy_m >= REACH_M:
            raise ValueError(f"border_buffer_m + max_accuracy_m must stay under {REACH_M:g} m")
        points = (
            self.exit_points, self.entry_points, self.stray_points, self.move_points, self.jump_points,
            self.datum_points,
        )  # fmt: skip
        if min(points) < 1:
            raise ValueError("every number of points must be at least 1")


DEFAULTS: Final = Parameters()


class Profile(Struct, frozen=True):
    """What a device's registration says about how it reports.

    Attributes:
        expected_every_s: how often it is expected to report, seconds.
        max_speed_kmh: faster than this it can't move; 140 on the road, 350 for rail, rules A8 [P].
    """

    expected_every_s: int
    max_speed_kmh: float = 140.0

    def silence_us(self, params: Parameters) -> int:
        """How long after the last report the device counts as silent, microseconds."""
        return round(self.expected_every_s * params.silence_factor * 1_000_000)
