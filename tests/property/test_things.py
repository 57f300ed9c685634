"""Stays are a function of what was scanned: arrival never matters, and a simple model agrees."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tracking.domain.things.ascent import Link, Span, carried, untangle
from tracking.domain.things.events import Event
from tracking.domain.things.fold import Stay, fold

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
THINGS = ("a", "b", "c", "d")
moments = st.integers(0, 12).map(lambda minutes: NOON + timedelta(minutes=minutes))


@st.composite
def events(draw: st.DrawFn) -> Event:
    observed = draw(st.booleans())
    action = draw(st.sampled_from(["loading", "unloading"] if observed else ["ADD", "DELETE", "OBSERVE"]))
    return Event(
        draw(moments),
        action,
        draw(st.sampled_from(THINGS) if action in {"loading", "ADD"} else st.sampled_from((*THINGS, None))),
        draw(st.none() | st.integers(1, 4).map(float)),
        device=draw(st.sampled_from(["SIP/A", "SIP/B"])) if observed else "",
        run=draw(st.integers(0, 1)) if observed else -1,
        seq=draw(st.integers(0, 3)) if observed else -1,
        by="" if observed else "forwarder",
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(events(), max_size=14), st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(told: list[Event], dice: Any) -> None:
    again = [*told, *dice.sample(told, len(told) // 2)]
    dice.shuffle(again)
    assert fold("a", again) == fold("a", told)


@settings(max_examples=300, deadline=None)
@given(st.lists(events(), max_size=14))
def test_stays_are_well_formed(told: list[Event]) -> None:
    history = fold("a", told)
    for stay in history.stays:
        assert stay.ends is None or stay.begins < stay.ends
        assert stay.parent != stay.child
        assert stay.quantity is None or stay.quantity > 0
    for parent in THINGS:
        of_one = [stay for stay in history.stays if stay.parent == parent]
        for one, after in pairwise(of_one):
            assert one.ends is not None
            assert one.ends <= after.begins
    for conflict in history.conflicts:
        assert conflict.evidence
        assert conflict.ends is None or conflict.begins < conflict.ends


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from(THINGS), st.lists(events(), max_size=6)),
    st.randoms(use_true_random=False),
)
def test_nothing_ever_carries_itself(told: dict[str, list[Event]], dice: Any) -> None:
    links = [_link(stay) for thing, some in told.items() for stay in fold(thing, some).stays]
    above = untangle(links)
    assert untangle(dice.sample(links, len(links))) == above
    for minutes in range(13):
        moment = NOON + timedelta(minutes=minutes, seconds=30)
        parents = {
            thing: {stay.parent for stay in some if _holds(stay, moment)}
            for thing, some in above.links.items()
        }
        for thing in THINGS:
            up = _closure(thing, parents)
            assert thing not in up
            spans = carried([Span(thing, moment, moment + timedelta(seconds=1))], above)
            assert {span.thing for span in spans} == up | {thing}
        # What was refused would have closed a ring.
        for ring in above.rings:
            if ring.begins <= moment and (ring.ends is None or moment < ring.ends):
                assert ring.child in _closure(ring.parent, parents) | {ring.parent}


def _link(stay: Stay) -> Link:
    return Link(stay.begins, stay.child, stay.parent, stay.ends)


def _holds(stay: Link, moment: datetime) -> bool:
    return stay.begins <= moment and (stay.ends is None or moment < stay.ends)


def _closure(thing: str, parents: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    ahead = set(parents.get(thing, ()))
    while ahead:
        one = ahead.pop()
        if one not in found:
            found.add(one)
            ahead |= parents.get(one, set())
    return found


class Yard(RuleBasedStateMachine):
    """A yard where every event is true, told late and in any order; the model is a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.minute = 0
        self.inside: dict[str, str] = {}
        self.past: dict[str, list[str | None]] = {thing: [] for thing in THINGS}
        self.told: dict[str, list[Event]] = {thing: [] for thing in THINGS}

    def _says(self, thing: str, action: str, parent: str | None, place: int) -> None:
        event = Event(NOON + timedelta(minutes=self.minute), action, parent, device="SIP/A", seq=self.minute)
        self.told[thing].insert(place % (len(self.told[thing]) + 1), event)

    def _passes(self) -> None:
        """A minute later: write down where everything was during it."""
        for thing in THINGS:
            self.past[thing].append(self.inside.get(thing))
        self.minute += 1

    @rule(thing=st.sampled_from(THINGS), parent=st.sampled_from(THINGS), place=st.integers(0, 99))
    def load(self, thing: str, parent: str, place: int) -> None:
        up: str | None = parent
        while up is not None and up != thing:
            up = self.inside.get(up)
        if thing not in self.inside and up is None:
            self._says(thing, "loading", parent, place)
            self.inside[thing] = parent
        self._passes()

    @rule(thing=st.sampled_from(THINGS), named=st.booleans(), place=st.integers(0, 99))
    def unload(self, thing: str, named: bool, place: int) -> None:
        if thing in self.inside:
            parent = self.inside.pop(thing)
            self._says(thing, "unloading", parent if named else None, place)
        self._passes()

    @invariant()
    def the_fold_agrees(self) -> None:
        histories = {thing: fold(thing, some) for thing, some in self.told.items()}
        assert not any(history.conflicts for history in histories.values())
        above = untangle(_link(stay) for history in histories.values() for stay in history.stays)
        assert above.rings == ()
        for thing in THINGS:
            for minute, parent in enumerate(self.past[thing]):
                moment = NOON + timedelta(minutes=minute, seconds=30)
                held = [stay.parent for stay in above.links.get(thing, ()) if _holds(stay, moment)]
                assert held == ([] if parent is None else [parent])


TestYard = Yard.TestCase
TestYard.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
