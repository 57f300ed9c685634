"""The native dialect: JSON, version 1.

A payload is one event or an array of 1 to 1000. Each event is cut out first, as its own bytes, then read by
two typed decoders: the envelope (who, when) and the fact (what); each skips what belongs to the other. A bad
event is a ``BadEvent``, its neighbours are taken; a payload that isn't JSON of that shape is ``Unreadable``.

Checklist: golden vectors in ``tests/vectors/native``; fuzzed with any bytes; documented in
``docs/device-guide.md``; limits 1 MiB a payload, 1000 events an array.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import Meta, Raw, Struct, ValidationError
from msgspec.json import Decoder

from devices.codecs.outcome import BadEvent, Unreadable
from devices.coordinates import to_wgs84
from devices.observation import ID_RUN, Datum, Fact, Observation, Position, micros

MAX_EVENTS: Final = 1000
MAX_PAYLOAD_BYTES: Final = 1 << 20

_MAX_RUN: Final = 2**31 - 1
_MAX_SEQ: Final = 2**63 - 1
_MAX_ID: Final = 64
_MAX_MS: Final = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z
_MAX_US: Final = _MAX_MS * 1000 + 999
_MAX_DETAIL: Final = 200
_JSON_SPACE: Final = b" \t\n\r"

EventTime: TypeAlias = Annotated[datetime, Meta(tz=True)] | Annotated[int, Meta(ge=0, le=_MAX_MS)]


class Envelope(Struct, frozen=True, gc=False):
    """What every event carries, whatever its type.

    Attributes:
        time: when it happened: RFC 3339 with offset, or Unix milliseconds.
        run: the device's run, drawn when its outbox was made.
        seq: number within the run, counting up by one.
        id: the device's own event id, for devices without a counter; ignored where there is a ``seq``.
        device: the device code, or park and device code; refused when the topic says otherwise.
    """

    time: EventTime
    run: Annotated[int, Meta(ge=0, le=_MAX_RUN)] = 0
    seq: Annotated[int, Meta(ge=0, le=_MAX_SEQ)] | None = None
    id: Annotated[str, Meta(min_length=1, max_length=_MAX_ID)] | None = None
    device: Annotated[str, Meta(min_length=1, max_length=129)] | None = None


class _Identity(Struct, frozen=True):
    run: Any = 0
    seq: Any = None
    id: Any = None


_envelope: Final = Decoder(Envelope).decode
_fact: Final[Any] = Decoder(Fact).decode
_events: Final = Decoder(list[Raw]).decode
_whole: Final = Decoder(Raw).decode
_identity_of: Final = Decoder(_Identity).decode


def decode(payload: bytes, datum: Datum) -> list[Observation | BadEvent]:
    """Every event of the payload, in its order.

    Args:
        payload: the MQTT body.
        datum: the device's registered datum; an event's own ``datum`` overrides it.

    Raises:
        Unreadable: ``too_large``; or ``unreadable``: not UTF-8, not JSON, no object and no array, an empty
            array.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise Unreadable("too_large", f"{len(payload)} bytes; at most {MAX_PAYLOAD_BYTES}")
    if not payload.isascii():
        _check_utf8(payload)
    text = payload.strip(_JSON_SPACE)
    escapes = b"\\" in text
    if text[:1] == b"{":
        return [_one(text, datum, escapes)]
    if text[:1] != b"[":
        raise Unreadable("unreadable", "neither a JSON object nor an array of objects")
    try:
        parts = _events(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Unreadable("unreadable", _plain(error)) from error
    if not parts:
        raise Unreadable("unreadable", "an empty array")
    if len(parts) > MAX_EVENTS:
        raise Unreadable("too_large", f"{len(parts)} events; at most {MAX_EVENTS}")
    return [_event(bytes(part), datum, escapes) for part in parts]


def number_of_id(event_id: str) -> int:
    """The 63-bit number that stands for an event id: the first 8 bytes of BLAKE2b of its UTF-8, halved."""
    return int.from_bytes(blake2b(event_id.encode(), digest_size=8).digest()) >> 1


class _Refused(Exception):
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def _one(raw: bytes, datum: Datum, escapes: bool) -> Observation | BadEvent:
    outcome = _event(raw, datum, escapes)
    if isinstance(outcome, BadEvent):
        try:
            _whole(raw)
        except (msgspec.DecodeError, RecursionError) as error:
            raise Unreadable("unreadable", _plain(error)) from error
    return outcome


def _event(raw: bytes, datum: Datum, escapes: bool) -> Observation | BadEvent:
    try:
        return _read(raw, datum, escapes)
    except _Refused as refused:
        reason, error = refused.reason, _plain(refused)
    except ValidationError as invalid:
        reason, error = _reason(invalid), _plain(invalid)
    except (msgspec.DecodeError, RecursionError) as malformed:
        reason, error = "schema", _plain(malformed)
    return BadEvent(reason, error, raw, *_identity(raw))


def _read(raw: bytes, datum: Datum, escapes: bool) -> Observation:
    envelope = _envelope(raw)
    fact = _fact(raw)
    time = envelope.time
    time_us = time * 1000 if isinstance(time, int) else micros(time)
    if not 0 <= time_us <= _MAX_US:
        raise _Refused("time_invalid", "time is before 1970 or after 9999")
    if escapes and (_has_nul(fact) or _has_nul(envelope)):
        raise _Refused("schema", "a text holds the character U+0000")
    if type(fact) is Position and (fact.datum or datum) is not Datum.WGS84:
        fact = _in_wgs84(fact, fact.datum or datum)

    if envelope.seq is not None:
        return Observation(envelope.run, envelope.seq, time_us, fact, raw, None, envelope.device)
    if envelope.id is not None:
        number = number_of_id(envelope.id)
        return Observation(ID_RUN, number, time_us, fact, raw, envelope.id, envelope.device)
    raise _Refused("identity_missing", "neither seq nor id")


def _in_wgs84(position: Position, datum: Datum) -> Position:
    lon, lat = to_wgs84(position.lon, position.lat, datum)
    return msgspec.structs.replace(position, lon=lon, lat=lat, datum=datum)


def _has_nul(struct: Struct) -> bool:
    """PostgreSQL's text holds every character but U+0000."""
    for value in msgspec.structs.astuple(struct):
        texts = value if isinstance(value, list) else (value,)
        if any(isinstance(text, str) and "\0" in text for text in texts):
            return True
    return False


def _identity(raw: bytes) -> tuple[int | None, int | None, str | None]:
    """The identity of an event that is otherwise wrong, so that its number counts as heard."""
    try:
        identity = _identity_of(raw)
    except (msgspec.DecodeError, RecursionError):
        return None, None, None
    run, seq, event_id = identity.run, identity.seq, identity.id
    if type(seq) is int and 0 <= seq <= _MAX_SEQ and type(run) is int and 0 <= run <= _MAX_RUN:
        return run, seq, None
    if seq is None and isinstance(event_id, str) and 1 <= len(event_id) <= _MAX_ID and "\0" not in event_id:
        return ID_RUN, number_of_id(event_id), event_id
    return None, None, None


def _reason(error: ValidationError) -> str:
    text = str(error)
    if text.endswith(("`$.time`", "field `time`")):
        return "time_invalid"
    if text.endswith(("`$.type`", "field `type`")):
        return "unknown_type"
    return "schema"


def _plain(error: Exception) -> str:
    """The decoder's words, short, and storable as text."""
    return str(error).replace("\0", "\\u0000")[:_MAX_DETAIL]


def _check_utf8(payload: bytes) -> None:
    try:
        payload.decode()
    except UnicodeDecodeError as error:
        raise Unreadable("unreadable", f"not UTF-8 at byte {error.start}") from error
