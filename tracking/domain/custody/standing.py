"""How a gate pass stands, by its papers and by the gates that let a vehicle use it, each at its own moment.

What is shown of one pass rests on what gates decided, and not on their reports, as the court's own fold does
(:mod:`.passing`): a decision stands even where limits have been set anew since. The two agree in what one
passage is, except where an officer let in a vehicle that the gate had held: here the pass is used from the
gate's reading on, there from the officer's word.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from tracking.domain.custody.passes import SAME_PASSAGE, Pass, Use, document_order, told
from tracking.domain.custody.told import Document


def standing(papers: Iterable[Document], uses: Iterable[Use]) -> Pass | None:
    """A pass after all that was said and decided of it; papers count before uses of the same moment.

    One passage counts once: where a paper tells of it too, before the gate or after it, and where the gate
    reads the vehicle again within a minute. A vehicle that came before its pass was approved, and was let in,
    has used it from the approval on.

    Args:
        papers: a ``pass`` or a ``pass_state`` each, of one pass, in any order.
        uses: of that pass, in any order.

    Returns:
        The pass; None: nobody has applied for it.
    """
    known: Pass | None = None
    early: list[Use] = []
    for moment in _in_order(papers, uses):
        if isinstance(moment, Use):
            early.append(moment)
        else:
            known = told(known, moment)
        while known is not None and early and (after := _used(known, early[0], moment.time)) is not None:
            known = after
            del early[0]
    return known


def _in_order(papers: Iterable[Document], uses: Iterable[Use]) -> list[Document | Use]:
    """Papers and passages; of a vehicle that was read again and again, the first reading."""
    passages: list[Use] = []
    last: dict[str, Use] = {}
    for use in sorted(uses, key=lambda use: (use.time, use.gate)):
        before = last.get(use.gate)
        if before is None or use.time - before.time > SAME_PASSAGE:
            passages.append(use)
        last[use.gate] = use
    moments: list[Document | Use] = [*sorted(papers, key=document_order), *passages]
    return sorted(moments, key=lambda moment: moment.time)


def _used(known: Pass, use: Use, time: datetime) -> Pass | None:
    """The pass after a use; None: it isn't usable yet."""
    if known.is_confirmed_by(use):
        return known.confirmed_by(use)
    return known.used_by(use, time) if known.is_usable() else None
