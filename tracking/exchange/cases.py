"""Findings that belong together: a stop, a light and a weight are three verdicts about one night."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from tracking.exchange.evidence import observed

Finding: TypeAlias = Mapping[str, Any]


def silences(evidence: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, datetime]]:
    """The moments on either side of the silences that evidence names."""
    for piece in evidence:
        if "silence" in piece:
            for name in ("last_heard", "heard"):
                if piece.get(name):
                    yield piece["silence"], datetime.fromisoformat(piece[name])


def case(found: Finding, findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """The findings that belong together with one, itself among them, in order of time.

    Two belong together where both rest on the same message, or where one cites the other.
    """
    rests_on = {one["finding_id"]: set(observed(one["evidence"])) for one in [found, *findings]}

    def belong(one: Finding, other: Finding) -> bool:
        shared = rests_on[one["finding_id"]] & rests_on[other["finding_id"]]
        return bool(shared) or _cites(one, other) or _cites(other, one)

    together = {found["finding_id"]: found}
    while more := [
        one
        for one in findings
        if one["finding_id"] not in together and any(belong(one, other) for other in together.values())
    ]:
        together |= {one["finding_id"]: one for one in more}
    ordered = sorted(together.values(), key=lambda one: (one["opened_at"], one["finding_id"]))
    return [
        {name: one[name] for name in ("finding_id", "rule", "cause", "severity", "opened_at", "closed_at")}
        for one in ordered
    ]


def _cites(one: Finding, other: Finding) -> bool:
    """Whether evidence names another finding: by rule, cause and opening."""
    named = (other["rule"], other["cause"], other["opened_at"].isoformat())
    return any(
        (piece.get("rule", piece.get("caused_by")), piece.get("cause"), piece.get("opened_at")) == named
        for piece in one["evidence"]
    )
