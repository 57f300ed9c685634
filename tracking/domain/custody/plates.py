"""Is the plate that a camera read the plate on the paper? Never a silent match.

A camera that is sure and reads another plate has seen another vehicle. One that is not sure, or that read a
character for its look-alike, has seen nothing that a barrier may act on: a person looks at the picture.

Source: GA 36-2018 for what a plate is (unverified here); the table of look-alikes is ours.
"""

from __future__ import annotations

from enum import StrEnum
from itertools import product
from typing import Annotated, Final

from msgspec import Meta, Struct

from devices.identifiers import normal_plate

CONFUSED: Final = ("0DO", "8B", "1TI", "5S", "2Z")
"""Characters that cameras take for each other. O and I are on no plate, so they can only be misread."""

_CLASS: Final = {character: look for look in CONFUSED for character in look}

_LONGEST: Final = 8
"""Characters of a plate."""


class PlateLimits(Struct, frozen=True):
    """How sure a camera must be.

    Attributes:
        min_ocr_conf: confidence, 0 to 1, from which a reading counts; a camera that states none is sure.
    """

    min_ocr_conf: Annotated[float, Meta(ge=0, le=1)] = 0.90


class Likeness(StrEnum):
    """What a reading says of the plate that was expected."""

    SAME = "same"
    CONFUSABLE = "confusable"
    """It may be the one or another: a look-alike, a doubtful reading, or none."""
    DIFFERENT = "different"


def compare(read: str | None, confidence: float | None, expected: str, limits: PlateLimits) -> Likeness:
    """What a reading says of an expected plate.

    Args:
        read: what the camera read; None: nothing.
        confidence: how sure it is, 0 to 1; None: it doesn't say, which counts as sure.
        expected: the plate on the paper.
        limits: how sure it must be. A doubtful reading is confusable even where the characters are equal,
            because a look-alike read wrongly would be equal too.
    """
    if not read or (confidence is not None and confidence < limits.min_ocr_conf):
        return Likeness.CONFUSABLE
    seen, wanted = normal(read), normal(expected)
    if seen == wanted:
        return Likeness.SAME
    if len(seen) == len(wanted) and all(map(_look_alike, seen, wanted)):
        return Likeness.CONFUSABLE
    return Likeness.DIFFERENT


def normal(plate: str) -> str:
    """The plate as stored; what is no Chinese plate is compared without case and spaces."""
    return normal_plate(plate) or "".join(plate.split()).upper()


def look_alikes(read: str) -> frozenset[str]:
    """Every plate that a camera may have read as this one, itself included where it is a plate."""
    choices = [
        [other for other in _CLASS.get(character, character) if other not in "OI"]
        for character in normal(read)
    ]
    if len(choices) > _LONGEST:
        return frozenset()
    found = ("".join(characters) for characters in product(*choices))
    return frozenset(plate for plate in found if normal_plate(plate) == plate)


def _look_alike(one: str, other: str) -> bool:
    return one == other or (one in _CLASS and _CLASS[one] == _CLASS.get(other))
