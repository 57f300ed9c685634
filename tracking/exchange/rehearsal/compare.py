"""Alerts under what stands against alerts under what is proposed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from tracking.domain.custody.intervals import overlap
from tracking.domain.custody.judge import Judgement
from tracking.domain.custody.verdicts import Outcome, Severity, Verdict


class Alert(Struct, frozen=True):
    """A finding that a person would have to handle."""

    shipment: str
    rule: str
    cause: str
    severity: str
    opened_at: datetime
    closed_at: datetime | None


class Changed(Struct, frozen=True):
    """The same matter, told otherwise."""

    standing: Alert
    proposed: Alert


class Comparison(Struct):
    """What would be different.

    Attributes:
        appear: alerts that would have been raised, and were not.
        vanish: alerts that were raised, and would not have been.
        changed: alerts that would have another severity or other moments.
        same: how many would be as they are.
    """

    appear: list[Alert]
    vanish: list[Alert]
    changed: list[Changed]
    same: int = 0


def compare(shipment: str, standing: Judgement, proposed: Judgement, since: datetime) -> Comparison:
    """What is different of one shipment from a moment on."""
    before, after = _alerts(shipment, standing, since), _alerts(shipment, proposed, since)
    found = Comparison([], [], [], len([alert for alert in before if alert in after]))
    left = [alert for alert in after if alert not in before]
    for alert in before:
        if alert in after:
            continue
        other = next((one for one in left if _is_same_matter(alert, one)), None)
        if other is None:
            found.vanish.append(alert)
        else:
            left.remove(other)
            found.changed.append(Changed(alert, other))
    found.appear = left
    return found


def _alerts(shipment: str, judgement: Judgement, since: datetime) -> list[Alert]:
    """What raises alerts and isn't over by then."""
    return [
        Alert(
            shipment,
            verdict.rule,
            verdict.cause,
            verdict.severity.value,
            verdict.opened_at,
            verdict.closed_at,
        )
        for finding in judgement.findings
        for verdict in (finding.verdict,)
        if _is_loud(verdict) and (verdict.closed_at is None or verdict.closed_at > since)
    ]


def _is_loud(verdict: Verdict) -> bool:
    return verdict.outcome is Outcome.FINDING and verdict.severity is not Severity.INFO


def _is_same_matter(one: Alert, other: Alert) -> bool:
    return (one.rule, one.cause) == (other.rule, other.cause) and (
        overlap((one.opened_at, one.closed_at), (other.opened_at, other.closed_at)) is not None
    )


def summed(comparisons: Sequence[Comparison]) -> Comparison:
    """Those of many shipments as one, in order of time."""
    whole = Comparison([], [], [])
    for one in comparisons:
        whole.appear += one.appear
        whole.vanish += one.vanish
        whole.changed += one.changed
        whole.same += one.same
    whole.appear.sort(key=_order)
    whole.vanish.sort(key=_order)
    whole.changed.sort(key=lambda changed: _order(changed.standing))
    return whole


def _order(alert: Alert) -> tuple[Any, ...]:
    return (alert.opened_at, alert.shipment, alert.rule, alert.cause)
