"""What changes between the findings that stand and those that hold now. Pure.

A finding that is the same is left alone; one that differs gets a new version; one that no longer holds is
withdrawn by a version that says so. Nothing is rewritten or deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from tracking.domain.custody.intervals import overlap
from tracking.domain.custody.judge import Judgement
from tracking.domain.custody.verdicts import Finding, FindingState, Outcome, Severity
from tracking.store.findings import FindingRow

WITHDRAWN = FindingState.WITHDRAWN.value


class Change(Struct, frozen=True):
    """A finding's version before (None: it is new) and from now on."""

    before: FindingRow | None
    after: FindingRow

    @property
    def concerns_people(self) -> bool:
        """Whether anybody must hear of it: it is loud, or was; and it is another one than they know."""
        return (is_loud(self.after) or is_loud(self.before)) and self._heard(self.after) != self._heard(
            self.before
        )

    @property
    def is_news(self) -> bool:
        """Whether it is loud now and was not before."""
        return is_loud(self.after) and not is_loud(self.before)

    @property
    def is_withdrawn(self) -> bool:
        """Whether what was loud no longer is."""
        return is_loud(self.before) and not is_loud(self.after)

    def is_of_the_same_event_as(self, withdrawn: Change) -> bool:
        """Whether late data have only dated anew what was withdrawn: same rule and cause, overlapping."""
        one, other = self.after, withdrawn.after
        return (one.rule, one.cause) == (other.rule, other.cause) and (
            overlap((one.opened_at, one.closed_at), (other.opened_at, other.closed_at)) is not None
        )

    @staticmethod
    def _heard(row: FindingRow | None) -> object:
        return None if row is None else (row.state, row.severity, row.closed_at, is_loud(row))


def is_loud(row: FindingRow | None) -> bool:
    """Whether a person must handle it: information and undetermined verdicts raise no alert."""
    return (
        row is not None
        and row.verdict == Outcome.FINDING
        and row.severity != Severity.INFO
        and row.state != WITHDRAWN
    )


def changes(judgement: Judgement, held: Mapping[str, FindingRow]) -> list[Change]:
    """What is to be written so that the findings are those of this judgement.

    Args:
        judgement: what holds now.
        held: the effective versions, withdrawn ones included, by finding id.
    """
    now = {f.finding_id: _row(f, judgement.rules_version) for f in judgement.findings}
    found = [
        Change(held.get(name), row)
        for name, row in now.items()
        if name not in held or _content(held[name]) != _content(row)
    ]
    found += [
        Change(row, row._replace(state=WITHDRAWN, rules_version=judgement.rules_version))
        for name, row in held.items()
        if name not in now and row.state != WITHDRAWN
    ]
    return found


def _content(row: FindingRow) -> FindingRow:
    """A version without the version of the rules: new rules that say the same change nothing."""
    return row._replace(rules_version=0)


def _row(finding: Finding, rules_version: int) -> FindingRow:
    verdict = finding.verdict
    evidence: list[dict[str, Any]] = _as_stored(verdict.evidence)
    return FindingRow(
        finding_id=finding.finding_id,
        rule=verdict.rule,
        rules_version=rules_version,
        cause=verdict.cause,
        verdict=verdict.outcome.value,
        state=finding.state.value,
        severity=verdict.severity.value,
        opened_at=verdict.opened_at,
        closed_at=verdict.closed_at,
        evidence=evidence,
        parameters=_as_stored(verdict.parameters),
        terms_revision=verdict.terms_revision,
        place=_place(evidence),
    )


def _as_stored(value: Any) -> Any:
    """As JSON gives it back, where a tuple is a list: else what is the same would differ."""
    return msgspec.json.decode(msgspec.json.encode(value))


def _place(evidence: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Where the first piece of evidence that knows a place was observed."""
    for piece in evidence:
        detail = piece.get("detail", {})
        if "lon" in detail and "lat" in detail:
            return {"lon": detail["lon"], "lat": detail["lat"], "area": piece.get("area")}
    return None
