"""What a script asks beside findings: answers of API and pages, rehearsals, how soon an alarm comes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from simulators.scripts.actors import Clock, Item, Name
from simulators.toml_files import Positive, Table

Value: TypeAlias = str | int | float | bool | list[Any] | dict[str, Any]


class Answer(Item, frozen=True):
    """What an address must answer.

    ``get`` may hold ``{shipment S5-BOX}``, ``{device SIP/T-41}``, ``{pass Z23…}``, ``{moment +1 08:00}`` and
    ``{finding S5-BOX swap_suspected}``: what that is called in this play.

    Attributes:
        get: address, of the API or of a page.
        at: where in the answer, as a JSON Pointer; empty: the whole, as a text.
        equals: what must stand there; of a table only the fields that it names.
        within: how far a number may be from that.
        less: a number must be less than this.
        more: a number must be more than this.
        says: texts that must stand there.
        never_says: texts that mustn't.
        as_it_came: speaks of how things arrived: not asked when arrival was changed.
    """

    get: str
    at: str = ""
    equals: Value | None = None
    within: float = 0.0
    less: float | None = None
    more: float | None = None
    says: tuple[str, ...] = ()
    never_says: tuple[str, ...] = ()
    as_it_came: bool = False


class Trial(Table, frozen=True):
    """What a rehearsal of other terms must show: the rules of the alerts that differ, as often as they do.

    Attributes:
        shipment: whose terms.
        since: from when on they would have held.
        terms: whole, or a patch.
        appear: would have been raised, and weren't.
        vanish: were raised, and wouldn't have been.
        changed: would be told otherwise.
        same: how many alerts would be as they are.
        only: the variants in which it holds; empty: all.
    """

    shipment: str
    since: Clock
    terms: Mapping[str, Any]
    same: int
    appear: tuple[str, ...] = ()
    vanish: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    only: tuple[str, ...] = ()


class Alarm(Item, frozen=True):
    """How soon an alert must be heard after what it is about was said, by the machine's clock.

    Attributes:
        at: time of the event, a seal's, a gate's or a handover's.
        device: whose.
        shipment: that the alert is about.
        rule: its code.
        within_s: seconds from publishing to the alert on the stream.
    """

    at: Clock
    device: Name
    shipment: str
    rule: str
    within_s: Positive
