"""How a rule makes itself known.

A rule is a pure function ``(case, limits) -> verdicts``: the case is the shipment as of the watermark,
``limits`` is the rule's own struct of parameters with their defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final, TypeAlias, TypeVar

from msgspec import Struct

from tracking.domain.custody.case import Case
from tracking.domain.custody.verdicts import Severity, Verdict

RULES_VERSION: Final = 8
"""Goes up with every change of what any rule says; findings carry it."""

Evaluate: TypeAlias = Callable[[Case, Any], Iterator[Verdict]]
Due: TypeAlias = Callable[[Case, Any], datetime | None]
L = TypeVar("L", bound=Struct)


class Rule(Struct, frozen=True):
    """One rule of the catalogue.

    Attributes:
        number: its place in the catalogue, ``A1``; the letter is its family.
        code: its stable name, ``route_deviation``.
        severity: the gravest it says by itself.
        limits: its parameters with their defaults.
        evaluate: the function.
        due: when the passing of time alone may next change what it says, strictly after ``case.until``;
            None where that can't be.
    """

    number: str
    code: str
    severity: Severity
    limits: Struct
    evaluate: Evaluate
    due: Due | None = None


RULES: Final[dict[str, Rule]] = {}


def rule(
    *,
    number: str,
    code: str,
    severity: Severity,
    limits: type[L],
    due: Callable[[Case, L], datetime | None] | None = None,
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
        RULES[code] = Rule(number, code, severity, limits(), evaluate, due)
        return evaluate

    return enter
