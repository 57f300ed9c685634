"""The signed JSON that NATS asks with and wants to be answered with. Pure: bytes in, values out.

Source: NATS ADR-26 (auth callout); the JWT library of NATS, version 2 claims (``ed25519-nkey``).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

import nkeys
from msgspec import Struct

_HEADER: Final = base64.urlsafe_b64encode(b'{"typ":"JWT","alg":"ed25519-nkey"}').rstrip(b"=")
_UNLIMITED: Final = -1


class Request(Struct, frozen=True):
    """A client that wants to connect, as the server asks about it.

    Attributes:
        server: id of the server that asks.
        user_key: the key under which the server will know the connection.
        name: the user name that the client gave.
        secret: the password that it gave; MQTT's arrives as ``auth_token`` too.
        kind: ``mqtt``, ``nats``, ``websocket`` ...
        client_id: the MQTT client id; empty for other kinds.
    """

    server: str
    user_key: str
    name: str
    secret: str
    kind: str
    client_id: str


def read_request(token: bytes) -> Request:
    """Take the server's question apart. It came on the system account, where nobody else can speak.

    Raises:
        ValueError: it's none.
    """
    try:
        _, body, _ = token.split(b".")
        claims = json.loads(base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4)))["nats"]
        options, client = claims["connect_opts"], claims["client_info"]
        return Request(
            server=claims["server_id"]["id"],
            user_key=claims["user_nkey"],
            name=options.get("user", ""),
            secret=options.get("pass") or options.get("auth_token", ""),
            kind=client.get("type", ""),
            client_id=client.get("mqtt_id", ""),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an authorization request: {error!r}") from error


class Signer:
    """Signs answers with the account key that the server's configuration names as issuer."""

    def __init__(self, seed: str) -> None:
        self._key = nkeys.from_seed(seed.encode())
        self._issuer: str = self._key.public_key.decode()

    def admit(self, request: Request, account: str, permissions: Mapping[str, Any], *, now_s: int) -> bytes:
        """Let the client in, as an MQTT client only, with these permissions and no others."""
        user = {
            "aud": account,
            "name": request.name,
            "nats": {
                **permissions,
                "subs": _UNLIMITED,
                "data": _UNLIMITED,
                "payload": _UNLIMITED,
                "allowed_connection_types": ["MQTT", "MQTT_WS"],
                "type": "user",
                "version": 2,
            },
        }
        return self._answer(request, {"jwt": self._sign(request, user, now_s).decode()}, now_s)

    def refuse(self, request: Request, reason: str, *, now_s: int) -> bytes:
        """Keep the client out. The reason goes to the server's log, never to the client."""
        return self._answer(request, {"error": reason}, now_s)

    def _answer(self, request: Request, verdict: dict[str, str], now_s: int) -> bytes:
        claims = {
            "aud": request.server,
            "nats": {**verdict, "type": "authorization_response", "version": 2},
        }
        return self._sign(request, claims, now_s)

    def _sign(self, request: Request, claims: dict[str, Any], now_s: int) -> bytes:
        common = {"iss": self._issuer, "sub": request.user_key, "iat": now_s, "jti": request.user_key}
        body = base64.urlsafe_b64encode(json.dumps(common | claims).encode()).rstrip(b"=")
        signed = _HEADER + b"." + body
        signature: bytes = self._key.sign(signed)
        return signed + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")
