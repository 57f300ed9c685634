"""Who and what a script is about: devices, shipments with their terms, and what people say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeAlias

from msgspec import Meta

from devices.observation import Code
from simulators.toml_files import Positive, Table

Clock: TypeAlias = Annotated[str, Meta(pattern=r"^([+-]\d{1,3} )?\d{2}:\d{2}(:\d{2})?(?!\n)$")]
Name: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}/[A-Za-z0-9_-]{1,64}(?!\n)$")]


class Item(Table, frozen=True, kw_only=True):
    """What every table may say.

    Attributes:
        only: the variants in which it holds; empty: all.
    """

    only: tuple[str, ...] = ()


class Device(Item, frozen=True):
    """A device and what it is on.

    Attributes:
        name: ``SIP/TRK-1``.
        kind: ``tracker``, ``sensor``, ``seal``, ``gate``, ``scanner`` and so on.
        on: what it is attached to: a container, a plate, an own code; empty: nothing.
        role: of the attachment.
        begins: of the attachment; empty: long before.
        ends: of the attachment; empty: never.
        expected_every_s: interval that the registration states, seconds.
        datum: of its coordinates.
        heartbeat_s: how often it says that it is well, seconds, from the story's beginning to its last look.
    """

    name: Name
    kind: str = "tracker"
    on: str = ""
    role: str = "primary"
    begins: Clock | None = None
    ends: Clock | None = None
    expected_every_s: Annotated[int, Meta(ge=1)] = 300
    datum: str = "wgs84"
    heartbeat_s: Positive | None = None


class Series(Table, frozen=True):
    """Things that are numbered.

    Attributes:
        codes: ``{n}`` in it counts, in six digits.
        count: how many.
        first: the first number.
    """

    codes: str
    count: Annotated[int, Meta(ge=1)]
    first: int = 1


class Shipment(Item, frozen=True):
    """A shipment.

    Attributes:
        number: its number.
        park: whose it is.
        things: what it consists of.
        begins: from when it consists of them, and its terms hold.
        reference: declaration or bill.
        series: more things of it.
        terms: as the API takes them; ``not_before`` and ``deadline`` of legs may be moments of the script.
    """

    number: str
    park: Code
    things: Annotated[Sequence[str], Meta(min_length=1)]
    begins: Clock
    terms: Mapping[str, Any]
    reference: str = ""
    series: tuple[Series, ...] = ()


class Revision(Item, frozen=True):
    """New terms.

    Attributes:
        at: from when they hold, and when they are given.
        shipment: its number.
        terms: as the API takes them.
    """

    at: Clock
    shipment: str
    terms: Mapping[str, Any]


class Document(Item, frozen=True):
    """What people, partners or customs say.

    Attributes:
        at: when it takes effect.
        told_at: when it is recorded; empty: then.
        kind: ``pass``, ``pass_state``, ``unlock_order``, ``release`` and so on.
        number: of the paper.
        shipments: numbers of those that it is about.
        things: that it is about, instead.
        device: that it is about, instead.
        observed_at: moment of that device's event that it is about.
        body: its fields.
        source: ``declared``, ``reported`` by a partner, or ``decided`` by a person.
        is_local: a pass's moment goes out as customs' messages have it: local, without an offset.
    """

    at: Clock
    kind: str
    told_at: Clock | None = None
    number: str = ""
    shipments: tuple[str, ...] = ()
    things: tuple[str, ...] = ()
    device: str = ""
    observed_at: Clock | None = None
    body: Mapping[str, Any] = {}
    source: str = "declared"
    is_local: bool = False
