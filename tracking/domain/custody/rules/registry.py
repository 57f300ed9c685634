"""How a rule makes itself known.

A rule is a pure function ``(case, limits) -> verdicts``: the case is the shipment as of the watermark,
``limits`` is the rule's own struct of parameters with their defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias, TypeVar

from msgspec import Struct

from tracking.domain.custody.case import Case
from tracking.domain.custody.verdicts import Severity, Verdict

RULES_VERSION: Final = 2
"""Goes up with every change of what any rule says; findings carry it."""

Evaluate: TypeAlias = Callable[[Case, Any], Iterator[Verdict]]
L = TypeVar("L", bound=Struct)


class Rule(Struct, frozen=True):
    """One rule of the catalogue.

    Attributes:
        family: the file it lives in.
        number: its place in the catalogue, ``A1``.
        code: its stable name, ``route_deviation``.
        severity: the gravest it says by itself.
        limits: its parameters with their defaults.
        evaluate: the function.
    """

    family: str
    number: str
    code: str
    severity: Severity
    limits: Struct
    evaluate: Evaluate


RULES: Final[dict[str, Rule]] = {}


def rule(
    *, family: str, number: str, code: str, severity: Severity, limits: type[L]
) -> Callable[
    [Callable[[Case, L], Iterator[Verdict]]],
    Callable[[Case, L], Iterator[Verdict]],
]:
    """Enter a function into the catalogue under its code."""

    def enter(
        evaluate: Callable[[Case, L], Iterator[Verdict]],
    ) -> Callable[[Case, L], Iterator[Verdict]]:
        if code in RULES:
            raise ValueError(f"two rules are called {code}")
        RULES[code] = Rule(family, number, code, severity, limits(), evaluate)
        return evaluate

    return enter
