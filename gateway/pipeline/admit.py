"""Step 2, admit: could this device have said this, then? Pure.

Times are judged against the broker's, never against our clock: a backlog after downtime is as good as
fresh.
"""

from __future__ import annotations

from collections.abc import Sequence

from devices.observation import Observation, moment
from devices.topics import EVENTS, Topic, parse, split_name
from gateway.pipeline.limits import DAY, SECOND, Limits
from gateway.pipeline.load import Heard, Load
from gateway.pipeline.tools import Tools
from tracking.store.record import NoteRow


def admit(load: Load, tools: Tools) -> None:
    """Reject what no registered device can have sent, or not then; note what is merely odd."""
    limits = tools.limits
    load.late_us = load.now_us - limits.late_window_us
    for index in load.unknown:
        _turn_away(load, index)
    received = [message.received_us for message in load.messages]
    for heard in load.heard.values():
        if heard.device.revoked_us is not None or _has_odd(heard, received, limits):
            _judge(load, heard, received, limits)


def _turn_away(load: Load, index: int) -> None:
    message = load.messages[index]
    try:
        topic = parse(message.topic)
    except ValueError as error:
        load.reject_message(index, "topic_mismatch", str(error))
        return
    if topic.channel != EVENTS:
        load.reject_message(index, "topic_mismatch", f"events belong to …/{EVENTS}, not …/{topic.channel}")
        return
    if message.leaf and message.leaf != topic.park:
        load.reject_message(index, "topic_mismatch", f"it comes from the leaf node of {message.leaf}")
        return
    load.reject_message(index, "unknown_device", f"no device {topic.name} is registered")
    at = message.received_us
    load.notes.append(NoteRow(None, "unknown_device", at, at, 1, {"device": topic.name}))


def _has_odd(heard: Heard, received: Sequence[int], limits: Limits) -> bool:
    """Whether any of a device's events needs a closer look; nearly always none does."""
    earliest, latest = -limits.late_batch_us, limits.skew_us
    for observation, index in zip(heard.events, heard.origins, strict=True):
        if not earliest <= observation.time_us - received[index] <= latest or observation.device is not None:
            return True
    return False


def _judge(load: Load, heard: Heard, received: Sequence[int], limits: Limits) -> None:
    """Go through one device's events, keep those that may be taken."""
    trusted = load.replay is not None and load.replay.trust_time
    topic = Topic(*split_name(heard.device.name), EVENTS)
    events, origins = heard.events, heard.origins
    heard.events, heard.origins = [], []
    skewed: list[int] = []
    late: list[int] = []
    for observation, index in zip(events, origins, strict=True):
        ahead_us = observation.time_us - received[index]
        wrong = _what_is_wrong(heard, topic, observation, received[index], limits, trusted)
        if wrong is not None:
            load.reject_observation(index, heard.device, *wrong, observation)
            continue
        heard.events.append(observation)
        heard.origins.append(index)
        if ahead_us > limits.skew_us:
            skewed.append(ahead_us)
        elif ahead_us < -limits.late_batch_us:
            late.append(-ahead_us)
    if load.replay is None:
        _note(load, heard, "clock_skew", skewed)
        _note(load, heard, "late_batch", late)


def _what_is_wrong(
    heard: Heard, topic: Topic, observation: Observation, received_us: int, limits: Limits, trusted: bool
) -> tuple[str, str] | None:
    """The reason and the detail of a rejection, or None."""
    ahead_us = observation.time_us - received_us
    revoked_us = heard.device.revoked_us
    if revoked_us is not None and received_us >= revoked_us:
        return "revoked_device", f"revoked at {moment(revoked_us).isoformat()}"
    if not topic.agrees_with(observation.device):
        return "topic_mismatch", f"the event says that {observation.device} sent it"
    if ahead_us > limits.future_us and not trusted:
        return "future", f"{ahead_us / SECOND:.0f} s after the broker received it"
    if ahead_us < -limits.floor_us and not trusted:
        return "too_old", f"{-ahead_us / DAY:.0f} days before the broker received it"
    return None


def _note(load: Load, heard: Heard, kind: str, distances_us: Sequence[int]) -> None:
    """One note a device, kind and batch, however many events it is about."""
    if distances_us:
        arrivals = [load.messages[index].received_us for index in heard.origins]
        detail = {"most_s": round(max(distances_us) / SECOND, 3)}
        load.notes.append(
            NoteRow(heard.device.device_id, kind, min(arrivals), max(arrivals), len(distances_us), detail)
        )
