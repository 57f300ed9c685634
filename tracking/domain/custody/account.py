"""What changed in what we held true of a shipment, and why, as far as the record tells. Pure.

Every version of a finding is a change: against the version before it, or, where late data have only dated a
finding anew, against the one that was withdrawn at the same moment. Why is what was recorded since the change
before: one kind of fact, several (``new_data``), or nothing but what came in order and the passing of time
(``events``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct

from tracking.domain.custody.intervals import overlap

WITHDRAWN: Final = "withdrawn"
EVENTS: Final = "events"
NEW_DATA: Final = "new_data"
RULES: Final = "rules_version"

What: TypeAlias = Literal["opened", "closed", "reopened", "redated", "withdrawn", "restored", "changed"]


class Version(Struct, frozen=True):
    """One version of a finding, as it was recorded."""

    finding_id: str
    rule: str
    rules_version: int
    cause: str
    verdict: str
    state: str
    severity: str
    opened_at: datetime
    closed_at: datetime | None
    terms_revision: int
    recorded_at: datetime


class Happening(Struct, frozen=True):
    """A fact that may change what was held true before it was recorded.

    Attributes:
        kind: ``late_events``, ``correction``, ``terms``, ``area``, ``document``, ``attachment`` and so on.
        recorded_at: when we learnt of it.
        since: the moment of event time from which it counts.
        detail: what names it.
    """

    kind: str
    recorded_at: datetime
    since: datetime
    detail: Mapping[str, Any]


class Changed(Struct, frozen=True):
    """A version with what it changed.

    Attributes:
        before: the version that it took the place of; None: there was none.
        why: a kind of happening, ``rules_version``, ``new_data`` or ``events``.
        because: what was recorded since the change before, and may have caused it.
    """

    version: Version
    what: What
    before: Version | None
    why: str
    because: tuple[Happening, ...]


def account(
    versions: Sequence[Version], happenings: Sequence[Happening], watched_since: datetime
) -> list[Changed]:
    """The changes in order, each with its cause.

    Args:
        versions: all of a shipment's, in the order in which they were recorded.
        happenings: what may have caused them.
        watched_since: when the shipment was put under watch; what was recorded by then changed nothing.
    """
    moments = sorted({version.recorded_at for version in versions})
    earlier = dict(zip(moments, [watched_since, *moments], strict=False))
    known: dict[str, Version] = {}
    found = []
    for version in versions:
        before = known.get(version.finding_id)
        gone = None if before is not None else _withdrawn_for(version, versions)
        because = tuple(
            one
            for one in sorted(happenings, key=lambda one: (one.recorded_at, one.kind, one.since))
            if earlier[version.recorded_at] < one.recorded_at <= version.recorded_at
            and one.since <= max(version.recorded_at, version.closed_at or version.recorded_at)
        )
        what, why = _what(version, before, gone), _why(version, before, because)
        found.append(Changed(version, what, before or gone, why, because))
        known[version.finding_id] = version
    return found


def _withdrawn_for(version: Version, versions: Sequence[Version]) -> Version | None:
    """The finding of the same event that was withdrawn when this one was found."""
    return next(
        (
            one
            for one in versions
            if one.state == WITHDRAWN
            and (one.rule, one.cause, one.recorded_at) == (version.rule, version.cause, version.recorded_at)
            and overlap((one.opened_at, one.closed_at), (version.opened_at, version.closed_at)) is not None
        ),
        None,
    )


def _what(version: Version, before: Version | None, gone: Version | None) -> What:
    if version.state == WITHDRAWN:
        return "withdrawn"
    if before is None:
        return "opened" if gone is None else "redated"
    if before.state == WITHDRAWN:
        return "restored"
    if (before.state, version.state) == ("open", "closed"):
        return "closed"
    if (before.state, version.state) == ("closed", "open"):
        return "reopened"
    return "changed" if before.closed_at == version.closed_at else "redated"


def _why(version: Version, before: Version | None, because: Sequence[Happening]) -> str:
    kinds = {one.kind for one in because}
    if before is not None and before.rules_version != version.rules_version:
        kinds.add(RULES)
    if len(kinds) > 1:
        return NEW_DATA
    return kinds.pop() if kinds else EVENTS
