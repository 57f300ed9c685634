"""What a late observation changes, or one that counts no longer or again: fold again from the last snapshot
before it, until the states meet.

The caller reads and writes; this says what. The protocol, in one transaction that holds the device's row:

1. take the latest snapshot *before* the oldest late observation (or a new ``Track`` when there is none);
2. give ``refold`` that state, and lazily, oldest first, one ``Window`` for each stretch from snapshot to
   snapshot, the last one ending at the head: its recorded observations that count (late ones included, in
   key order, without repeats), the milestones held true with ``at`` inside it, the state stored at its end;
3. from the answer, supersede and add milestones, write its snapshots (the track's ``head`` is the key; one
   that is there already is replaced), and, where ``track`` is given, put it and ``since_snapshot`` into the
   device's state;
4. arm the row for ``look_us(state)`` anew: a late observation moves the moment of falling silent.

Snapshots are taken at observations only, right after folding them, never after ``advance``. One that stands
at an observation which counts no longer is forgotten before step 1.

``through`` is the newest of the late observations to be folded: before it a state that equals a snapshot
proves nothing, because other late ones may still follow. Re-folding too much is harmless: nothing changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from msgspec import Struct

from devices.observation import Observation
from tracking.domain.places import PlaceIndex
from tracking.domain.tracks.fold import DeviceEvents, fold_batch
from tracking.domain.tracks.levels import NONE, Levels
from tracking.domain.tracks.milestones import Milestone
from tracking.domain.tracks.parameters import DEFAULTS, Parameters, Profile
from tracking.domain.tracks.silence import advance
from tracking.domain.tracks.state import Key, Track


class Window(Struct, frozen=True):
    """A stretch of a device's history, after one snapshot up to and including the next, or up to the head.

    Attributes:
        observations: all that are recorded in it, in key order; read once.
        milestones: (identity, milestone) for those held true with ``at`` in it.
        end: the state stored at its end.
        is_head: whether it ends at the device's head and not at a snapshot.
    """

    observations: Iterable[Observation]
    milestones: Sequence[tuple[int, Milestone]]
    end: Track
    is_head: bool = False


class Refolded(Struct, frozen=True):
    """What is to be written.

    Attributes:
        track: the new state of the head; ``None``: the stored one still holds.
        since_snapshot: observations from the last snapshot to the head, where ``track`` is given.
        snapshots: states to store under their ``head``, oldest first.
        supersede: identities of milestones that no longer hold.
        add: milestones that hold now.
    """

    track: Track | None
    since_snapshot: int
    snapshots: list[Track]
    supersede: list[int]
    add: list[Milestone]


def refold(
    start: Track,
    profile: Profile,
    windows: Iterable[Window],
    places: PlaceIndex,
    *,
    through: Key,
    until_us: int,
    snapshot_every: int,
    params: Parameters = DEFAULTS,
    levels: Levels = NONE,
) -> Refolded:
    """Fold again from a snapshot until nothing more can change.

    Args:
        start: state of the snapshot before the oldest late observation.
        profile: what the device's registration says.
        windows: from that snapshot on, oldest first; no more of them is read than needed.
        places: the areas, with all revisions that held in that time.
        through: key of the newest late observation to be folded.
        until_us: how far time has passed (the watermark); silence is told up to there.
        snapshot_every: observations between snapshots; a window over twice as long gets some of its own.
        params: thresholds.
        levels: values of readings that matter.
    """
    track, since = start, 0
    snapshots: list[Track] = []
    supersede: list[int] = []
    add: list[Milestone] = []
    for window in windows:
        told: list[Milestone] = []
        for chunk in _chunks(window.observations, 2 * snapshot_every):
            if since:
                snapshots.append(track)
                since = 0
            folded = fold_batch([DeviceEvents(track, profile, chunk)], places, params, levels)[0]
            track, since = folded.track, since + len(chunk)
            told += folded.milestones
        if window.is_head:
            # A silence that was told shows how far time had passed; a head that counts no longer doesn't.
            passed = advance(track, profile, max(until_us, window.end.silent_us or 0), params)
            track = passed.track
            told += passed.milestones
        gone, new = difference(window.milestones, told)
        supersede += gone
        add += new
        if window.is_head:
            return Refolded(None if track == window.end else track, since, snapshots, supersede, add)
        if track != window.end:
            snapshots.append(track)
        elif track.head >= through:
            break
        since = 0
    return Refolded(None, 0, snapshots, supersede, add)


def difference(
    held: Sequence[tuple[int, Milestone]], told: Sequence[Milestone]
) -> tuple[list[int], list[Milestone]]:
    """Identities that no longer hold, and milestones that are new."""
    left: dict[tuple[Key, str, str | None], list[tuple[int, Milestone]]] = {}
    for identity, milestone in held:
        left.setdefault((milestone.at, milestone.kind, milestone.area), []).append((identity, milestone))
    new: list[Milestone] = []
    for milestone in told:
        same = left.get((milestone.at, milestone.kind, milestone.area), [])
        match = next((pair for pair in same if pair[1] == milestone), None)
        if match is None:
            new.append(milestone)
        else:
            same.remove(match)
    return sorted(identity for pairs in left.values() for identity, _ in pairs), new


def _chunks(observations: Iterable[Observation], size: int) -> Iterator[list[Observation]]:
    iterator = iter(observations)
    while chunk := list(islice(iterator, size)):
        yield chunk
