"""What people, partners and customs hand in while a story is played."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from simulators.playing.story import Installation, Story, device_of, number_of
from simulators.scripts.actors import Document
from simulators.scripts.timeline import LOCAL, Said

DECIDED_S: Final = 120.0
_AGAIN_S: Final = 0.1


class Desk:
    """Where papers are handed in.

    Args:
        installation: whose API takes them.
        run: of the devices' numbers.
    """

    def __init__(self, installation: Installation, run: int) -> None:
        self._installation = installation
        self._run = run

    def post(self, story: Story, document: Document, events: Sequence[Said]) -> None:
        """Hand a paper in.

        Args:
            story: whose it is.
            document: the paper.
            events: everything that the story's devices say.
        """
        number = number_of(story, document.number)
        moment = story.moment(document.at)
        said: dict[str, Any] = {"time": moment.isoformat(), "source": document.source}
        if document.is_local:
            said = {"dclTime": f"{moment.astimezone(LOCAL):%Y-%m-%d %H:%M:%S}"}
        about = [number_of(story, one) for one in document.shipments]
        if document.kind == "pass":
            body = dict(document.body)
            self._installation.ask(
                "POST", "/v1/passes", said | {"number": number, "body": body, "shipments": about}
            )
            return
        if document.kind == "pass_state":
            self._installation.ask(
                "POST", f"/v1/passes/{quote(number, safe='')}/states", said | dict(document.body)
            )
            return
        said |= {
            "kind": document.kind,
            "number": number if document.number else "",
            "body": dict(document.body),
        }
        said |= {"things": list(document.things)}
        if document.kind == "plate_confirmed" and self._confirm_at_gate(story, document, events):
            return
        if document.device:
            name = device_of(story, document.device)
            path = f"/v1/devices/{name}/documents"
            if document.observed_at is not None:
                seq = self._observed(story, document, events).number
                said["body"] |= {"run": self._run, "seq": seq}
        elif about:
            path, about = f"/v1/shipments/{quote(about[0])}/documents", about[1:]
        else:
            path = f"/v1/things/{quote(document.things[0], safe='')}/documents"
        self._installation.ask("POST", path, said | {"shipments": about})

    def _observed(self, story: Story, document: Document, events: Sequence[Said]) -> Said:
        """The event that a document is about."""
        assert document.observed_at is not None
        name, at = device_of(story, document.device), story.moment(document.observed_at)
        said_then = (one for one in events if (one.device, one.time) == (name, at))
        return next(one for one in said_then if one.fact["type"] != "status")

    def _confirm_at_gate(self, story: Story, document: Document, events: Sequence[Said]) -> bool:
        """As an officer does it, at the gate's decision; False: nothing has been decided there yet."""
        event = self._observed(story, document, events)
        if event.sent > story.moment(document.at):
            return False
        path = f"/v1/gates/{event.fact['gate']}/decisions"
        end = time.monotonic() + DECIDED_S
        while True:
            rows = self._installation.ask("GET", path)["decisions"]
            mine = (self._run, event.number)
            decision = next((row for row in rows if (row["run"], row["seq"]) == mine), None)
            if decision is not None:
                break
            if time.monotonic() > end:
                raise TimeoutError(f"waited {DECIDED_S:g} s for a decision at {event.fact['gate']}")
            time.sleep(_AGAIN_S)
        said = {**document.body, "by": "officer 17"}
        self._installation.ask("POST", f"{path}/{decision['decision_id']}/confirm-plate", said)
        return True
