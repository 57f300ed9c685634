"""What a script file says. TOML; ``docs/scripts.md`` lists every field, and a test compares the two.

Moments (``at``, ``begins``, ``ends``) are local times (UTC+8) of the day of the script: ``"08:41"``,
``"08:41:30"``; with days before them, counted from that day: ``"+2 05:00"``, ``"-1 14:20"``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Final

from msgspec import Meta

from devices.observation import Code
from simulators.scripts.actors import Clock, Device, Document, Item, Revision, Series, Shipment
from simulators.scripts.asking import Alarm, Answer, Trial
from simulators.scripts.tellings import Drive, Event, Fixes, Halt, Offline, Reading, Scans, Stay
from simulators.toml_files import Shelf, Table


class ScriptError(ValueError):
    """The file is no script; the message names the field."""


class Expect(Table, frozen=True, kw_only=True):
    """A finding that must stand.

    Attributes:
        shipment: its number.
        rule: code.
        severity: of a finding; of what is undetermined nobody asks it.
        verdict: ``finding`` or ``undetermined``.
        state: ``open`` or ``closed``; empty: either.
        opened_at: its moment; empty: any.
        closed_at: its moment; empty: any.
        within_s: how far the moments may be from those, seconds.
        cause: what it is about; empty: anything.
        says: texts that its evidence must hold.
        never_says: texts that it must not.
        only: the variants in which it holds; empty: all.
    """

    shipment: str
    rule: str
    severity: str = ""
    verdict: str = "finding"
    state: str = ""
    opened_at: Clock | None = None
    closed_at: Clock | None = None
    within_s: float = 0.0
    cause: str = ""
    says: tuple[str, ...] = ()
    never_says: tuple[str, ...] = ()
    only: tuple[str, ...] = ()


class Look(Item, frozen=True):
    """What must stand at a moment, of all the script's shipments: these findings and no others.

    Attributes:
        at: when.
        expect: the findings.
        gates: the newest decision of each gate: ``open``, ``hold`` or ``inspect``.
        continuity: verdict of each shipment's chain, by its number, where the script speaks of it.
        answers: of the API and of pages.
        trials: rehearsals.
    """

    at: Clock
    expect: tuple[Expect, ...] = ()
    gates: Mapping[Code, str] = {}
    continuity: Mapping[str, str] = {}
    answers: tuple[Answer, ...] = ()
    trials: tuple[Trial, ...] = ()


class Script(Table, frozen=True):
    """A story.

    Attributes:
        code: ``S5``.
        title: one line.
        day: the day from which moments count.
        begins: when the clock starts.
        looks: what must stand when; the last one is the story's end.
        variants: the story itself and others told by the same file; empty: only itself.
        devices: who reports.
        shipments: what is under custody.
        revisions: new terms on the way.
        documents: what people say.
        drives: positions on the road.
        stays: positions of what stands.
        fixes: positions one by one.
        readings: values of sensors.
        events: everything else that devices say.
        scans: many at once.
        offline: who has no network when.
        alarms: how soon alerts must be heard.
    """

    code: str
    title: str
    day: date
    begins: Clock
    looks: Annotated[tuple[Look, ...], Meta(min_length=1)]
    variants: tuple[str, ...] = ()
    devices: tuple[Device, ...] = ()
    shipments: tuple[Shipment, ...] = ()
    revisions: tuple[Revision, ...] = ()
    documents: tuple[Document, ...] = ()
    drives: tuple[Drive, ...] = ()
    stays: tuple[Stay, ...] = ()
    fixes: tuple[Fixes, ...] = ()
    readings: tuple[Reading, ...] = ()
    events: tuple[Event, ...] = ()
    scans: tuple[Scans, ...] = ()
    offline: tuple[Offline, ...] = ()
    alarms: tuple[Alarm, ...] = ()


PARTS: tuple[type[Any], ...] = (
    Script, Device, Shipment, Series, Revision, Document, Drive, Halt, Stay, Fixes, Reading, Event, Scans,
    Offline, Alarm, Look, Expect, Answer, Trial,
)  # fmt: skip
"""Every table of the format, for the documentation."""

_SHELF: Final = Shelf("scripts", "script", Script, ScriptError)


def names() -> list[str]:
    """The scripts that come with the package."""
    return _SHELF.names()


def load(name: str) -> Script:
    """A script by its name, or by the path of its file.

    Raises:
        ScriptError: there is none, or the file says something that the format doesn't know.
    """
    return _SHELF.load(name)
