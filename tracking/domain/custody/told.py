"""What was said of the goods, of what carried them, and of their papers: by devices and by people."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from msgspec import Struct

from devices.observation import Gate, Handover, Scan, Seal
from tracking.domain.custody.documents import Body

Told: TypeAlias = Gate | Scan | Seal | Handover
"""What a device can say of things that it is not itself attached to."""


class Aboard(Struct, frozen=True):
    """A thing of the shipment, or one that carried it, during [begins, ends).

    Attributes:
        thing: URI.
        kind: ``container``, ``vehicle``, ``parcel``, ``handling_unit``, ``seal``, ``asset`` and so on.
        label: what people call it: ``BNDU1000010``, ``苏E1289K``.
        is_goods: it belongs to the shipment; else it carried what does.
    """

    thing: str
    kind: str
    label: str
    is_goods: bool
    begins: datetime
    ends: datetime | None


class Report(Struct, frozen=True):
    """What a device said of the goods, of what carried them, or of their papers.

    Attributes:
        time: event time.
        device: who said it, ``SIP/G-SIPE-N1``.
        device_kind: what that device is.
        run: of the observation.
        seq: of the observation.
        fact: what it said.
        things: URIs of all that it names, those of its device's attachment included.
    """

    time: datetime
    device: str
    device_kind: str
    run: int
    seq: int
    fact: Told
    things: frozenset[str]

    @property
    def order(self) -> tuple[datetime, str, int, int]:
        """The total order of reports."""
        return (self.time, self.device, self.run, self.seq)


class Document(Struct, frozen=True):
    """What a person, a partner's system or customs said of the shipment: a paper, a release, an order.

    Attributes:
        entry: number of the record; among documents of one moment the later one holds.
        number: of the paper; of what it is about, where that has one (a pass).
        time: when it took effect (UTC), not when it was recorded.
        body: what it says, by kind.
        source: ``declared`` by a firm, ``reported`` by a partner, ``decided`` by a person of ours.
        by: who recorded it.
        things: URIs of what it is about; empty: the shipment as a whole.
    """

    entry: int
    number: str
    time: datetime
    body: Body
    source: str
    by: str
    things: frozenset[str] = frozenset()

    @property
    def kind(self) -> str:
        """What sort of document it is: one of ``documents.KINDS``."""
        return str(self.body.__struct_config__.tag)
