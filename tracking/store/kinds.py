"""The numbers under which kinds of observations are stored; ``observation_kinds`` holds the same table."""

from __future__ import annotations

from typing import Any, Final

from devices.observation import KINDS

KIND_NUMBERS: Final[dict[str, int]] = {
    "position": 1,
    "scan": 2,
    "reading": 3,
    "seal": 4,
    "gate": 5,
    "handover": 6,
    "status": 7,
    "result": 8,
}
KIND_NAMES: Final = {number: name for name, number in KIND_NUMBERS.items()}
FACT_NUMBERS: Final[dict[type[Any], int]] = {fact: KIND_NUMBERS[name] for fact, name in KINDS.items()}
"""By the class of the fact, for the hot path."""
