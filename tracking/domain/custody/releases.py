"""Which word of customs counts for goods: released, or held. A parcel's own, or the whole shipment's.

A hold that names the goods holds until a later word names them; a hold of the whole shipment holds until a
later word of either kind.
"""

from __future__ import annotations

from datetime import datetime

from tracking.domain.custody.documents import Release
from tracking.domain.custody.items import Papers
from tracking.domain.custody.told import Document


def word_for(releases: Papers, item: str, moment: datetime) -> Document | None:
    """The word that counts for an item at a moment; None: nobody has said anything."""
    named_it, general = releases.named(item, moment), releases.general(moment)
    if named_it is None or general is None:
        return named_it or general
    is_overruled = is_released(named_it) and not is_released(general)
    later = (general.time, general.entry) > (named_it.time, named_it.entry)
    return general if is_overruled and later else named_it


def is_released(document: Document) -> bool:
    """Whether a word releases."""
    assert isinstance(document.body, Release)
    return document.body.state == "released"
