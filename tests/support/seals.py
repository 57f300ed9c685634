"""Goods under an e-seal: what the seal says, and what the rules about seals (C1 to C8) find."""

from __future__ import annotations

from typing import Final

from devices.observation import Seal, SealState
from tests.support.yard import Yard
from tracking.domain.custody.rules import RULES
from tracking.domain.custody.verdicts import Outcome

BOX: Final = "BNDU1000052"


def says(yard: Yard, state: SealState, at: str, seal: str = "ES-1", thing: str = BOX, times: int = 1) -> None:
    """The seal on a thing reports how it is."""
    for _ in range(times):
        yard.hears(Seal(seal, state), at=at, device=f"SIP/{seal}", kind="seal", things=[thing])


def of_seals(yard: Yard, until: str = "23:00") -> dict[str, str]:
    """Every finding about seals: rule and severity, or undetermined."""
    return {
        f.verdict.rule: "undetermined"
        if f.verdict.outcome is Outcome.UNDETERMINED
        else f.verdict.severity.value
        for f in yard.findings(until=until)
        if RULES[f.verdict.rule].number.startswith("C")
    }
