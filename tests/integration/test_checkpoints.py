"""The log on a real database: every row once, whoever commits when; heads that anyone can check."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.court import Court
from tests.support.recording import at
from tracking.domain.ledger import proof
from tracking.domain.ledger.checkpoint import Checkpoint, Signer
from tracking.exchange.verify.chain import parse
from tracking.judge import checkpoints
from tracking.judge.checkpoints import Checkpointer
from tracking.store import log
from tracking.store.database import connect

SIGNER = Signer(bytes(range(32)))
INSERT = "insert into batches (source, worker, recorded_at, events, root) values ('t', 'w', %s, 0, '')"


def batches_logged(court: Court) -> list[int]:
    return [key for (key,) in court.rows("select key from log where kind = 'batch' order by index")]


def test_a_head_is_signed_published_and_never_twice_for_the_same_log(court: Court, tmp_path: Path) -> None:
    checkpointer = Checkpointer(SIGNER, tmp_path / "kept")
    made = checkpointer.advance(court.conn, at(0))
    assert made is not None
    assert made.is_signed_by(SIGNER.public_key)
    assert checkpointer.advance(court.conn, at(10)) is None
    assert log.checkpoints(court.conn) == [made]
    for name in ("latest.json", f"{at(0):%Y-%m-%dT%H}.json"):
        assert parse((tmp_path / "kept" / name).read_bytes()) == (made, SIGNER.public_key)


def test_a_low_key_that_is_committed_late_is_not_passed_over(court: Court) -> None:
    checkpointer = Checkpointer(SIGNER)
    with connect(court.dsn) as slow, slow.transaction():
        slow.execute(INSERT, (at(0),))
        for _ in range(4):  # rounds enough to settle what nobody holds up
            court.conn.execute(INSERT, (at(0),))
            checkpointer.advance(court.conn, at(0))
        assert batches_logged(court) == [2, 3, 4, 5]
    checkpointer.advance(court.conn, at(0))
    assert batches_logged(court) == [2, 3, 4, 5, 1]


def test_settled_keys_are_not_looked_at_again(court: Court) -> None:
    checkpointer = Checkpointer(SIGNER)
    court.conn.execute(INSERT, (at(0),))
    for _ in range(5):
        checkpointer.advance(court.conn, at(0))
    assert checkpointer._floors.of("batch") == 1
    court.conn.execute(INSERT, (at(0),))
    checkpointer.advance(court.conn, at(0))
    assert batches_logged(court) == [1, 2]


def test_two_checkpointers_never_log_a_row_twice(court: Court) -> None:
    one, other = Checkpointer(SIGNER), Checkpointer(SIGNER)
    with connect(court.dsn) as busy, busy.transaction():
        busy.execute("select pg_advisory_xact_lock(%s)", (checkpoints.LOG_LOCK,))
        assert one.advance(court.conn, at(0)) is None
    for _ in range(3):
        for checkpointer in (one, other):
            court.conn.execute(INSERT, (at(0),))
            checkpointer.advance(court.conn, at(0))
    assert batches_logged(court) == [1, 2, 3, 4, 5, 6]


def test_a_large_backlog_is_logged_in_parts(court: Court, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "MOST_LEAVES", 10)
    for _ in range(25):
        court.conn.execute(INSERT, (at(0),))
    checkpointer = Checkpointer(SIGNER)
    while checkpointer.advance(court.conn, at(0)):
        pass
    assert batches_logged(court) == list(range(1, 26))


def test_proofs_from_the_stored_subtrees(court: Court) -> None:
    """The log is long enough for subtrees at two levels to be read, and each proof checks."""
    checkpointer = Checkpointer(SIGNER)
    heads: list[Checkpoint] = []
    for count in (3, 300, 700):
        court.conn.execute(
            "insert into batches (source, worker, recorded_at, events, root)"
            " select 't', 'w', %s, 0, '' from generate_series(1, %s)",
            (at(0), count),
        )
        made = checkpointer.advance(court.conn, at(0))
        assert made is not None
        heads.append(made)

    def subtree(begin: int, end: int) -> bytes:
        return log.subtree(court.conn, begin, end)

    newest = heads[-1]
    for index in (0, 255, 256, 700, newest.size - 1):
        entry = log.entry(court.conn, index)
        assert entry is not None
        path = proof.inclusion(index, newest.size, subtree)
        assert proof.includes(entry.leaf_hash, index, newest.size, path, newest.root)
    for head in heads:
        shown = proof.consistency(head.size, newest.size, subtree)
        assert proof.extends(head.size, head.root, newest.size, newest.root, shown)


def test_a_key_can_be_changed(court: Court) -> None:
    Checkpointer(SIGNER).advance(court.conn, at(0))
    after = Signer(bytes(32))
    made = Checkpointer(after).advance(court.conn, at(60))
    assert made is not None
    assert made.is_signed_by(after.public_key)
    first, second = log.keys(court.conn)
    assert (first.key_id, first.valid_to, second.key_id, second.valid_to) == (
        SIGNER.key_id, at(60), after.key_id, None
    )  # fmt: skip


def test_a_key_that_has_ended_signs_no_more(court: Court) -> None:
    Checkpointer(SIGNER).advance(court.conn, at(0))
    Checkpointer(Signer(bytes(32))).advance(court.conn, at(60))
    with pytest.raises(ValueError, match="ended"):
        Checkpointer(SIGNER).advance(court.conn, at(120))
