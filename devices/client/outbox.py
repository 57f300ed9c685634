"""The durable outbox: an event is in it from `report` until its receipt, whatever dies in between.

One SQLite file for one device, held by one process at a time (a second opener is refused at once).

- ``run`` is drawn when the file is made; ``seq`` counts up by one and its last value stands in the file, so
  a number is never used twice, even after every row is gone.
- An event's bytes are made once, with its number, and stored: what is sent again is what was sent first.
- Journal mode WAL, ``synchronous=FULL``: a commit is on disk before `append` returns. ``NORMAL`` survives
  kill -9 as well, but a power cut may take the newest commits back, and then their numbers would be given to
  other events: the gateway would refuse those as ``seq_reused``. So ``NORMAL`` is for machines that cannot
  lose power without losing the device too (a simulator, a test).
- Confirmed events stay for a while (``keep``), because the gateway may ask for numbers that it misses.

Source: https://www.sqlite.org/pragma.html#pragma_synchronous, https://www.sqlite.org/wal.html
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal, NamedTuple

from devices.client.facts import Tail, written
from devices.messages import Refusal

FORMAT: Final = "1"

_SCHEMA: Final = files("devices.client").joinpath("outbox.sql")

_PICK: Final = """
select seq, body from events
where confirmed = 0 and seq in (select value from json_each(?))
order by seq
"""
_REFUSE: Final = """
insert or ignore into rejected
select seq, body, ?, ?, ? from events where seq = ? and confirmed = 0
"""
_KEEP_COMMANDS: Final = 1_000
_FIRST_RUN: Final = 1  # 0 is the run of devices that have none


class OutboxError(Exception):
    """The outbox can't be used as asked; the message says why and what to do."""


class OutboxFull(OutboxError):
    """There is no room: as many events wait for their receipt as the outbox may hold. Nothing was stored."""


class Stored(NamedTuple):
    """An event as it stands in the outbox: its number and its bytes."""

    seq: int
    body: bytes


class Refused(NamedTuple):
    """An event that the gateway will never take, with its reason."""

    seq: int
    body: bytes
    reason: str
    detail: str


class Settled(NamedTuple):
    """How many waiting events a receipt settled; none for a receipt that says nothing new."""

    confirmed: int
    rejected: int


