"""Are the containers that a gate read those on the paper?

Source: ISO 6346 for numbers and check digits.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from devices.identifiers import container_warning


class Boxes(Struct, frozen=True):
    """Container numbers read at a gate, beside those on a pass.

    Attributes:
        strange: read, good numbers, and not on the pass.
        misread: read, and failing their own check digit: more likely misread than another container, unless
            the pass has the same number.
        unseen: on the pass and not read, although others were, or one was misread.
    """

    strange: tuple[str, ...]
    misread: tuple[str, ...]
    unseen: tuple[str, ...]


def compare(read: Sequence[str], expected: Sequence[str]) -> Boxes | None:
    """What a gate's reading says of a pass's containers; None: it read none, or the pass names none."""
    seen = sorted({normal(number) for number in read if number.strip()})
    wanted = {normal(number) for number in expected}
    if not seen or not wanted:
        return None
    misread = tuple(number for number in seen if container_warning(number) is not None)
    strange = tuple(number for number in seen if number not in wanted and number not in misread)
    unseen = tuple(sorted(wanted - set(seen)))
    doubtful = [number for number in misread if number not in wanted]
    return Boxes(strange, misread, () if strange or len(unseen) <= len(doubtful) else unseen)


def normal(number: str) -> str:
    """Upper case, without spaces and dashes."""
    return number.upper().replace(" ", "").replace("-", "").replace("/", "")
