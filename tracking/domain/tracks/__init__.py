"""Tracks, the first fold: a device's observations, in order of event time, become its state and milestones.

``parameters``  every threshold, with its default, unit and source
``state``       ``Track``: what the future needs of the past, no more; ``DeviceState``: what is stored
``milestones``  what a change worth telling looks like
``areas``       inside, outside or undetermined; entered, left, strayed, returned, crossed
``runs``        when a run of fixes is evidence enough
``stops``       stopped, moved
``jumps``       jumped, jump_settled
``datum``       datum_suspected, datum_undetermined, datum_cleared
``silence``     silent, heard: the passing of time
``levels``      values of readings that matter; level_crossed
``reports``     seals, gates and handovers: milestones as they are
``way``         from one fix to the next: possible? through what?
``fold``        the fold itself, over a batch of many devices
``refold``      what a late observation changes
``ranges``      which sequence numbers are in
"""

from tracking.domain.tracks.fold import DeviceEvents, Folded, fold_batch
from tracking.domain.tracks.levels import ALWAYS_US, Level, Levels
from tracking.domain.tracks.milestones import FOLD_VERSION, KINDS, Milestone
from tracking.domain.tracks.parameters import DEFAULTS, SILENCE_GRACE_US, SNAPSHOT_EVERY, Parameters, Profile
from tracking.domain.tracks.refold import Refolded, Window, refold
from tracking.domain.tracks.silence import advance, due_us, look_us, unreachable_us
from tracking.domain.tracks.state import BIRTH, DeviceState, Key, Standing, Track

__all__ = [
    "ALWAYS_US",
    "BIRTH",
    "DEFAULTS",
    "FOLD_VERSION",
    "KINDS",
    "SILENCE_GRACE_US",
    "SNAPSHOT_EVERY",
    "DeviceEvents",
    "DeviceState",
    "Folded",
    "Key",
    "Level",
    "Levels",
    "Milestone",
    "Parameters",
    "Profile",
    "Refolded",
    "Standing",
    "Track",
    "Window",
    "advance",
    "due_us",
    "fold_batch",
    "look_us",
    "refold",
    "unreachable_us",
]