class Outbox:
    """Events of one device that wait for their receipt, on disk. Every method may be called from any thread.

    Args:
        path: the file; made if it isn't there, with its directory.
        name: the device's name, ``SIP/TRK-001``. A file made for another device is refused.
        capacity: how many events may wait; beyond it `append` raises `OutboxFull`.
        keep: confirmed events among the last so many numbers stay, to be sent again when asked for.
        synchronous: ``FULL``, or ``NORMAL`` where power and device fail together (see the module).

    Raises:
        OutboxError: the file belongs to another device, or another process holds it.
    """

    run: Final[int]

    def __init__(
        self,
        path: Path | str,
        name: str,
        *,
        capacity: int = 100_000,
        keep: int = 10_000,
        synchronous: Literal["FULL", "NORMAL"] = "FULL",
    ) -> None:
        self.path, self.name, self.capacity, self.keep = Path(path), name, capacity, keep
        self._last_seq = self._waiting = 0
        self._given_up = False
        self._lock = threading.RLock()
        self._room = threading.Condition(self._lock)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=0)
        try:
            self._db.execute("pragma locking_mode = exclusive")
            self._db.execute("pragma journal_mode = wal")
            self._db.execute(f"pragma synchronous = {synchronous}")
            with self._transaction():
                for statement in _SCHEMA.read_text(encoding="utf-8").split(";"):
                    self._db.execute(statement)
                facts = dict(self._db.execute("select name, value from facts_of_this_file").fetchall())
                if not facts:
                    run = _FIRST_RUN + secrets.randbelow(2**31 - _FIRST_RUN)
                    facts = {"format": FORMAT, "device": name, "run": str(run), "last_seq": "0"}
                    insert = "insert into facts_of_this_file values (?, ?)"
                    self._db.executemany(insert, facts.items())
            if facts["format"] != FORMAT:
                raise OutboxError(f"{self.path}: format {facts['format']}, this release reads {FORMAT}")
            if facts["device"] != name:
                raise OutboxError(
                    f"{self.path}: belongs to {facts['device']}, not to {name}; give {name} its own file"
                )
        except sqlite3.OperationalError as error:
            self._db.close()
            raise OutboxError(f"{self.path}: {error}; does another process use it?") from error
        except (sqlite3.DatabaseError, OutboxError):
            self._db.close()
            raise
        self.run = int(facts["run"])
        self._last_seq = int(facts["last_seq"])
        self._waiting = self._db.execute("select count(*) from events where confirmed = 0").fetchone()[0]

    @property
    def last_seq(self) -> int:
        """The last number given; 0 before the first."""
        return self._last_seq

    @property
    def waiting(self) -> int:
        """How many events wait for their receipt."""
        return self._waiting

    def append(self, tails: Sequence[tuple[int, Tail]], *, wait_s: float = 0.0) -> range:
        """Store events and give them their numbers, all of them or none.

        Args:
            tails: for each event its time (milliseconds since the epoch) and its JSON after the time, from
                the first field's name to the closing brace: ``"type":"position",…}``; or what makes it.
            wait_s: how long to wait for room before giving up.

        Returns:
            The numbers given, in order.

        Raises:
            OutboxFull: no room for all of them; none is stored.
        """
        with self._lock:
            self._room.wait_for(lambda: self._fits(tails) or self._given_up, timeout=wait_s)
            if not self._fits(tails):
                raise OutboxFull(
                    f"{self.path}: {self._waiting} events wait for their receipt, and no more than "
                    f"{self.capacity} may; is the device connected?"
                )
            with self._transaction():
                return self._insert(tails)

    def after(self, seq: int, limit: int) -> list[Stored]:
        """The first waiting events with numbers above ``seq``, in order."""
        query = "select seq, body from events where confirmed = 0 and seq > ? order by seq limit ?"
        with self._lock:
            return [Stored(*row) for row in self._db.execute(query, (seq, limit))]

    def pick(self, numbers: Sequence[int]) -> list[Stored]:
        """Those of these numbers that still wait, in order."""
        with self._lock:
            return [Stored(*row) for row in self._db.execute(_PICK, (json.dumps(numbers),))]

    def read(self, first: int, last: int, limit: int) -> list[Stored]:
        """Events with numbers in ``first..last``, waiting or confirmed and still kept, in order."""
        query = "select seq, body from events where seq between ? and ? order by seq limit ?"
        with self._lock:
            return [Stored(*row) for row in self._db.execute(query, (first, last, limit))]

    def settle(
        self, committed: Iterable[tuple[int, int]], rejected: Iterable[Refusal], at_ms: int
    ) -> Settled:
        """Take a receipt in: committed ranges need no more sending, refusals go to their own table."""
        with self._lock, self._transaction():
            confirmed = refused = 0
            for first, last in committed:
                confirmed += self._db.execute(
                    "update events set confirmed = 1 where confirmed = 0 and seq between ? and ?",
                    (first, last),
                ).rowcount
            for refusal in rejected:
                moved = self._db.execute(_REFUSE, (refusal.reason, refusal.detail or "", at_ms, refusal.seq))
                if moved.rowcount:
                    self._db.execute("delete from events where seq = ?", (refusal.seq,))
                    refused += 1
            self._db.execute(
                "delete from events where confirmed = 1 and seq <= ?", (self._last_seq - self.keep,)
            )
            self._waiting -= confirmed + refused
            self._room.notify_all()
            return Settled(confirmed, refused)

    def give_up(self) -> None:
        """Nothing will be settled any more: nobody shall wait for it."""
        with self._lock:
            self._given_up = True
            self._room.notify_all()

    def wait_until_settled(self, timeout_s: float | None) -> bool:
        """Wait until nothing waits for its receipt; False when the time is over first (None: never)."""
        with self._lock:
            self._room.wait_for(lambda: self._waiting == 0 or self._given_up, timeout=timeout_s)
            return self._waiting == 0

    def rejected(self) -> list[Refused]:
        """What the gateway refused for good, oldest first."""
        query = "select seq, body, reason, detail from rejected order by seq"
        with self._lock:
            return [Refused(*row) for row in self._db.execute(query)]

    def held(self, first: int, last: int) -> int:
        """How many of these numbers can be sent again."""
        query = "select count(*) from events where seq between ? and ?"
        with self._lock:
            return int(self._db.execute(query, (first, last)).fetchone()[0])

    def accept(self, command_id: str, body: bytes, at_ms: int) -> bool:
        """Keep a command until it is done; False when it is known already (brokers deliver at least once)."""
        with self._lock, self._transaction():
            new = self._db.execute(
                "insert or ignore into commands (id, body, at_ms) values (?, ?, ?)", (command_id, body, at_ms)
            )
            return new.rowcount == 1

    def undone(self) -> list[bytes]:
        """Commands that were accepted and not answered yet, oldest first."""
        query = "select body from commands where done = 0 order by at_ms, rowid"
        with self._lock:
            return [body for (body,) in self._db.execute(query)]

    def answer(self, command_id: str, time_ms: int, tail: bytes) -> int:
        """Mark a command done and store its answer, both or neither; gives the answer's number.

        An answer may go beyond the capacity: a full outbox must not make a device deaf to its commands.
        """
        with self._lock, self._transaction():
            self._db.execute("update commands set done = 1 where id = ?", (command_id,))
            self._db.execute(
                "delete from commands where done = 1 and rowid <= (select max(rowid) from commands) - ?",
                (_KEEP_COMMANDS,),
            )
            return self._insert([(time_ms, tail)])[0]

    def close(self) -> None:
        """Let the file go. What waits in it is sent by whoever opens it next."""
        with self._lock:
            self._db.close()

    def _fits(self, tails: Sequence[object]) -> bool:
        return self._waiting + len(tails) <= self.capacity

    def _insert(self, tails: Sequence[tuple[int, Tail]]) -> range:
        numbers = range(self._last_seq + 1, self._last_seq + 1 + len(tails))
        rows = [
            (seq, b'{"run":%d,"seq":%d,"time":%d,%b' % (self.run, seq, time_ms, written(tail, self.run, seq)))
            for seq, (time_ms, tail) in zip(numbers, tails, strict=True)
        ]
        self._db.executemany("insert into events (seq, body) values (?, ?)", rows)
        self._db.execute(
            "update facts_of_this_file set value = ? where name = 'last_seq'", (str(numbers.stop - 1),)
        )
        self._last_seq = numbers.stop - 1
        self._waiting += len(numbers)
        return numbers

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("begin immediate")
        counted = self._last_seq, self._waiting
        try:
            yield
            self._db.execute("commit")
        except BaseException:
            self._last_seq, self._waiting = counted
            if self._db.in_transaction:
                self._db.execute("rollback")
            raise
