"""Plays stories on a real installation: the clock goes forward, devices publish, people post, and at each
look what stands is compared with what should.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from simulators.places import load as load_places
from simulators.playing.acts import Act, Looks, at_the_end, opened_by, steps, taken
from simulators.playing.comparing import Compared, compare
from simulators.playing.papers import Desk
from simulators.playing.story import Exists, Installation, Story, device_of, number_of
from simulators.playing.voices import PATIENCE_S, Voices
from simulators.scripts.actors import Shipment
from simulators.scripts.format import Look
from simulators.scripts.timeline import Said

STEP: Final = timedelta(minutes=10)
RUN: Final = 1
"""Of the devices' numbers, in a first play."""
_TRY_S: Final = 0.004
_AGAIN_S: Final = 0.5


class Player:
    """Plays on one installation.

    Args:
        installation: whose clock hasn't come to the beginning of any story yet.
        run: of the devices' numbers; each play on an installation needs another.
        step: at most so much of a story's time is published at once.

    Attributes:
        looked: what each look found, with the story's name.
        published: events.
    """

    def __init__(self, installation: Installation, *, run: int = RUN, step: timedelta = STEP) -> None:
        self.installation = installation
        self.places = load_places()
        self.secrets: dict[str, str] = {}
        self.looked: list[tuple[str, Compared]] = []
        self.published = 0
        self._run, self._step = run, step
        self._last: dict[str, int] = {}
        self._desk = Desk(installation, run)
        self._voices = Voices(*installation.broker, self.secrets, run)
        self._stored_before = self._stored()
        self._build()

    @property
    def compared(self) -> list[Compared]:
        """What each look found."""
        return [compared for _, compared in self.looked]

    @property
    def said(self) -> Mapping[tuple[str, int], tuple[dict[str, Any], bytes]]:
        """By device and number, what was published and the message that it went out in."""
        return self._voices.said

    def close(self) -> None:
        """Let the devices go."""
        self._voices.close()

    def play(
        self,
        stories: Sequence[Story],
        *,
        looks: Looks = Looks.ALL,
        tell: Callable[[int, int, datetime], None] = lambda *_: None,
        midway: Callable[[], None] | None = None,
        shuffled: random.Random | None = None,
    ) -> None:
        """Play these stories at the same time.

        Args:
            stories: the stories.
            looks: which of their looks are taken.
            tell: told before each act how many are done, of how many, and the moment that comes.
            midway: done when half of everything has been done.
            shuffled: everything that devices say arrives at their story's last look, in any order, and only
                that look is taken.
        """
        acts: list[Act] = []
        told = self._numbered(stories)
        for story, said in zip(stories, told, strict=True):
            events = said if shuffled is None else at_the_end(story, said, shuffled)
            looked_at = taken(story, looks if shuffled is None else Looks.LAST)
            acts += self._acts(story, events, looked_at, len(acts), hindsight=looks is Looks.HINDSIGHT)
        acts.sort()
        for place, act in enumerate(acts):
            tell(place, len(acts), act.at)
            if midway is not None and place == len(acts) // 2:
                midway()
            self.installation.reach(act.at)
            act.do()

    def _numbered(self, stories: Sequence[Story]) -> list[list[Said]]:
        """What each story's devices say, each device counting on through all of them in order of time."""
        told = [list(self._named(story)) for story in stories]
        numbers: dict[tuple[int, str, int], int] = {}
        events = {
            (one.device, one.time, place, one.number) for place, said in enumerate(told) for one in said
        }
        for device, _, place, number in sorted(events):
            self._last[device] = self._last.get(device, 0) + 1
            numbers[place, device, number] = self._last[device]
        return [
            [one._replace(number=numbers[place, one.device, one.number]) for one in said]
            for place, said in enumerate(told)
        ]

    def _acts(
        self, story: Story, said: Sequence[Said], looks: Sequence[Look], first: int, *, hindsight: bool
    ) -> Iterator[Act]:
        self._register(story)
        place = first
        yield Act(story.begins, 0, place, partial(self._open, story))
        for document in story.documents:
            place += 1
            at = story.moment(document.told_at or document.at)
            yield Act(at, 1, place, partial(self._desk.post, story, document, said))
        for revision in story.revisions:
            place += 1
            body = {"from": story.moment(revision.at).isoformat(), "terms": story.terms(revision.terms)}
            path = f"/v1/shipments/{quote(number_of(story, revision.shipment))}/terms"
            yield Act(
                story.moment(revision.at),
                1,
                place,
                partial(self._ask, "PUT", path, body),
            )
        breaks = sorted(
            [story.moment(look.at) for look in looks]
            + [story.moment(one.told_at or one.at) for one in story.documents]
        )
        for at, events in steps(said, breaks, self._step):
            place += 1
            yield Act(at, 2, place, partial(self.publish, story, events))
        for look in looks:
            place += 1
            yield Act(story.moment(look.at), 3, place, partial(self._look, story, look, hindsight=hindsight))

    def _ask(self, method: str, path: str, body: Any) -> None:
        self.installation.ask(method, path, body)

    def _build(self) -> None:
        for code, park in self.places.parks.items():
            self.installation.ask("PUT", f"/v1/parks/{code}", park)
        self.installation.ask("POST", "/v1/zones", self.places.zones)
        self.installation.ask("POST", "/v1/corridors", self.places.corridors)

    def _register(self, story: Story) -> None:
        for device in story.devices:
            name = device_of(story, device.name)
            park, code = name.split("/")
            if name not in self.secrets:
                body = {"park": park, "code": code, "kind": device.kind, "datum": device.datum}
                body["expected_every_s"] = device.expected_every_s  # type: ignore[assignment]
                self.secrets[name] = self._secret(name, body)
            if device.on:
                attachment: dict[str, Any] = {"device": name, "thing": device.on, "role": device.role}
                attachment["from"] = self._iso(story, device.begins) or story.begins.isoformat()
                attachment["to"] = self._iso(story, device.ends) or self._over(story)
                self.installation.ask("POST", "/v1/attachments", attachment)

    def _secret(self, name: str, body: dict[str, Any]) -> str:
        """A device's secret; of one that was registered before us, a new one."""
        try:
            answer = self.installation.ask("POST", "/v1/devices", body)
        except Exists:
            answer = self.installation.ask("POST", f"/v1/devices/{name}/secret", {})
        return str(answer["secret"])

    def _open(self, story: Story) -> None:
        for shipment in story.shipments:
            self.installation.ask("POST", "/v1/shipments", self._body(story, shipment))

    def _body(self, story: Story, shipment: Shipment) -> dict[str, Any]:
        return {
            "number": number_of(story, shipment.number),
            "park": shipment.park,
            "reference": shipment.reference,
            "things": story.things(shipment),
            "from": story.moment(shipment.begins).isoformat(),
            "terms": story.terms(shipment.terms),
        }

    def publish(self, story: Story, events: Sequence[Said]) -> None:  # noqa: ARG002 - who listens asks whose
        """Publish events of a story, and wait until the broker has stored them.

        Raises:
            TimeoutError: it didn't in time.
        """
        before = self._voices.messages
        self.published += self._voices.say(events)
        self._await_stored(self._voices.messages - before)

    def _await_stored(self, messages: int) -> None:
        """A broker stamps what it stores, maybe after it acknowledged it: until then the clock waits."""
        if self._stored_before is None:
            return
        wanted = self._stored_before + messages
        deadline = time.monotonic() + PATIENCE_S
        while (stored := self._stored() or 0) < wanted:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{wanted - stored} messages were acknowledged and aren't stored")
            time.sleep(_TRY_S)
        self._stored_before = stored

    def _stored(self) -> int | None:
        """As the installation says it, also where its broker is just being started again.

        Raises:
            TimeoutError: the broker doesn't say.
        """
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self.installation.stored()
            except OSError as error:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"the broker doesn't say what it has stored: {error}") from None
                time.sleep(_AGAIN_S)

    def asked(
        self,
        story: Story,  # noqa: ARG002 - who asks more overrides this
        look: Look,  # noqa: ARG002
        standing: Mapping[str, list[dict[str, Any]]],  # noqa: ARG002
    ) -> Iterator[str]:
        """What else is asked at a look and isn't as it should be, in words: nothing here.

        Args:
            story: whose look it is.
            look: the look.
            standing: findings, by the story's number of their shipment.
        """
        yield from ()

    def _named(self, story: Story) -> Iterator[Said]:
        """Passes and devices that aren't gates belong to a variant, as its shipments do."""
        names = {device.name: device_of(story, device.name) for device in story.devices}
        for event in story.said():
            fact = event.fact
            if "pass" in fact:
                fact = {**fact, "pass": number_of(story, fact["pass"])}
            yield event._replace(device=names[event.device], fact=fact)

    def _look(self, story: Story, look: Look, *, hindsight: bool) -> None:
        self.installation.settle(story.moment(look.at))
        standing = {}
        for shipment in story.shipments:
            number = number_of(story, shipment.number)
            answer = self.installation.ask("GET", f"/v1/shipments/{quote(number)}/custody")
            standing[shipment.number] = [
                one for one in answer["findings"] if not hindsight or opened_by(one, story.moment(look.at))
            ]
        expected = [one for one in look.expect if not one.only or story.name in one.only]
        compared = compare(story, expected, standing)
        compared.missing.extend(self._undecided(story, look))
        compared.missing.extend(self._unchained(story, look))
        compared.missing.extend(self.asked(story, look, standing))
        self.looked.append((story.name, compared))

    def _unchained(self, story: Story, look: Look) -> Iterator[str]:
        """Shipments whose chain of custody isn't what it should be."""
        for shipment, wanted in look.continuity.items():
            number = number_of(story, shipment)
            answer = self.installation.ask("GET", f"/v1/shipments/{quote(number)}/coverage")
            told = answer["continuity"]["verdict"]
            if told != wanted:
                yield f"{story.name} {shipment} chain {wanted}: it is {told}"

    def _undecided(self, story: Story, look: Look) -> Iterator[str]:
        """Gates whose newest decision isn't what it should be."""
        for gate, wanted in look.gates.items():
            rows = self.installation.ask("GET", f"/v1/gates/{gate}/decisions")["decisions"]
            told = rows[0]["decision"] if rows else "nothing"
            if told != wanted:
                yield f"{story.name} {gate} decides {wanted}: it decided {told}"

    @staticmethod
    def _iso(story: Story, text: str | None) -> str | None:
        return None if text is None else story.moment(text).isoformat()

    @staticmethod
    def _over(story: Story) -> str:
        last = story.moment(story.looks[-1].at)
        return (last + timedelta(hours=1)).isoformat()
