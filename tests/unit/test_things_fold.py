"""What follows from containment events: each line of the fold's table, and rings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tracking.domain.things.ascent import Link, Span, carried, untangle
from tracking.domain.things.events import Event
from tracking.domain.things.fold import History, Kind, fold

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def scan(minutes: float, action: str, parent: str | None = None, quantity: float | None = None) -> Event:
    return Event(at(minutes), action, parent, quantity, device="SIP/SC-1", run=1, seq=round(minutes * 60))


def stays(*events: Event, child: str = "parcel") -> list[tuple[str, float, float | None, float | None]]:
    """(parent, from, to, quantity), minutes after noon."""
    return [
        (
            stay.parent,
            (stay.begins - NOON).total_seconds() / 60,
            None if stay.ends is None else (stay.ends - NOON).total_seconds() / 60,
            stay.quantity,
        )
        for stay in fold(child, events).stays
    ]


def conflicts(
    *events: Event, child: str = "parcel"
) -> list[tuple[Kind, tuple[str, ...], float, float | None]]:
    return [
        (
            one.kind,
            one.parents,
            (one.begins - NOON).total_seconds() / 60,
            None if one.ends is None else (one.ends - NOON).total_seconds() / 60,
        )
        for one in fold(child, events).conflicts
    ]


def test_loaded_and_unloaded() -> None:
    told = scan(0, "loading", "truck"), scan(30, "unloading", "truck")
    assert stays(*told) == [("truck", 0, 30, None)]
    assert conflicts(*told) == []


def test_out_of_whatever_it_is_in() -> None:
    assert stays(scan(0, "packing", "case"), scan(5, "unpacking")) == [("case", 0, 5, None)]


def test_said_again_is_one_stay() -> None:
    told = (
        scan(0, "loading", "truck"),
        scan(1, "loading", "truck"),
        scan(9, "unloading", "truck"),
        scan(10, "unloading", "truck"),
        scan(11, "unloading"),
    )
    assert stays(*told) == [("truck", 0, 9, None)]
    assert conflicts(*told) == []


def test_a_second_parent_ends_the_first_stay_and_contradicts_it_until_the_next_event() -> None:
    told = scan(0, "loading", "A"), scan(10, "loading", "B"), scan(20, "unloading", "B")
    assert stays(*told) == [("A", 0, 10, None), ("B", 10, 20, None)]
    assert conflicts(*told) == [(Kind.DOUBLE_PARENT, ("A", "B"), 10, 20)]


def test_a_late_unloading_settles_it() -> None:
    told = scan(0, "loading", "A"), scan(10, "loading", "B"), scan(8, "unloading", "A")
    assert stays(*told) == [("A", 0, 8, None), ("B", 10, None, None)]
    assert conflicts(*told) == []


def test_out_of_what_it_is_not_in() -> None:
    told = scan(0, "loading", "A"), scan(10, "unloading", "B")
    assert stays(*told) == [("A", 0, None, None)]
    assert conflicts(*told) == [(Kind.NOT_IN_PARENT, ("A", "B"), 10, None)]


def test_what_went_in_before_our_record_comes_out_without_a_conflict() -> None:
    assert fold("parcel", [scan(0, "unstuffing", "box"), scan(1, "unstuffing", "box")]) == History((), ())


def test_partly_unloaded() -> None:
    told = (
        scan(0, "loading", "A", 100),
        scan(10, "unloading", "A", 40),
        scan(20, "loading", "B", 40),
        scan(30, "unloading", "A", 60),
    )
    assert stays(*told) == [("A", 0, 10, 100), ("A", 10, 30, 60), ("B", 20, None, 40)]
    assert conflicts(*told) == []


def test_part_of_an_uncounted_whole() -> None:
    told = scan(0, "loading", "A"), scan(10, "unloading", "A", 40), scan(20, "loading", "B", 40)
    assert stays(*told) == [("A", 0, None, None), ("B", 20, None, 40)]
    assert conflicts(*told) == []
    assert conflicts(*told[:2], scan(20, "loading", "B", 41)) == [(Kind.DOUBLE_PARENT, ("A", "B"), 20, None)]


def test_counted_in_twice() -> None:
    assert stays(scan(0, "loading", "A", 0.1), scan(1, "loading", "A", 0.2)) == [
        ("A", 0, 1, 0.1),
        ("A", 1, None, 0.3),
    ]


def test_more_out_than_in() -> None:
    told = scan(0, "loading", "A", 10), scan(5, "unloading", "A", 11)
    assert stays(*told) == [("A", 0, 5, 10)]
    assert conflicts(*told) == [(Kind.MORE_OUT_THAN_IN, ("A",), 5, None)]


def test_some_of_it_out_of_one_of_several() -> None:
    told = scan(0, "loading", "A", 10), scan(1, "loading", "B", 10), scan(5, "unloading", None, 3)
    assert stays(*told) == [("A", 0, None, 10), ("B", 1, None, 10)]
    assert conflicts(*told) == [(Kind.UNKNOWN_PARENT, ("A", "B"), 5, None)]


def test_nothing_goes_into_itself() -> None:
    assert stays(scan(0, "loading", "parcel")) == []
    assert conflicts(scan(0, "loading", "parcel")) == [(Kind.CYCLE, ("parcel",), 0, None)]


def test_what_was_observed_inside_is_inside() -> None:
    seen = Event(at(0), "OBSERVE", "A", by="forwarder")
    gone = Event(at(5), "DELETE", "A", by="forwarder")
    assert stays(seen, gone) == [("A", 0, 5, None)]
    assert seen.cite()["source"] == "reported"
    assert scan(0, "loading", "A").cite()["source"] == "observed"


def inside(child: str, parent: str, begins: float, ends: float | None = None) -> Link:
    return Link(at(begins), child, parent, None if ends is None else at(ends))


def test_a_parcel_is_carried_by_whatever_carries_its_box_meanwhile() -> None:
    above = untangle(
        [inside("parcel", "box", 0, 60), inside("box", "truck", 10, 30), inside("box", "train", 40)]
    )
    assert carried([Span("parcel", at(-5), at(50))], above) == [
        Span("box", at(0), at(50)),
        Span("parcel", at(-5), at(50)),
        Span("train", at(40), at(50)),
        Span("truck", at(10), at(30)),
    ]
    assert above.rings == ()


def test_a_ring_is_cut_where_it_closed_last() -> None:
    above = untangle([inside("a", "b", 0, 20), inside("b", "c", 5), inside("c", "a", 10, 30)])
    assert above.rings == (inside("c", "a", 10, 20),)
    assert above.links["c"] == [inside("c", "a", 20, 30)]
    assert Span("a", at(20), at(30)) in carried([Span("c", at(0), None)], above)
