"""The auth callout: NATS asks us about every client that is no internal user, MQTT clients included.

A device is let in when its name and secret are known, when it speaks MQTT, and when its client id is its
name: another client id could take over another device's session and read its commands. It gets the rights of
``devices.rights`` and, because NATS delivers to persistent sessions through it, ``$MQTT.sub.>``, which the
server lets no MQTT client subscribe to by name. Every gateway process answers, one of them each question (a
queue group).

A device that is revoked, or whose secret was replaced, is disconnected as soon as the revision has been seen
to move (a second); devices that were revoked while no gateway ran, at its start.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final

import nats
import nats.errors
import psycopg
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from devices.rights import nats_permissions, rights
from gateway.access.known import KnownDevices
from gateway.access.nats_config import ACCESS_USER, ACCOUNT, MQTT_DELIVERY
from gateway.access.tokens import Request, Signer, read_request

SUBJECT: Final = "$SYS.REQ.USER.AUTH"
QUEUE: Final = "bondwatch-access"
REFRESH_S: Final = 1.0

_PAGE: Final = 1024
_ANSWERS_S: Final = 0.5

log = structlog.get_logger()


class AuthCallout:
    """The service. Make it with :meth:`start`; it works until :meth:`close`."""

    def __init__(self, client: Client, known: KnownDevices, signer: Signer) -> None:
        self._client = client
        self._known = known
        self._signer = signer
        self._answering: set[asyncio.Task[None]] = set()
        self._unwelcome: set[str] = set()  # to be disconnected: until the broker has been told
        self._refresher: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls, servers: Sequence[str], *, password: str, issuer_seed: str, known: KnownDevices
    ) -> AuthCallout:
        """Read the devices, connect to the broker, answer from now on.

        Args:
            servers: ``nats://host:port``, one or more of a cluster.
            password: of the user ``access`` there.
            issuer_seed: signs the answers.
            known: not yet begun; closed with the service.

        Raises:
            psycopg.OperationalError: the database can't be reached.
            nats.errors.Error: the broker can't be reached, or doesn't know the password.
        """
        signer = Signer(issuer_seed)
        await known.begin()
        client = await nats.connect(
            list(servers),
            user=ACCESS_USER,
            password=password,
            name="bondwatch-access",
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.25,
            error_cb=_log_error,
        )
        service = cls(client, known, signer)
        await client.subscribe(SUBJECT, queue=QUEUE, cb=service._asked)
        await client.flush()
        await service._disconnect(lambda name: name not in known)
        service._refresher = asyncio.create_task(service._refresh(), name="access-refresh")
        return service

    async def close(self) -> None:
        """Answer what was asked, then leave."""
        if self._refresher is not None:
            self._refresher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._refresher
        await asyncio.gather(*self._answering)
        await self._client.close()
        await self._known.close()

    async def _asked(self, message: Msg) -> None:
        task = asyncio.create_task(self._answer(message))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, message: Msg) -> None:
        try:
            request = read_request(message.data)
        except ValueError as error:
            log.error("access_not_understood", error=str(error))  # the server refuses when its patience ends
            return
        reason = await self._refusal(request)
        now_s = int(time.time())
        if reason:
            log.warning("access_refused", device=request.name, reason=reason)
            answer = self._signer.refuse(request, reason, now_s=now_s)
        else:
            answer = self._signer.admit(
                request,
                ACCOUNT,
                device_permissions(request.name, self._known.kind(request.name)),
                now_s=now_s,
            )
        with contextlib.suppress(nats.errors.Error):  # the server is gone, and with it who asked
            await message.respond(answer)

    async def _refusal(self, request: Request) -> str:
        """Why this client may not connect; empty when it may."""
        if not request.kind.startswith("mqtt"):
            return f"devices speak MQTT, not {request.kind or 'this'}"
        if request.client_id != request.name:
            return f"the client id {request.client_id!r} is not the device's name"
        if not await self._known.admits(request.name, request.secret):
            return "unknown device or wrong secret"
        return ""

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            try:
                self._unwelcome |= await self._known.refresh()
                if self._unwelcome:
                    await self._disconnect(self._unwelcome.__contains__)
                    self._unwelcome.clear()
            except (psycopg.OperationalError, nats.errors.Error, TimeoutError) as error:
                # What is known stays known; a revocation takes effect when database and broker are back.
                log.warning("access_not_refreshed", error=str(error).strip())

    async def _disconnect(self, unwanted: Callable[[str], bool]) -> None:
        """End the connections of devices that may no longer speak, on every server of the cluster."""
        for server, connection in [each async for each in self._connections()]:
            name = connection.get("authorized_user", "")
            if connection.get("type", "").startswith("mqtt") and "/" in name and unwanted(name):
                kick = json.dumps({"cid": connection["cid"]}).encode()
                await self._client.request(f"$SYS.REQ.SERVER.{server}.KICK", kick, timeout=5)
                log.info("device_disconnected", device=name)

    async def _connections(self) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Every connection of our account: (server id, what the server says of it)."""
        inbox = self._client.new_inbox()
        answers = await self._client.subscribe(inbox)
        await self._client.publish("$SYS.REQ.SERVER.PING.CONNZ", _page(0), reply=inbox)
        pages: list[dict[str, Any]] = []
        with contextlib.suppress(nats.errors.TimeoutError):
            while True:
                pages.append(json.loads((await answers.next_msg(timeout=_ANSWERS_S)).data))
        await answers.unsubscribe()
        for first in pages:
            server, page = first["server"]["id"], first["data"]
            offset = 0
            while page["connections"]:
                for connection in page["connections"]:
                    yield server, connection
                if page["num_connections"] < _PAGE:
                    break
                offset += _PAGE
                subject = f"$SYS.REQ.SERVER.{server}.CONNZ"
                page = json.loads((await self._client.request(subject, _page(offset), timeout=5)).data)[
                    "data"
                ]


def device_permissions(name: str, kind: str) -> dict[str, dict[str, list[str]]]:
    """A registered client's rights as NATS permissions of an MQTT client."""
    permissions = nats_permissions(rights(name, kind))
    permissions["sub"]["allow"].append(MQTT_DELIVERY)
    return permissions


def _page(offset: int) -> bytes:
    return json.dumps({"auth": True, "acc": ACCOUNT, "limit": _PAGE, "offset": offset}).encode()


async def _log_error(error: Exception) -> None:
    log.warning("access_link", error=str(error))
