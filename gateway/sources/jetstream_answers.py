"""What devices are told through NATS: receipts, at QoS 0.

A link of its own, on nats-py, because the client that pulls hands each message it sends to another thread and
waits for it: 100 us of ours and 34 of the server's a receipt, against 2.5 and 0.5 here, where whatever is
said in one turn of the loop goes out in one piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import nats
import nats.errors
import structlog
from nats.aio.client import Client

from tracking.domain.errors import Retryable

log = structlog.get_logger()


class Answers:
    """The link. Make it with :meth:`connect`; it makes itself anew when it is lost."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @classmethod
    async def connect(cls, servers: Sequence[str], *, user: str | None, password: str | None) -> Self:
        """Connect as the gateway.

        Args:
            servers: ``nats://host:port``, one or more of a cluster.
            user: our user there, with ``password``; None: the server asks for none.
            password: see ``user``.

        Raises:
            nats.errors.Error: the broker can't be reached, or doesn't know the password.
        """
        client = await nats.connect(
            list(servers),
            user=user,
            password=password,
            name="bondwatch-answers",
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.25,
            error_cb=_log_error,
        )
        return cls(client)

    async def publish(self, topic: str, payload: bytes) -> None:
        """Send at QoS 0, as an MQTT subscriber sees it.

        Raises:
            Retryable: there is no link.
        """
        if not self._client.is_connected:
            raise Retryable(f"can't publish to {topic}: no link")
        try:
            await self._client.publish(topic.replace("/", "."), payload)
        except nats.errors.Error as error:
            raise Retryable(f"can't publish to {topic}: {error}") from error

    async def close(self) -> None:
        """Send what is under way, then leave."""
        await self._client.close()


async def _log_error(error: Exception) -> None:
    log.warning("answers_link", error=str(error))
