"""What people decide about findings. Pure.

A finding stays what it is: a decision says why it needs nobody's attention any more. *Explained*: there is a
reason, and the next one is an alert again. *Waived*: whoever may has let it pass; with ``until`` also those
of the same rule and cause that open before that moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal, TypeAlias

from msgspec import Struct

Kind: TypeAlias = Literal["explain", "waive"]

DECIDED: Final[dict[Kind, str]] = {"explain": "explained", "waive": "waived"}
"""How a finding is shown on which this was decided."""


class Decision(Struct, frozen=True):
    """One decision.

    Attributes:
        entry: its number in the log; the later one is the newer word.
        finding_id: what was decided on.
        kind: what was decided.
        rule: of that finding.
        cause: of that finding.
        until: a waiver of the rule and cause, of findings that open before this moment (UTC); None: of this
            finding alone.
        reason: why.
        by: who.
        recorded_at: when.
    """

    entry: int
    finding_id: str
    kind: Kind
    rule: str
    cause: str
    until: datetime | None
    reason: str
    by: str
    recorded_at: datetime

    def covers(self, finding_id: str, rule: str, cause: str, opened_at: datetime) -> bool:
        """Whether it speaks of a finding."""
        within = self.until is not None and opened_at < self.until
        return finding_id == self.finding_id or (within and (rule, cause) == (self.rule, self.cause))


def about(
    decisions: Iterable[Decision], finding_id: str, rule: str, cause: str, opened_at: datetime
) -> list[Decision]:
    """Those that speak of a finding, the newest last."""
    found = (one for one in decisions if one.covers(finding_id, rule, cause, opened_at))
    return sorted(found, key=lambda one: one.entry)
