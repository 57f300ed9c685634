"""How a park changes rules for all its shipments: the rules' severity and parameters, as in terms.

    {"rules": {"route_deviation": {"severity": "critical", "parameters": {"min_duration_s": 60}}}}

Terms of a shipment come before its park. A parameter that decides which readings are looked at belongs to
terms alone: readings are folded before anybody knows whose they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from tracking.domain.custody.checks import check_rules
from tracking.domain.custody.faults import Fault, faults, step
from tracking.domain.custody.levels import makes_levels
from tracking.domain.custody.terms import Override, RuleCode, TermsError


class Body(Struct, frozen=True, forbid_unknown_fields=True):
    """One revision.

    Attributes:
        rules: what is changed, by the rule's code; nothing: the rules' own hold again.
    """

    rules: dict[RuleCode, Override]


def parse(decoded: Mapping[str, Any]) -> Mapping[str, Override]:
    """Read what a park changes.

    Raises:
        TermsError: with every field that is wrong.
    """
    if found := list(faults(decoded, Body)):
        raise TermsError(found)
    rules = msgspec.convert(decoded, Body).rules
    if found := [*check_rules(rules), *_of_terms_alone(rules)]:
        raise TermsError(found)
    return rules


def decode(body: Mapping[str, Any]) -> Mapping[str, Override]:
    """Read what was taken once: what holds is not argued with again."""
    return msgspec.convert(body, Body).rules


def _of_terms_alone(rules: Mapping[str, Override]) -> Iterator[Fault]:
    for code, override in rules.items():
        for name in override.parameters:
            if makes_levels(code, name):
                where = step(f"/rules/{code}/parameters", name)
                yield Fault(
                    where, f"{name} decides which readings are looked at: set it in a shipment's terms"
                )
