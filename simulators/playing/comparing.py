"""What stands against what a script expects: nothing missing, nothing more. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from simulators.playing.story import Story
from simulators.scripts.format import Expect

Finding = Mapping[str, Any]


class Compared(NamedTuple):
    """What differs, in words."""

    missing: list[str]
    unexpected: list[str]


def compare(story: Story, expected: Sequence[Expect], standing: Mapping[str, Sequence[Finding]]) -> Compared:
    """Match each expectation with a finding of its own.

    Args:
        story: whose moments count.
        expected: what should stand.
        standing: by shipment, the findings that do.
    """
    left = {shipment: list(findings) for shipment, findings in standing.items()}
    missing = []
    # The most particular first, so that a vague one doesn't take its finding away.
    for expect in sorted(expected, key=_vagueness):
        found = next((one for one in left.get(expect.shipment, []) if _fits(story, expect, one)), None)
        if found is None:
            missing.append(f"{story.name} {_told(expect)}")
        else:
            left[expect.shipment].remove(found)
    unexpected = [f"{story.name} {shipment} {_shown(one)}" for shipment, some in left.items() for one in some]
    return Compared(missing, unexpected)


def _vagueness(expect: Expect) -> int:
    return sum(
        not one for one in (expect.severity, expect.state, expect.opened_at, expect.closed_at, expect.cause)
    )


def _fits(story: Story, expect: Expect, finding: Finding) -> bool:
    plain = [
        (expect.rule, finding["rule"]),
        (expect.verdict, finding["verdict"]),
        (expect.severity, finding["severity"]),
        (expect.state, finding["state"]),
        (expect.cause, finding["cause"]),
    ]
    if any(wanted and wanted != found for wanted, found in plain):
        return False
    for wanted, found in ((expect.opened_at, finding["opened_at"]), (expect.closed_at, finding["closed_at"])):
        if wanted is not None:
            if found is None:
                return False
            away = abs((datetime.fromisoformat(found) - story.moment(wanted)).total_seconds())
            if away > expect.within_s:
                return False
    evidence = json.dumps(finding["evidence"], ensure_ascii=False)
    return all(text in evidence for text in expect.says) and not any(
        text in evidence for text in expect.never_says
    )


def _told(expect: Expect) -> str:
    parts = [expect.shipment, expect.rule, expect.verdict, expect.severity, expect.state, expect.cause]
    moments = [
        f"from {expect.opened_at}" if expect.opened_at else "",
        f"to {expect.closed_at}" if expect.closed_at else "",
    ]
    return " ".join(part for part in [*parts, *moments, *(f"saying {text}" for text in expect.says)] if part)


def _shown(finding: Finding) -> str:
    return (
        f"{finding['rule']} {finding['verdict']} {finding['severity']} {finding['state']} {finding['cause']}"
        f" from {finding['opened_at']} to {finding['closed_at']}"
    )
