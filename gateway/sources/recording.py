"""The file of a recording: blocks, each whole or not there.

A file begins with ``BWRECORD`` and the version (two bytes). Then come blocks: a head of fixed length, and
so many bytes of deflated MessagePack. The head says what kind of block it is, how many messages stand before
it and in it, their first and last broker time, and the CRC-32 of head and content. A block is on disk before
the next is begun, so a recorder that is killed leaves all whole blocks, and at most one that isn't.

=====  =================================================================================================
kind   content
=====  =================================================================================================
``H``  who recorded what, once, first: :class:`Header`
``R``  rows of reference data that are new or have changed, by table (``tracking.store.reference``)
``M``  messages: an array of (broker time in microseconds, topic, payload, properties, leaf)
``E``  the broker time up to which everything is in the file; only after an orderly end
=====  =================================================================================================
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from struct import Struct as Layout
from typing import Any, BinaryIO, Final, NamedTuple

import msgspec

from gateway.pipeline.batch import Message
from gateway.problem import Problem

MAGIC: Final = b"BWRECORD"
VERSION: Final = 1
LEVEL: Final = 6
MOST_BYTES: Final = 256 << 20
"""Of a block's content, before it is deflated: more is no recording of ours."""

HEADER, REFERENCE, MESSAGES, END = b"H", b"R", b"M", b"E"
KINDS: Final = frozenset({HEADER, REFERENCE, MESSAGES, END})

_VERSION: Final = Layout(">H")
_HEAD: Final = Layout(">cQIIqqI")

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
"""Reference rows by table."""


