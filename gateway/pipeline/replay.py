"""Rejections that are tried again: the same message, at the time at which it first arrived, down the
same road.

A rejected number counts as heard, so that it is no gap. Its own replay is therefore the one thing that
may still record it: an event whose number is in, but stands nowhere in the record, is new when it comes
as a replay. All else is as for any batch: what was recorded meanwhile is a duplicate, and a number that
another event has is ``seq_reused``. So a replay can be repeated, interrupted and run twice at once, and
records an event once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from devices.observation import micros
from gateway.pipeline.batch import Advance, Message
from gateway.pipeline.load import Replay
from gateway.pipeline.road import Road
from tracking.store.rejections import Rejection

SOURCE: Final = "replay"


class ReplayBatch(Struct, frozen=True):
    """One rejected message, as it came. It moves no position, and no broker waits for it."""

    messages: Sequence[Message]
    epoch_owner: str
    source: str = SOURCE
    advances: Sequence[Advance] = ()
    epochs: Mapping[int, int] = {}
    through_us: int = 0

    async def acknowledge(self) -> None:
        """Nobody is to be told."""


class Replayed(Struct, frozen=True):
    """What became of a rejection.

    Attributes:
        recorded: its events that are recorded now.
        known: its events that were recorded already.
        reasons: why the rest is still refused; empty when nothing is, and the rejection is marked as
            replayed.
    """

    recorded: int
    known: int
    reasons: Sequence[str]


async def replay(road: Road, rejection: Rejection, *, trust_time: bool = False) -> Replayed:
    """Try a rejection again.

    Args:
        road: of a worker that has no other batch under way.
        rejection: as it was kept.
        trust_time: take its time as it stands: the broker's clock was wrong, or the past is to be
            completed.
    """
    message = Message(
        rejection.topic,
        rejection.payload,
        micros(rejection.received_at),
        rejection.properties,
        rejection.leaf,
    )
    batch = ReplayBatch([message], road.tools.worker)
    load = await road.travel(batch, replay=Replay([rejection.rejection_id], trust_time))
    refused = {row.reason for row in load.rejections.values()}
    refused |= {one.reason for heard in load.heard.values() for one in heard.refused}
    return Replayed(
        recorded=sum(len(heard.events) for heard in load.heard.values()),
        known=sum(len(heard.again) for heard in load.heard.values()),
        reasons=sorted(refused),
    )
