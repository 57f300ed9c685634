"""The checkpointer: what has been committed becomes leaves of the log, and the log's head is signed.

1. lock      one checkpointer at a time; another one passes
2. collect   committed rows without a leaf, kind by kind, in the order of their keys
3. append    their leaves, and the full subtrees that these complete
4. sign      the tree's new head, in the same transaction
5. publish   the head as a file that anyone may keep, after the commit

The transactions that write those rows neither wait for the log nor take a lock for it. A key that was drawn
early may be committed late, so a row without a leaf is looked for by its absence from the log, not behind the
last key that was logged. Only keys that no running transaction can still commit are never looked at again
(``_Floors``); a checkpointer that has just begun looks at all.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Final

import msgspec
import psycopg
import structlog

from tracking.domain.ledger.checkpoint import Checkpoint, Signer
from tracking.domain.ledger.merkle import Node
from tracking.judge import measures
from tracking.judge.loop import BACKOFF_S
from tracking.store import judging, log
from tracking.store.database import Connection, is_passing

EVERY: Final = timedelta(seconds=2)
"""From one look for new rows to the next; what is committed has a signed leaf well within ten seconds."""

LOG_LOCK: Final = 0x42570011
"""Advisory lock of whoever appends to the log."""

MOST_LEAVES: Final = 20_000
"""Of one kind in one transaction, so that the first round over a large database holds nothing up for long."""

GROWING: Final = frozenset(
    {
        "batch",
        "custody",
        "action",
        "aggregation",
        "containment",
        "document",
        "terms",
        "goods",
        "shipment",
        "attachment",
        "device",
        "area",
        "retention",
    }
)
"""Kinds whose rows get a leaf when they are inserted. The others are found among older rows."""

logger: Final = structlog.get_logger(__name__)


class _Floors:
    """Up to which key of each kind no row can still appear without a leaf.

    A key that is drawn is committed, or given up, by a transaction that is running or about to write. So what
    was logged a round ago is settled when all transactions have ended that had begun to write by now.
    """

    def __init__(self) -> None:
        self._settled: dict[str, int] = {}
        self._seen: dict[str, int] = {}
        self._before: dict[str, int] = {}
        self._awaited: tuple[int, dict[str, int]] | None = None

    def of(self, kind: str) -> int:
        return self._settled.get(kind, 0)

    def saw(self, kind: str, key: int) -> None:
        if kind in GROWING:
            self._seen[kind] = max(key, self._seen.get(kind, 0))

    def settle(self, horizon: int, newest: int) -> None:
        """At the end of a round that left no row without a leaf.

        Args:
            horizon: read before the round; all transactions below it have ended.
            newest: read after it.
        """
        if self._awaited is not None and horizon >= self._awaited[0]:
            self._settled, self._awaited = self._awaited[1], None
        if self._awaited is None:
            self._awaited = (newest, self._before)
        self._before = dict(self._seen)


class Checkpointer:
    """One process's share of the log.

    Args:
        signer: whose signature the heads carry.
        folder: where heads are published as files; made when missing.
    """

    def __init__(self, signer: Signer, folder: Path | None = None) -> None:
        self._signer = signer
        self._folder = folder
        self._floors = _Floors()
        self._is_known = False

    def advance(self, conn: Connection, now: datetime) -> Checkpoint | None:
        """Append what is new and sign the head. None: there was nothing, or another one is at it."""
        with conn.transaction():
            if not judging.try_lock(conn, LOG_LOCK):
                return None
            if not self._is_known:
                log.use_key(conn, self._signer.key_id, self._signer.public_key, now)
            horizon = log.horizon(conn)
            leaves, is_all = self._collect(conn)
            newest = log.newest_transaction(conn)
            checkpoint = self._append(conn, leaves, now) if leaves else None
        self._is_known = True
        for kind, key, _ in leaves:
            self._floors.saw(kind, key)
        if is_all:
            self._floors.settle(horizon, newest)
        measures.LEAVES.inc(len(leaves))
        if checkpoint is not None:
            measures.LOG_SIZE.set(checkpoint.size)
            if self._folder is not None:
                publish(self._folder, checkpoint, self._signer.public_key)
        return checkpoint

    def _collect(self, conn: Connection) -> tuple[list[tuple[str, int, bytes]], bool]:
        leaves: list[tuple[str, int, bytes]] = []
        is_all = True
        log.number_findings(conn, self._floors.of("custody"))
        for kind in log.KINDS:
            found = log.waiting(conn, kind, after=self._floors.of(kind), limit=MOST_LEAVES)
            leaves += [(kind, key, hashed) for key, hashed in found]
            is_all = is_all and len(found) < MOST_LEAVES
        return leaves, is_all

    def _append(self, conn: Connection, leaves: list[tuple[str, int, bytes]], now: datetime) -> Checkpoint:
        tree = log.frontier(conn)
        log.append(conn, tree.size, leaves)
        completed: list[Node] = []
        for _, _, hashed in leaves:
            completed += tree.append(hashed)
        log.add_nodes(conn, completed)
        checkpoint = self._signer.sign(tree.size, tree.root(), now)
        log.add_checkpoint(conn, checkpoint, tree.nodes)
        return checkpoint


def publish(folder: Path, checkpoint: Checkpoint, public_key: bytes) -> None:
    """Write a head to ``latest.json`` and to the file of its hour, each whole or not at all."""
    folder.mkdir(exist_ok=True)
    content = msgspec.json.format(
        msgspec.json.encode(
            {
                "signed": msgspec.Raw(checkpoint.text),
                "signature": checkpoint.signature.hex(),
                "public_key": public_key.hex(),
            }
        )
    )
    for name in (f"{checkpoint.made_at:%Y-%m-%dT%H}.json", "latest.json"):
        draft = folder / f".{name}.{os.getpid()}"
        draft.write_bytes(content + b"\n")
        draft.rename(folder / name)


def run(
    connect: Callable[[], Connection], checkpointer: Checkpointer, stop: Event, now: Callable[[], datetime]
) -> None:
    """Keep the log up to date until told to stop; survive the database's restarts."""
    failures = 0
    while not stop.is_set():
        try:
            with connect() as conn:
                while not stop.is_set():
                    checkpointer.advance(conn, now())
                    failures = 0
                    stop.wait(EVERY.total_seconds())
        except psycopg.Error as error:
            if not is_passing(error):
                raise
            logger.warning("the log waits", error=str(error).strip(), attempt=failures + 1)
            stop.wait(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
            failures += 1
