"""What a worker brings to every batch: its connection, what it knows of the world, where receipts wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.pipeline.limits import LIMITS, Limits
from gateway.pipeline.live import Live
from gateway.pipeline.mailbox import Mailbox
from gateway.pipeline.reference import Reference
from tracking.domain.tracks import DEFAULTS, Parameters
from tracking.store.database import Connection
from tracking.store.partitions import Partitions


@dataclass(slots=True)
class Tools:
    """One worker's own; the steps of one batch after the other use them, never two at a time.

    Attributes:
        worker: unique for each start of a process; stands with every batch that it commits.
        connection: in autocommit; the road opens the transactions.
        reference: devices and places, as last read.
        partitions: what this worker knows to be there.
        mailbox: receipts that wait to be sent.
        live: says when the live map may hear of positions again.
        steady_s: seconds of a clock that only runs forward: a clock that is set back holds up no receipt.
    """

    worker: str
    connection: Connection
    reference: Reference
    limits: Limits = LIMITS
    parameters: Parameters = DEFAULTS
    partitions: Partitions = field(default_factory=Partitions)
    mailbox: Mailbox = field(default_factory=Mailbox)
    live: Live = field(default_factory=Live)
    steady_s: Callable[[], float] = time.monotonic
