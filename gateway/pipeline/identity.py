"""Which events are new, which were recorded before, and which use a number that another event has. Pure.

(device, run, seq) names an event. The same name with the same bytes is the event again; with other bytes
it is ``seq_reused``. A number that was rejected is heard too, and its event, sent again, is rejected
again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from itertools import chain
from typing import Final

from devices.observation import ID_RUN, Observation
from gateway.pipeline.load import Heard, Load, Refused, event_key
from tracking.domain.tracks import ranges
from tracking.store.record import NUMBERS_REACH, Claim, GapRow, Precedent, WorkRow

SEQ_REUSED: Final = "seq_reused"
NUMBERS_REACH_US: Final = NUMBERS_REACH // timedelta(microseconds=1)


def counts_on(heard: Heard) -> bool:
    """Whether a device's numbers all lie behind what is in, one above the other: then all are new.

    It nearly always is so, and costs nothing to find out.
    """
    if not heard.events:
        return True
    run = heard.events[0].run
    if run == ID_RUN:
        return False
    known = heard.state.ranges.get(run)
    last = known[-1][1] if known else -1
    for event in heard.events:
        if event.seq <= last or event.run != run:
            return False
        last = event.seq
    return True


def claims(load: Load, doubtful: Iterable[Heard]) -> list[Claim]:
    """The events that may be recorded already: their number is in, or they are named by an id.

    ``Claim.place`` counts the events of ``doubtful`` in order.
    """
    found = []
    place = -1
    for heard in doubtful:
        for event, index in zip(heard.events, heard.origins, strict=True):
            place += 1
            if event.id is not None or ranges.contains(heard.state.ranges.get(event.run, []), event.seq):
                key = event_key(load.messages[index].topic, event.run, event.seq, event.raw)
                found.append(
                    Claim(
                        place,
                        heard.device.device_id,
                        event.time_us,
                        event.run,
                        event.seq,
                        event.id,
                        event.raw,
                        key,
                    )
                )
    return found


def sort_out(
    load: Load,
    doubtful: Iterable[Heard],
    precedents: Mapping[int, Precedent],
    recorded: Collection[int] | None,
) -> None:
    """Leave in ``events`` what is new; move what was recorded before to ``again``; reject the rest.

    Args:
        precedents: what is recorded under each claim, by place.
        recorded: of a replay, the claims whose number is recorded at some time or other; None: no replay.
    """
    place = -1
    for heard in doubtful:
        events, origins = heard.events, heard.origins
        heard.events, heard.origins = [], []
        firsts: dict[tuple[int, int], Observation] = {}
        reused_us: list[int] = []
        refused_in = _refused_in(heard)
        for event, index in zip(events, origins, strict=True):
            place += 1
            first = firsts.get((event.run, event.seq))
            if first is not None:
                verdict = "again" if first.raw == event.raw else SEQ_REUSED
            else:
                is_recorded = None if recorded is None else place in recorded
                verdict = _verdict(event, precedents.get(place), is_recorded)
                if verdict == "new" and refused_in and load.replay is None:
                    verdict = _verdict_of_batch(load, event, index, refused_in)
            if verdict == "new":
                firsts[event.run, event.seq] = event
                heard.events.append(event)
                heard.origins.append(index)
            elif verdict == "again":
                heard.again.append(event)
            elif verdict == SEQ_REUSED:
                detail = f"run {event.run}, seq {event.seq} was recorded with other content"
                load.reject_observation(index, heard.device, SEQ_REUSED, detail, event)
                if place not in precedents or precedents[place].reason is None:
                    reused_us.append(load.messages[index].received_us)
            else:
                load.refused_messages.add(index)
                refused = Refused(event.run, event.seq, event.id, verdict, "rejected before", index)
                heard.refused.append(refused)
        if reused_us:  # and nobody knew: one of the two isn't the device's, so whoever it was on hears of it
            load.work.append(WorkRow("device", heard.device.device_id, min(reused_us) - NUMBERS_REACH_US))


def _verdict(event: Observation, precedent: Precedent | None, is_recorded: bool | None) -> str:
    """``new``, ``again``, ``seq_reused``, or the reason for which this very event was rejected before.

    Args:
        is_recorded: of a replay, whether the number is recorded at some time or other; None: no replay.
    """
    if precedent is None:
        return "new"
    if precedent.same:
        return "again"
    if precedent.other or is_recorded:
        return SEQ_REUSED
    if is_recorded is not None:
        return "new"  # nothing but a rejection is against it, and that is what a replay is for
    if precedent.reason is not None:
        return precedent.reason
    # An id without a precedent is new. A number that is in, but not at this time: another event has it.
    return "new" if event.id is not None else SEQ_REUSED


def _refused_in(heard: Heard) -> dict[tuple[int, int], int]:
    """The numbers that couldn't be taken, with the first message of the batch that each came in."""
    found: dict[tuple[int, int], int] = {}
    for one in heard.refused:
        number = (one.run, one.seq)
        found[number] = min(one.origin, found.get(number, one.origin))
    return found


