"""What the API, its pages and its rehearsals answer, against what a script expects of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from simulators.scripts.asking import Answer, Trial
from simulators.scripts.format import Look
from simulators.scripts.timeline import Timeline
from tests.fault.api import Api

PLACE: Final = re.compile(r"\{(shipment|device|pass|moment|finding) ([^{}]+)\}")

Findings = Mapping[str, Sequence[Mapping[str, Any]]]


class Names(NamedTuple):
    """What things are called in a play.

    Attributes:
        number: of a shipment or pass.
        device: of a device.
    """

    number: Callable[[str], str]
    device: Callable[[str], str]


def unanswered(
    api: Api, timeline: Timeline, look: Look, names: Names, standing: Findings, *, as_it_came: bool
) -> Iterator[str]:
    """What isn't answered as it should be, in words.

    Args:
        api: who is asked.
        timeline: whose moments count.
        look: what is expected.
        names: what things are called.
        standing: findings, by the script's number of their shipment.
        as_it_came: arrival was as the script tells it.
    """
    for answer in look.answers:
        if (answer.only and timeline.variant not in answer.only) or (answer.as_it_came and not as_it_came):
            continue
        path = PLACE.sub(lambda found: _filled(found, timeline, names, standing), answer.get)
        yield from (f"{timeline.variant} {answer.get}: {wrong}" for wrong in _wrong(answer, api.read(path)))
    for trial in look.trials:
        if not trial.only or timeline.variant in trial.only:
            yield from _untried(api, timeline, trial, names)


def _filled(found: re.Match[str], timeline: Timeline, names: Names, standing: Findings) -> str:
    kind, text = found[1], found[2]
    if kind == "moment":
        return quote(timeline.moment(text).isoformat(), safe="")
    if kind == "finding":
        shipment, rule = text.split()
        ids = [one["finding_id"] for one in standing[shipment] if one["rule"] == rule]
        return ids[0] if ids else "none"
    if kind == "device":
        return names.device(text)
    return quote(names.number(text), safe="")


def _wrong(answer: Answer, text: str) -> Iterator[str]:
    told: Any = text
    if answer.at:
        try:
            told = _at(json.loads(text), answer.at)
        except (LookupError, ValueError):
            yield f"has nothing at {answer.at}"
            return
    where = f"{answer.at or 'the answer'} is {_short(told)}"
    if answer.equals is not None and not fits(answer.equals, told, answer.within):
        yield f"{where}, not {_short(answer.equals)}"
    if answer.less is not None and not (_is_number(told) and told < answer.less):
        yield f"{where}, not less than {answer.less}"
    if answer.more is not None and not (_is_number(told) and told > answer.more):
        yield f"{where}, not more than {answer.more}"
    shown = told if isinstance(told, str) else json.dumps(told, ensure_ascii=False)
    yield from (f"{where}: doesn't say {one}" for one in answer.says if one not in shown)
    yield from (f"{where}: says {one}" for one in answer.never_says if one in shown)


def _at(document: Any, pointer: str) -> Any:
    """What a JSON Pointer (RFC 6901) names."""
    for step in pointer.removeprefix("/").split("/"):
        plain = step.replace("~1", "/").replace("~0", "~")
        document = document[int(plain)] if isinstance(document, list) else document[plain]
    return document


def fits(wanted: Any, told: Any, within: float) -> bool:
    """Whether an answer is what is wanted; of a table only the fields that are named count."""
    if isinstance(wanted, dict):
        return isinstance(told, dict) and all(
            name in told and fits(value, told[name], within) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(told, list)
            and len(told) == len(wanted)
            and all(fits(one, other, within) for one, other in zip(wanted, told, strict=True))
        )
    if _is_number(wanted) and _is_number(told):
        return bool(abs(told - wanted) <= within)
    return bool(type(wanted) is type(told) and wanted == told)


def _untried(api: Api, timeline: Timeline, trial: Trial, names: Names) -> Iterator[str]:
    body = {
        "since": timeline.moment(trial.since).isoformat(),
        "shipments": [names.number(trial.shipment)],
        "terms": timeline.terms(trial.terms) if "legs" in trial.terms else dict(trial.terms),
    }
    told = api.ask("POST", "/v1/rehearsals", body)
    found = {
        "appear": [one["rule"] for one in told["appear"]],
        "vanish": [one["rule"] for one in told["vanish"]],
        "changed": [one["standing"]["rule"] for one in told["changed"]],
        "same": told["same"],
    }
    wanted = {
        "appear": list(trial.appear),
        "vanish": list(trial.vanish),
        "changed": list(trial.changed),
        "same": trial.same,
    }
    if found != wanted:
        yield f"{timeline.variant} {trial.shipment} rehearsed: {found}, not {wanted}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 400 else f"{text[:400]}…"