class Header(msgspec.Struct, frozen=True):
    """Who recorded what.

    Attributes:
        recording_id: of this file and of no other: playing it twice records it once.
        source: ``jetstream`` or ``mqtt``: whose broker times these are.
        begun_us: when it began, by the machine's clock.
        has_reference: parks, devices, shipments and terms stand in it, too.
        version: of Bondwatch that wrote it.
    """

    recording_id: str
    source: str
    begun_us: int
    has_reference: bool
    version: str


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One message as it stands in a block."""

    received_us: int
    topic: str
    payload: bytes
    properties: dict[str, str]
    leaf: str = ""


class Head(NamedTuple):
    """What a block says of itself."""

    kind: bytes
    before: int
    messages: int
    size: int
    first_us: int
    last_us: int
    checksum: int


class Survey(NamedTuple):
    """What stands in a file.

    Attributes:
        messages: in whole blocks.
        first_us: broker time of the first message; 0 without any.
        last_us: the greatest broker time of a message.
        ended_us: up to which broker time it is complete; ``last_us`` when it was cut off.
        is_whole: it was ended in order.
        size: bytes of whole blocks, and of what stands before them.
    """

    header: Header
    messages: int
    first_us: int
    last_us: int
    ended_us: int
    is_whole: bool
    size: int


class Writer:
    """Writes one recording, block by block.

    Args:
        path: must not exist.
        header: its first block.

    Raises:
        Problem: there is such a file, or none can be made.
    """

    def __init__(self, path: Path, header: Header) -> None:
        try:
            self._file: BinaryIO = path.open("xb")
        except FileExistsError:
            raise Problem(f"{path} exists", "a recording is never written over: name another file") from None
        except OSError as error:
            raise Problem(f"{path} can't be written: {error.strerror}") from None
        self.messages = 0
        self.size = 0
        self._last_us = 0
        self._put(MAGIC + _VERSION.pack(VERSION))
        self._block(HEADER, msgspec.msgpack.encode(header))

    def add_messages(self, messages: Sequence[Message]) -> None:
        """One block; on disk when this returns."""
        if not messages:
            return
        entries = [
            Entry(one.received_us, one.topic, one.payload, one.properties, one.leaf) for one in messages
        ]
        first, last = messages[0].received_us, max(one.received_us for one in messages)
        self._block(MESSAGES, msgspec.msgpack.encode(entries), len(entries), first, last)
        self.messages += len(entries)
        self._last_us = max(self._last_us, last)

    def add_reference(self, rows: Rows) -> None:
        """One block of reference data; on disk when this returns."""
        if any(rows.values()):
            self._block(REFERENCE, msgspec.msgpack.encode(rows))

    def end(self, ended_us: int) -> None:
        """Say up to when it is complete, and close it."""
        self._block(END, msgspec.msgpack.encode(max(ended_us, self._last_us)))
        self.close()

    def close(self) -> None:
        """Close the file as it stands."""
        self._file.close()

    def _block(
        self, kind: bytes, content: bytes, count: int = 0, first_us: int = 0, last_us: int = 0
    ) -> None:
        data = zlib.compress(content, LEVEL)
        head = Head(kind, self.messages, count, len(data), first_us, last_us, 0)
        self._put(_HEAD.pack(*head._replace(checksum=_checksum(head, data))) + data)

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self._file.flush()
        os.fsync(self._file.fileno())
        self.size += len(data)


class Recording:
    """A recording to read.

    Args:
        path: of the file.

    Raises:
        Problem: it can't be opened, is no recording, or one of a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                begin = file.read(len(MAGIC) + _VERSION.size)
                if begin[: len(MAGIC)] != MAGIC or len(begin) < len(MAGIC) + _VERSION.size:
                    raise Problem(f"{path} is no recording", "bondwatch record FILE writes one")
                (version,) = _VERSION.unpack(begin[len(MAGIC) :])
                if version != VERSION:
                    raise Problem(
                        f"{path} is a recording of version {version}; this Bondwatch reads {VERSION}",
                        "play it with the version that wrote it",
                    )
        except OSError as error:
            raise Problem(f"{path} can't be read: {error.strerror}") from None

    def survey(self) -> Survey:
        """Read the file once, check every block, count.

        Raises:
            Problem: a block in the middle is damaged, or not even the first one is whole.
        """
        header: Header | None = None
        messages = first_us = last_us = ended_us = 0
        size = len(MAGIC) + _VERSION.size
        is_whole = False
        for head, data in self._blocks():
            size += _HEAD.size + head.size
            if head.kind == HEADER:
                header = self._decode(data, Header)
            elif head.kind == MESSAGES:
                first_us = first_us or head.first_us
                last_us = max(last_us, head.last_us)
                messages = head.before + head.messages
            elif head.kind == END:
                ended_us, is_whole = self._decode(data, int), True
        if header is None:
            raise Problem(f"{self.path} holds nothing: its recorder was killed at once", "record again")
        return Survey(header, messages, first_us, last_us, ended_us if is_whole else last_us, is_whole, size)

    def reference(self) -> dict[str, list[dict[str, Any]]]:
        """All reference rows, in the order in which they were written."""
        rows: dict[str, list[dict[str, Any]]] = {}
        for head, data in self._blocks():
            if head.kind == REFERENCE:
                for table, found in self._decode(data, dict[str, list[dict[str, Any]]]).items():
                    rows.setdefault(table, []).extend(found)
        return rows

    def messages(self, after: int = 0) -> Iterator[Message]:
        """The messages behind the first ``after``, in order; stops at the last whole block."""
        for head, data in self._blocks():
            if head.kind == MESSAGES and head.before + head.messages > after:
                for one in self._decode(data, list[Entry])[max(0, after - head.before) :]:
                    yield Message(one.topic, one.payload, one.received_us, one.properties, one.leaf)

    def _blocks(self) -> Iterator[tuple[Head, bytes]]:
        with self.path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(len(MAGIC) + _VERSION.size)
            while True:
                begin = file.tell()
                first = file.read(_HEAD.size)
                if len(first) < _HEAD.size:  # cut off within a head, or the end
                    return
                head = Head._make(_HEAD.unpack(first))
                if head.kind in KINDS and begin + _HEAD.size + head.size > size:
                    return  # cut off within the content
                data = file.read(head.size) if head.kind in KINDS else b""
                if head.kind not in KINDS or head.checksum != _checksum(head._replace(checksum=0), data):
                    if head.kind in KINDS and file.tell() == size:
                        return  # the last block was never whole
                    raise Problem(
                        f"{self.path} is damaged at byte {begin}: a block doesn't match its checksum",
                        "copy it again from where it was recorded",
                    )
                yield head, data

    def _decode(self, data: bytes, kind: Any) -> Any:
        inflating = zlib.decompressobj()
        content = inflating.decompress(data, MOST_BYTES)
        if not inflating.eof:
            raise Problem(f"{self.path} holds a block of over {MOST_BYTES >> 20} MiB", "it is none of ours")
        return msgspec.msgpack.decode(content, type=kind)


def _checksum(head: Head, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(_HEAD.pack(*head)))
