"""Findings against the truth: which were right, which wrong, what was missed, how late they were. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from simulators.reality.seen import Incident

EARLY_S: Final = 90.0
"""A finding may open so much before an incident and what its rule allows: a clock may be 45 s slow, and a
receiver's error puts a slow truck across a border as much earlier."""

NEAR_S: Final = 180.0
"""It may open so much after an incident is over, or be dated anew by so much: three fixes of a minute."""

FOREVER_S: Final = 1e12


@dataclass(frozen=True)
class Found:
    """A finding that stands, in seconds of the world.

    Attributes:
        rule: its code.
        shipment: number.
        begins: when it opened, event time.
        ends: when it closed, or for ever.
        told: when it was first recorded; None: unknown.
    """

    rule: str
    shipment: str
    begins: float
    ends: float
    told: float | None


@dataclass
class Rule:
    """How a rule did.

    Attributes:
        found: sure incidents that were found.
        missed: sure incidents that were not, in words.
        false: findings of nothing, in words.
        borderline: findings of incidents that may be found or not.
        unsure: such incidents, found or not.
        unheard: findings of a time of which a device's own word was still to come at the end.
        withdrawn: findings that late data have taken back, or dated anew.
        still_open: findings of incidents that were seen to end and haven't closed, in words.
        delays_s: of those found, from the moment due to the moment recorded; less than nothing where it
            was told before it was due.
    """

    found: int = 0
    missed: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)
    borderline: int = 0
    unsure: int = 0
    unheard: int = 0
    withdrawn: int = 0
    still_open: list[str] = field(default_factory=list)
    delays_s: list[float] = field(default_factory=list)

    def add(self, other: Rule) -> None:
        """Count another world's in."""
        self.found += other.found
        self.missed += other.missed
        self.false += other.false
        self.borderline += other.borderline
        self.unsure += other.unsure
        self.unheard += other.unheard
        self.withdrawn += other.withdrawn
        self.still_open += other.still_open
        self.delays_s += other.delays_s

    @property
    def precision(self) -> float | None:
        """Right findings of all findings; None: there are none."""
        told = self.found + len(self.false)
        return self.found / told if told else None

    @property
    def recall(self) -> float | None:
        """Found incidents of all; None: there are none."""
        true = self.found + len(self.missed)
        return self.found / true if true else None

    def delay_s(self, share: float) -> float | None:
        """A quantile of the delays; None: there are none."""
        if not self.delays_s:
            return None
        ordered = sorted(self.delays_s)
        return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def score(
    truth: Iterable[Incident],
    findings: Iterable[Found],
    rules: Sequence[str],
    heard_until: Mapping[str, float],
) -> dict[str, Rule]:
    """Match findings with incidents, one with one: that which opened nearest to when the incident began.

    A finding that opened earlier than its rule allows is none of the incident, however long it stays open.

    Args:
        truth: all incidents.
        findings: all that stand.
        rules: that the truth is told of; findings of others are all false.
        heard_until: by shipment, until when everything that its devices noticed was sent. What was found of
            later, and belongs to no incident, a backlog that didn't come any more may have taken back.
    """
    scored = {rule: Rule() for rule in rules}
    waiting: dict[tuple[str, str], list[Found]] = {}
    for finding in findings:
        waiting.setdefault((finding.rule, finding.shipment), []).append(finding)
    # Sure ones first: an unsure one beside it must not take its finding away.
    for incident in sorted(truth, key=lambda one: (not one.sure, one.begins)):
        rule = scored.setdefault(incident.rule, Rule())
        rule.unsure += not incident.sure
        standing = waiting.get((incident.rule, incident.shipment), [])
        best = min(
            (one for one in standing if _may_be_of(one, incident)),
            key=lambda one: abs(one.begins - incident.begins),
            default=None,
        )
        if best is None:
            if incident.sure:
                rule.missed.append(_incident_in_words(incident))
            continue
        standing.remove(best)
        if incident.closes and best.ends == FOREVER_S:
            rule.still_open.append(_incident_in_words(incident))
        if not incident.sure:
            rule.borderline += 1
            continue
        rule.found += 1
        if best.told is not None:
            rule.delays_s.append(best.told - incident.due)
    for (code, _), left in waiting.items():
        rule = scored.setdefault(code, Rule())
        for finding in left:
            if finding.begins > heard_until[finding.shipment]:
                rule.unheard += 1
            else:
                rule.false.append(_finding_in_words(finding))
    return scored


def figures(scored: Mapping[str, Rule]) -> dict[str, dict[str, Any]]:
    """The scores as plain numbers."""
    return {
        code: {
            "precision": _rounded(rule.precision),
            "recall": _rounded(rule.recall),
            "delay_p50_s": _rounded(rule.delay_s(0.5)),
            "delay_p95_s": _rounded(rule.delay_s(0.95)),
            "found": rule.found,
            "missed": len(rule.missed),
            "false": len(rule.false),
            "borderline": rule.borderline,
            "unsure": rule.unsure,
            "unheard": rule.unheard,
            "withdrawn": rule.withdrawn,
            "still_open": len(rule.still_open),
        }
        for code, rule in scored.items()
    }


def found_from(
    shipment: str,
    findings: Sequence[Mapping[str, Any]],
    history: Sequence[Mapping[str, Any]],
    begins: datetime,
) -> list[Found]:
    """What stands of a shipment, as the API tells it; what is undetermined is no finding.

    Args:
        shipment: its number.
        findings: ``findings`` of ``/custody``.
        history: ``changes`` of ``/history``.
        begins: the world's first moment.
    """

    def seconds(text: str | None) -> float:
        return FOREVER_S if text is None else (datetime.fromisoformat(text) - begins).total_seconds()

    told: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for change in history:
        if change["verdict"] == "finding" and change["state"] != "withdrawn":
            key = change["rule"], change["cause"]
            told.setdefault(key, []).append((seconds(change["opened_at"]), seconds(change["recorded_at"])))
    found = []
    for one in findings:
        if one["verdict"] != "finding":
            continue
        opened = seconds(one["opened_at"])
        # Late data may date it anew: then it was told when the one that it replaced was.
        first = [
            at for since, at in told.get((one["rule"], one["cause"]), []) if abs(since - opened) <= NEAR_S
        ]
        found.append(
            Found(one["rule"], shipment, opened, seconds(one["closed_at"]), min(first, default=None))
        )
    return found


def _may_be_of(finding: Found, incident: Incident) -> bool:
    earliest = incident.begins - incident.early_s - EARLY_S
    return earliest <= finding.begins <= incident.ends + NEAR_S and finding.ends >= incident.begins - NEAR_S


def _incident_in_words(one: Incident) -> str:
    return f"{one.shipment} {one.rule} from {clock(one.begins)} to {clock(one.ends)}: {one.why}"


def _finding_in_words(one: Found) -> str:
    ends = "now" if one.ends == FOREVER_S else clock(one.ends)
    return f"{one.shipment} {one.rule} from {clock(one.begins)} to {ends}"


def clock(t: float) -> str:
    """Seconds of the world as hours, minutes and seconds."""
    return f"{int(t // 3600)}:{int(t // 60 % 60):02d}:{int(t % 60):02d}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
