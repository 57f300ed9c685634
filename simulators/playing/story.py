"""What can be played, and on what: two protocols that keep the player free of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from simulators.scripts.actors import Device, Document, Revision, Shipment
from simulators.scripts.format import Look
from simulators.scripts.timeline import Said


class Exists(Exception):
    """The installation has that already; the message is its answer."""


class Story(Protocol):
    """Something that happens at moments of its own; a script's timeline is one, a simulated world another."""

    @property
    def name(self) -> str:
        """What differences are reported under."""
        ...

    @property
    def suffix(self) -> str:
        """Added to numbers and to names of devices, so that variants don't meet; empty: nothing."""
        ...

    @property
    def begins(self) -> datetime:
        """When the clock starts."""
        ...

    @property
    def looks(self) -> Sequence[Look]:
        """What is asked, in order of time."""
        ...

    @property
    def devices(self) -> Sequence[Device]:
        """Who reports."""
        ...

    @property
    def shipments(self) -> Sequence[Shipment]:
        """What is under custody."""
        ...

    @property
    def documents(self) -> Sequence[Document]:
        """What people say."""
        ...

    @property
    def revisions(self) -> Sequence[Revision]:
        """New terms."""
        ...

    def moment(self, text: str) -> datetime:
        """A story's moment in UTC."""
        ...

    def terms(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """Terms as the API takes them."""
        ...

    def things(self, shipment: Shipment) -> list[str]:
        """What a shipment consists of."""
        ...

    def said(self) -> list[Said]:
        """Every event, in the order in which they are sent."""
        ...


class Installation(Protocol):
    """What stories are played on."""

    @property
    def broker(self) -> tuple[str, int]:
        """Host and port of its MQTT listener."""
        ...

    def stored(self) -> int | None:
        """Messages of devices that its broker has stored so far, ever; None: it doesn't say.

        Raises:
            OSError: the broker doesn't answer.
        """
        ...

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One request to its API.

        Raises:
            Exists: it answers that it has that already; any other error is the installation's own.
        """
        ...

    def reach(self, moment: datetime) -> None:
        """Let its clock come to a moment."""
        ...

    def settle(self, moment: datetime) -> None:
        """Wait until everything up to a moment, and everything published so far, is recorded and judged."""
        ...


def number_of(story: Story, number: str) -> str:
    """What a story's shipment or pass is called in a play."""
    return f"{number}-{story.suffix}" if story.suffix else number


def device_of(story: Story, name: str) -> str:
    """What a story's device is called in a play: gates are everybody's."""
    is_gate = any(one.kind == "gate" for one in story.devices if one.name == name)
    return name if is_gate else number_of(story, name)
