"""The log itself: no gap, every checkpoint's root and signature, and the checkpoints that somebody kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from tracking.domain.ledger import merkle
from tracking.domain.ledger.checkpoint import FORMAT, Checkpoint
from tracking.exchange.verify.report import Part
from tracking.store import log, verify
from tracking.store.database import Connection
from tracking.store.log import Key

Kept: TypeAlias = tuple[tuple[str, bytes], ...]
"""Names and contents of checkpoint files."""


class _Signed(Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    key: str
    made_at: datetime
    root: str
    size: int


class _File(Struct, frozen=True):
    signed: _Signed
    signature: str
    public_key: str


def check(conn: Connection, *, kept: Kept = (), trusted: Collection[bytes] = ()) -> Part:
    """The log, its subtrees, its checkpoints.

    Args:
        conn: within the snapshot.
        kept: checkpoint files by name, read before the snapshot was taken.
        trusted: public keys; when there are any, no other may have signed.
    """
    part = Part()
    files = _parse(kept, part)
    roots = _walk(part, conn, {checkpoint.size for checkpoint, _ in files.values()})
    _check_keys(part, conn, trusted)
    for name, (checkpoint, public_key) in files.items():
        if not checkpoint.is_signed_by(public_key):
            part.differs("checkpoint files", name, "isn't signed by the key it names")
        elif trusted and public_key not in trusted:
            part.differs("checkpoint files", name, "is signed by a key that isn't trusted")
        elif roots.get(checkpoint.size) != checkpoint.root:
            part.differs("log", checkpoint.size, f"isn't the log up to here that {name} was signed for")
    return part


def _walk(part: Part, conn: Connection, wanted: Collection[int]) -> dict[int, bytes]:
    """Every leaf, in order; returns the roots at the wanted sizes."""
    heads = {row[0]: (Checkpoint(*row[:5]), row[5]) for row in verify.rows(conn, "heads")}
    nodes = {(level, position): held for level, position, held in verify.rows(conn, "all_nodes")}
    part.checkpoints = len(heads)
    roots: dict[int, bytes] = {}
    tree = merkle.Frontier()
    newest = 0
    for index, hashed in verify.stream(conn, "log"):
        if index != tree.size:
            part.differs("log", tree.size, f"is missing; the next is {index}")
            # What follows has another root anyhow: it is named with the next checkpoint.
            tree = merkle.Frontier(index, [merkle.EMPTY_ROOT] * index.bit_count())
        for node in tree.append(hashed):
            name = (node.level, node.position)
            if node.level % log.NODE_LEVELS == 0 and nodes.pop(name, None) != node.hash:
                part.differs("log_nodes", "/".join(map(str, name)), "isn't the hash of its leaves")
        if tree.size in heads:
            _check_head(part, heads.pop(tree.size), tree)
            newest = tree.size
        if tree.size in wanted:
            roots[tree.size] = tree.root()
        part.leaves += 1
    if newest != tree.size:
        part.differs("checkpoints", tree.size, "is missing: the log's end stands under no checkpoint")
    for size in heads:
        part.differs("checkpoints", size, "the log doesn't have so many leaves")
    for level, position in nodes:
        part.differs("log_nodes", f"{level}/{position}", "stands for leaves that aren't there")
    return roots


def _check_head(part: Part, head: tuple[Checkpoint, list[bytes]], tree: merkle.Frontier) -> None:
    checkpoint, frontier = head
    if checkpoint.root != tree.root():
        part.differs("checkpoints", checkpoint.size, "isn't the root of the log's leaves")
    elif frontier != tree.nodes:
        part.differs("checkpoints", checkpoint.size, "its frontier isn't that of the log's leaves")


def _check_keys(part: Part, conn: Connection, trusted: Collection[bytes]) -> None:
    keys: Mapping[str, Key] = {key.key_id: key for key in log.keys(conn)}
    for row in verify.stream(conn, "heads"):
        checkpoint = Checkpoint(*row[:5])
        key = keys.get(checkpoint.key_id)
        if key is None or not checkpoint.is_signed_by(key.public_key):
            part.differs("checkpoints", checkpoint.size, "isn't signed by the key it names")
        elif checkpoint.made_at < key.valid_from or (key.valid_to or checkpoint.made_at) < checkpoint.made_at:
            part.differs("checkpoints", checkpoint.size, "was signed when its key wasn't in force")
        elif trusted and key.public_key not in trusted:
            part.differs("checkpoints", checkpoint.size, "is signed by a key that isn't trusted")


def read(folder: Path) -> Kept:
    """The checkpoint files of a folder."""
    return tuple((path.name, path.read_bytes()) for path in sorted(folder.glob("*.json")))


def _parse(kept: Kept, part: Part) -> dict[str, tuple[Checkpoint, bytes]]:
    files: dict[str, tuple[Checkpoint, bytes]] = {}
    for name, content in kept:
        try:
            files[name] = parse(content)
        except ValueError:
            part.differs("checkpoint files", name, "can't be read")
    return files


def parse(content: bytes) -> tuple[Checkpoint, bytes]:
    """A checkpoint file: the head, and the public key that it names.

    Raises:
        ValueError: it isn't one.
    """
    kept: Any = msgspec.json.decode(content, type=_File)
    signed = kept.signed
    if signed.format != FORMAT:
        raise ValueError(f"not a {FORMAT}")
    root, signature = bytes.fromhex(signed.root), bytes.fromhex(kept.signature)
    checkpoint = Checkpoint(signed.size, root, signed.made_at, signed.key, signature)
    return checkpoint, bytes.fromhex(kept.public_key)
