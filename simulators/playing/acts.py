"""What is done when: the acts of a play, in lumps that no look or paper cuts."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final, NamedTuple

from simulators.playing.story import Story
from simulators.scripts.format import Look
from simulators.scripts.timeline import Said

AT_ONCE: Final = frozenset({"gate", "seal", "handover"})


class Act(NamedTuple):
    """Something to be done at a moment; the order within a moment is: post, publish, look."""

    at: datetime
    order: int
    place: int
    do: Callable[[], None]


class Looks(Enum):
    """Which looks of a story are taken."""

    ALL = "all"
    LAST = "last"
    HINDSIGHT = "hindsight"
    """Only the last one, long after it: what opened since doesn't count, and what closed since was open."""
    NONE = "none"


def taken(story: Story, looks: Looks) -> Sequence[Look]:
    if looks is Looks.NONE:
        return []
    return story.looks if looks is Looks.ALL else story.looks[-1:]


def opened_by(finding: dict[str, Any], moment: datetime) -> bool:
    """Whether it had opened by then; what has closed since is open again."""
    closed = finding["closed_at"]
    if closed is not None and datetime.fromisoformat(closed) > moment:
        finding |= {"closed_at": None, "state": "open"}
    return datetime.fromisoformat(finding["opened_at"]) <= moment


def at_the_end(story: Story, said: Sequence[Said], rng: random.Random) -> list[Said]:
    last = story.moment(story.looks[-1].at)
    found = [event._replace(sent=last) for event in said if event.time <= last]
    rng.shuffle(found)
    return found


def steps(
    said: Sequence[Said], breaks: Sequence[datetime], step: timedelta
) -> Iterator[tuple[datetime, list[Said]]]:
    """Events in lumps of at most a step, none across a break; gates and seals at their own moment."""
    held: list[Said] = []
    for event in said:
        at_once = event.fact["type"] in AT_ONCE and event.sent == event.time
        if held and (
            event.sent >= held[0].sent + step
            or (at_once and event.sent != held[0].sent)
            or bisect_left(breaks, held[0].sent) != bisect_left(breaks, event.sent)
        ):
            yield held[-1].sent, held
            held = []
        held.append(event)
        if at_once:
            yield event.sent, held
            held = []
    if held:
        yield held[-1].sent, held