def _verdict_of_batch(
    load: Load, event: Observation, index: int, refused_in: Mapping[tuple[int, int], int]
) -> str:
    """The verdict on an event that the record doesn't know, by what its own batch has refused before it.

    It is the one that it would get if each message came in a batch of its own; a message is never cut in two,
    so what it refuses anywhere counts for all of it.
    """
    if refused_in.get((event.run, event.seq), index + 1) > index:
        return "new"
    same = load.rejections.get(event_key(load.messages[index].topic, event.run, event.seq, event.raw))
    if same is not None:
        return same.reason
    return "new" if event.id is not None else SEQ_REUSED


def hear(load: Load, heard: Heard) -> None:
    """Put new and refused numbers into the device's ranges, and note the gaps that this opens or fills."""
    if _follows(heard):
        return
    runs: dict[int, list[int]] = {}
    new_or_refused: Iterable[Observation | Refused] = chain(heard.events, heard.refused)
    for one in new_or_refused:
        if one.run != ID_RUN:
            runs.setdefault(one.run, []).append(one.seq)
    state = heard.state
    for run, numbers in runs.items():
        before = state.ranges.get(run, [])
        after = before
        for first, last in stretches(numbers):
            after = ranges.add(after, first, last)
        state.ranges[run] = after
        if len(before) > 1 or len(after) > 1:
            _note_gaps(load, heard, run, ranges.gaps(before), ranges.gaps(after))


def _follows(heard: Heard) -> bool:
    """Put the numbers in at once where one event follows on what is in; nearly always nothing else comes."""
    if len(heard.events) != 1 or heard.refused:
        return False
    event = heard.events[0]
    known = heard.state.ranges.get(event.run)
    if known is None or known[-1][1] + 1 != event.seq:
        return False
    known[-1] = (known[-1][0], event.seq)
    return True


def stretches(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Numbers as closed intervals: sorted, disjoint, as few as possible."""
    ordered = sorted(numbers)
    first = last = ordered[0]
    found = []
    for number in ordered[1:]:
        if number > last + 1:
            found.append((first, last))
            first = number
        last = number
    return [*found, (first, last)]


def _note_gaps(
    load: Load, heard: Heard, run: int, before: Sequence[tuple[int, int]], after: Sequence[tuple[int, int]]
) -> None:
    """A gap is named by its first number: it may end earlier than it did, and then it is still the same.

    Whoever the device was on meanwhile is judged again. When what can't be taken would have been, nobody
    knows: then that is whoever it was ever on.
    """
    if before == after:
        return
    device_id = heard.device.device_id
    times = [0] if heard.refused else [event.time_us for event in heard.events]
    load.work.append(WorkRow("device", device_id, max(0, min(times) - NUMBERS_REACH_US)))
    known, still = set(before), set(after)
    firsts = {first for first, _ in after}
    load.opened_gaps += [GapRow(device_id, run, *gap) for gap in after if gap not in known]
    load.filled_gaps += [
        GapRow(device_id, run, *gap) for gap in before if gap not in still and gap[0] not in firsts
    ]
