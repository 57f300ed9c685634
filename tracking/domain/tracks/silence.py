"""The passing of time: a device falls silent at exactly its last report plus its limit, and is heard again.

It makes no difference who notices. ``advance`` does when a due time fires; the fold does when the next
observation comes after the limit; both tell the same milestone, dated at the same moment.
"""

from __future__ import annotations

from msgspec import Struct

from tracking.domain.tracks.milestones import HEARD, SILENT, Milestone
from tracking.domain.tracks.parameters import DEFAULTS, Parameters, Profile
from tracking.domain.tracks.state import DeviceState, Key, Track


class Folded(Struct, frozen=True):
    """A track after some observations or some time, and what happened on the way."""

    track: Track
    milestones: list[Milestone]


def due_us(track: Track, profile: Profile, params: Parameters = DEFAULTS) -> int | None:
    """The moment at which the device falls silent unless heard; ``None``: it is silent or never was heard."""
    if track.heard is None or track.silent_us is not None:
        return None
    return track.heard[0] + profile.silence_us(params)


def unreachable_us(state: DeviceState, profile: Profile, params: Parameters = DEFAULTS) -> int | None:
    """The moment from which nobody can reach a silent device again that had spoken of the past meanwhile:
    nothing has come for as long as it may be silent. ``None``: it isn't silent, or nothing had come.
    """
    if state.track.silent_us is None or state.contact_us is None:
        return None
    return max(state.track.silent_us, state.contact_us + profile.silence_us(params))


def look_us(state: DeviceState, profile: Profile, params: Parameters = DEFAULTS) -> int | None:
    """The moment at which time passing tells something of the device; ``None``: nothing until it speaks."""
    due = due_us(state.track, profile, params)
    return due if due is not None else unreachable_us(state, profile, params)


def advance(track: Track, profile: Profile, until_us: int, params: Parameters = DEFAULTS) -> Folded:
    """Let time pass up to and including ``until_us``. Repeating it, or doing it in steps, changes nothing."""
    due = due_us(track, profile, params)
    if due is None or due > until_us:
        return Folded(track, [])
    track = track.copy()
    milestones: list[Milestone] = []
    fall_silent(track, due, milestones)
    return Folded(track, milestones)


def fall_silent(track: Track, due: int, out: list[Milestone]) -> None:
    """Mark a working copy silent from its due moment on."""
    assert track.heard is not None
    detail = {"last_heard": list(track.heard), "after_s": (due - track.heard[0]) / 1e6}
    out.append(Milestone(due, SILENT, None, detail, (due, -1, -1)))
    track.silent_us = due


def hear(track: Track, key: Key, out: list[Milestone]) -> None:
    """End the silence of a working copy with an observation."""
    assert track.heard is not None
    detail = {
        "key": list(key),
        "last_heard": list(track.heard),
        "silent_from_us": track.silent_us,
        "gap_s": (key[0] - track.heard[0]) / 1e6,
    }
    out.append(Milestone(key[0], HEARD, None, detail, key))
    track.silent_us = None
