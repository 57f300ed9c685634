"""The accounts, internal users and the auth callout of the embedded NATS server's configuration.

Devices have no user here: they are judged by the callout (``gateway.access.callout``), which every gateway
process answers. Internal users bypass it, so that a gateway can start while no gateway runs. The callout's
user lives in the system account, because it also ends the connections of devices that were revoked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import nkeys

from devices.rights import SERVICES, nats_permissions
from gateway.subjects import (
    DELIVERED_PREFIX,
    DOWN,
    DOWN_PREFIX,
    EDGE,
    EDGE_DOWN,
    FETCHED_PREFIX,
    HUB_DOMAIN,
    STREAM,
)

ACCOUNT: Final = "BW"
"""The account in which devices and our services meet, and the streams live."""

SYSTEM_ACCOUNT: Final = "SYS"

ACCESS_USER: Final = "access"
GATEWAY_USER: Final = "gateway"
JUDGE_USER: Final = "judge"
DOCTOR_USER: Final = "doctor"

_PUT: Final = ("INFO", "CREATE", "UPDATE")

MQTT_DELIVERY: Final = "$MQTT.sub.>"
"""What NATS delivers to MQTT subscriptions of QoS 1 through. The server lets no MQTT client name it
itself."""

# A storm of reconnects after an outage is judged one by one; the default of 2 s would cut off the last ones.
_AUTH_TIMEOUT_S: Final = 20

_INBOX: Final = "_INBOX.>"

NO_LEAVES: Final[Mapping[str, str]] = MappingProxyType({})


def nats_accounts(secret: Callable[[str], str], leaves: Mapping[str, str] = NO_LEAVES) -> str:
    """The part of the server's configuration that says who may connect.

    Args:
        leaves: parks with a leaf node, and the public key under which its server shows itself.
        secret: the secret of a name: ``nats_access_password``, ``nats_gateway_password``,
            ``nats_judge_password``, ``nats_doctor_password``, ``nats_issuer_seed``.
    """
    issuer = nkeys.from_seed(secret("nats_issuer_seed").encode()).public_key.decode()
    users = {
        GATEWAY_USER: (_gateway_permissions(), secret("nats_gateway_password")),
        JUDGE_USER: (_judge_permissions(), secret("nats_judge_password")),
        DOCTOR_USER: (_doctor_permissions(), secret("nats_doctor_password")),
    }
    ours = "\n".join(_user(name, password, allowed) for name, (allowed, password) in users.items())
    access = _user(ACCESS_USER, secret("nats_access_password"), _access_permissions())
    for park, key in leaves.items():
        ours += f"\n      {{ nkey: {json.dumps(key)}, permissions: {json.dumps(_leaf_permissions(park))} }}"
    bypass = json.dumps([ACCESS_USER, *users, *leaves.values()])
    return f"""accounts {{
  {SYSTEM_ACCOUNT} {{
    users: [
{access}
    ]
  }}
  {ACCOUNT} {{
    jetstream: enabled
    users: [
{ours}
    ]
  }}
}}
system_account: {SYSTEM_ACCOUNT}
authorization {{
  timeout: {_AUTH_TIMEOUT_S}
  auth_callout {{
    issuer: {issuer}
    account: {SYSTEM_ACCOUNT}
    auth_users: {bypass}
  }}
}}
"""


def nats_routes(password: str, servers: Sequence[str]) -> str:
    """How the servers of a cluster find and believe each other: the inside of the block ``cluster``.

    Args:
        password: the one that they share.
        servers: ``host:port`` of each server's cluster listener.
    """
    routes = json.dumps([f"nats://route:{password}@{server}" for server in servers])
    return (
        f"authorization {{ user: route, password: {json.dumps(password)}, timeout: 5 }}\nroutes: {routes}\n"
    )


def _user(name: str, password: str, permissions: dict[str, Any]) -> str:
    return (
        f"      {{ user: {json.dumps(name)}, password: {json.dumps(password)},"
        f" permissions: {json.dumps(permissions)} }}"
    )


def _access_permissions() -> dict[str, Any]:
    return {
        "subscribe": ["$SYS.REQ.USER.AUTH", _INBOX],
        "publish": ["$SYS.REQ.SERVER.PING.CONNZ", "$SYS.REQ.SERVER.*.CONNZ", "$SYS.REQ.SERVER.*.KICK"],
        "allow_responses": True,
    }


def _leaf_permissions(park: str) -> dict[str, Any]:
    """What a park's server may send to the hub, and hear from it: its own devices' talk, its own streams.

    What the hub fetches and what the park mirrors travels below prefixes of the park's own, because
    ``$JSC.R``, which carries the answers to everybody's requests, tells where others' travels. Of commands it
    may ask for its own only: the last part of that subject is the filter, and the hub refuses a request that
    says another.
    """
    return {
        "publish": [
            f"bw.v1.{park}.*.presence",
            f"$JS.{HUB_DOMAIN}.API.CONSUMER.CREATE.{DOWN}.*.{DOWN_PREFIX}.{park}.>",
            f"$JS.FC.{DOWN}.>",
            f"{FETCHED_PREFIX}.{park}.>",
            "$JSC.R.>",
            _INBOX,
        ],
        "subscribe": [
            f"bw.v1.{park}.*.receipts",
            f"$JS.{park}.API.>",
            f"$JS.FC.{EDGE}.>",
            f"{DELIVERED_PREFIX}.{park}.>",
            "$JSC.R.>",
        ],
    }


def _gateway_permissions() -> dict[str, Any]:
    """Its rights as a service, and the stream's own API: make and read it, never delete or purge it."""
    rights = nats_permissions(SERVICES["gateway"])
    return {
        "subscribe": [*rights["sub"].get("allow", ()), _INBOX],
        "publish": [
            *rights["pub"].get("allow", ()),
            *(f"$JS.API.STREAM.{verb}.{STREAM}" for verb in ("INFO", "CREATE", "UPDATE", "MSG.GET")),
            *(f"$JS.*.API.STREAM.{verb}.{name}" for verb in _PUT for name in (EDGE, EDGE_DOWN)),
            *(f"$JS.API.STREAM.{verb}.{DOWN}" for verb in _PUT),
            *(f"$JS.API.CONSUMER.{verb}.{STREAM}.>" for verb in ("CREATE", "INFO", "DELETE", "MSG.NEXT")),
            f"$JS.API.CONSUMER.CREATE.{STREAM}",
        ],
    }


def _judge_permissions() -> dict[str, Any]:
    rights = nats_permissions(SERVICES["judge"])
    return {
        "subscribe": [*rights["sub"].get("allow", ()), MQTT_DELIVERY, _INBOX],
        "publish": [
            *rights["pub"]["allow"],
            f"{DOWN_PREFIX}.>",
            *(f"$JS.API.STREAM.{verb}.{DOWN}" for verb in _PUT),
        ],
    }


def _doctor_permissions() -> dict[str, Any]:
    looks = ["$JS.API.INFO", f"$JS.API.STREAM.INFO.{STREAM}", f"$JS.API.CONSUMER.LIST.{STREAM}"]
    return {"subscribe": [_INBOX], "publish": looks}
