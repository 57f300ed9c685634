"""Commands and alerts for parks with a leaf node: kept in the hub's stream, fetched by the park.

The relay publishes over MQTT for devices at the hub. A park's leaf node lets none of that through, because a
message that crosses while the uplink is cut would be gone; it fetches from the stream instead
(``gateway.sources.edge``). So each message is stored there, acknowledged by a majority of its servers, before
the relay counts it as sent. The park's server hands it on as MQTT at QoS 1: the header says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import nats
import nats.errors
import nats.js.errors
import structlog
from nats.aio.client import Client

from gateway.sources.stream import Refused, ensure_down
from gateway.subjects import DOWN_PREFIX
from tracking.store.outbox import Waiting

ANSWER_S: Final = 5.0
MQTT_QOS_HEADER: Final = "Nmqtt-Pub"
ONCE_HEADER: Final = "Nats-Msg-Id"

log = structlog.get_logger()


class Downlink:
    """Keeps what goes down. Connects when it is first used, and stays so.

    Args:
        servers: ``nats://host:port`` of each server of the hub.
        user: our user there, with ``password``.
        password: see ``user``.
        replicas: of the stream.
    """

    def __init__(self, servers: Sequence[str], *, user: str, password: str | None, replicas: int) -> None:
        self._servers = list(servers)
        self._user, self._password, self._replicas = user, password, replicas
        self._client: Client | None = None
        self._connecting = asyncio.Lock()

    async def keep(self, message: Waiting) -> None:
        """Store one message; the same one again within two minutes is stored once.

        Raises:
            ConnectionError: it isn't stored for sure.
        """
        subject = f"{DOWN_PREFIX}.{message.topic.removeprefix('bw/v1/').replace('/', '.')}"
        headers = {MQTT_QOS_HEADER: str(message.qos), ONCE_HEADER: str(message.outbox_id)}
        try:
            client = await self._connected()
            await client.jetstream().publish(subject, message.payload, timeout=ANSWER_S, headers=headers)
        except (nats.errors.Error, nats.js.errors.Error, Refused, TimeoutError) as error:
            raise ConnectionError(f"not kept for parks: {error or type(error).__name__}") from error

    async def aclose(self) -> None:
        """Disconnect."""
        if self._client is not None:
            await self._client.close()

    async def _connected(self) -> Client:
        async with self._connecting:
            if self._client is None:
                connecting = nats.connect(
                    self._servers,
                    user=self._user,
                    password=self._password,
                    name="bondwatch-downlink",
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=0.25,
                    error_cb=_log_error,
                )
                # It would try for ever, and messages are locked meanwhile.
                client = await asyncio.wait_for(connecting, ANSWER_S)

                async def request(subject: str, payload: bytes) -> bytes:
                    answer: bytes = (await client.request(subject, payload, timeout=ANSWER_S)).data
                    return answer

                try:
                    await ensure_down(request, self._replicas)
                except BaseException:
                    await client.close()
                    raise
                self._client = client
        return self._client


async def _log_error(error: Exception) -> None:
    log.warning("downlink", error=str(error))
