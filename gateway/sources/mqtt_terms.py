"""On what terms we meet an MQTT broker: where it is, what we ask of it, and the two ways in which it can say
no."""

from __future__ import annotations

import ssl
from enum import IntEnum
from typing import Final

import mqtt5
from msgspec import Struct


class LinkLost(Exception):
    """The connection could not be made or is gone. Try again."""


class Unwelcome(Exception):
    """The broker won't have us this way, now or later: credentials, rights, or something that it lacks."""


class Address(Struct, frozen=True):
    """Where a broker is and who we are to it."""

    host: str
    port: int
    user: str | None = None
    password: str | None = None
    tls: ssl.SSLContext | None = None


class Session(Struct, frozen=True):
    """What a link asks of the broker when it connects.

    Attributes:
        client_id: names the broker's session.
        expiry_s: how long the broker keeps the session without us; 0: not at all, and start with an empty
            one.
        receive_max: how many messages the broker may send that we haven't acknowledged.
    """

    client_id: str
    expiry_s: int
    receive_max: int


# Reasons that no second attempt cures. (The codec's reason codes have no hash.)
FINAL: Final = (
    mqtt5.ConnAckReasonCode.UNSUPPORTED_PROTOCOL_VERSION,
    mqtt5.ConnAckReasonCode.CLIENT_ID_NOT_VALID,
    mqtt5.ConnAckReasonCode.BAD_USER_NAME_OR_PASSWORD,
    mqtt5.ConnAckReasonCode.NOT_AUTHORIZED,
    mqtt5.ConnAckReasonCode.BANNED,
    mqtt5.ConnAckReasonCode.BAD_AUTHENTICATION_METHOD,
)


def words(reason: IntEnum) -> str:
    """A reason code as people read it: ``not authorized``."""
    return reason.name.lower().replace("_", " ")
