"""The floor: what the same messages cost when nothing is done to them.

1. the same messages, published by the same generator to the same broker and pulled untouched;
2. a bare insert loop of the same rows into the same table, empty.

Everything that the road adds (decoding, identity, tracks, judging, receipts) is measured against their sum.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil
import psycopg

from gateway.bench.cpu import tree_seconds
from gateway.bench.generator import cpu_s, send
from gateway.bench.instance import wait_for
from gateway.embedded.ports import Ports
from gateway.interrupts import ended_in_any_case
from tracking.store.database import connect, queries
from tracking.store.migrate import migrate
from tracking.store.observations import ObservationColumns, insert_observations
from tracking.store.partitions import Partitions

LOOPBACK: Final = "127.0.0.1"
BATCH: Final = 1000
CONFIG: Final = """
server_name: floor
listen: 127.0.0.1:{port}
max_payload: 2MB
jetstream {{ store_dir: "{store}" }}
mqtt {{ listen: 127.0.0.1:{mqtt} }}
"""


def publish_and_pull(directory: Path, generate: Sequence[str], messages: int) -> float:
    """CPU seconds of broker, generator and puller for ``messages``, once every device is connected.

    Args:
        directory: for the broker's state.
        generate: the generator's command line without its ``--mqtt``.
        messages: MQTT publishes to expect.
    """
    directory.mkdir()
    ports = Ports()
    port, mqtt = ports.free(LOOPBACK), ports.free(LOOPBACK)
    config = directory / "nats.conf"
    config.write_text(CONFIG.format(port=port, mqtt=mqtt, store=directory / "jetstream"))
    program = Path(sys.executable).parent / "nats-server"
    with (directory / "log").open("wb") as log:
        broker = subprocess.Popen([str(program), "-c", str(config)], stdout=log, stderr=log)
        try:
            wait_for(lambda: _listens(broker.pid, {port, mqtt}), 15, "the floor's broker")
            pull = [sys.executable, "-m", "gateway.bench.puller", f"nats://127.0.0.1:{port}", str(messages)]
            with (
                subprocess.Popen(pull, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as puller,
                ended_in_any_case(puller),
            ):
                assert puller.stdout is not None
                if puller.stdout.readline() != "ready\n":
                    raise RuntimeError("the floor's puller did not start")
                begun: list[float] = []
                sent = send(
                    [*generate, "--mqtt", f"127.0.0.1:{mqtt}"],
                    lambda: begun.append(tree_seconds([broker.pid, puller.pid])),
                )
                if puller.stdout.readline() != "done\n":
                    raise RuntimeError("the floor's puller ended early")
                return tree_seconds([broker.pid, puller.pid]) - begun[0] + cpu_s(sent)
        finally:
            broker.terminate()
            broker.wait(15)


def insert(dsn: str, server_pid: int, limit: int) -> tuple[float, int]:
    """CPU seconds of a bare insert loop, client and server, of the rows that the road recorded.

    Args:
        dsn: of the database that holds them; the loop writes to an empty schema beside them.
        server_pid: the database server's.
        limit: rows at most.

    Returns:
        Seconds, and how many rows.
    """
    with connect(dsn) as source:
        batches = _columns(source, limit)
    with connect(dsn) as conn:
        conn.execute("create schema floor")
        conn.execute("set search_path to floor")
        migrate(conn)
        partitions = Partitions()
        for columns in batches:
            partitions.ensure(conn, columns.time_us)
        mine, server = psutil.Process().cpu_times(), tree_seconds([server_pid])
        for number, columns in enumerate(batches):
            with conn.transaction(), conn.cursor() as cursor:
                insert_observations(cursor, columns, batch_id=number, recorded_at=datetime.now(UTC))
        spent, served = psutil.Process().cpu_times(), tree_seconds([server_pid])
    client = spent.user + spent.system - mine.user - mine.system
    return client + served - server, sum(map(len, batches))


def _columns(conn: psycopg.Connection[tuple[object, ...]], limit: int) -> list[ObservationColumns]:
    """The recorded rows, in batches, ready to insert."""
    found: list[ObservationColumns] = []
    for number, row in enumerate(conn.execute(queries("bench")["recorded_rows"], {"limit": limit})):
        if number % BATCH == 0:
            found.append(ObservationColumns())
        for name, value in zip(ROW, row, strict=True):
            getattr(found[-1], name).append(value)
    return found


ROW: Final = (
    "device_id", "time_us", "run", "seq", "kind", "received_us", "lon", "lat", "accuracy_m", "speed_mps",
    "heading_deg", "thing", "body", "leaf",
)  # fmt: skip
"""The columns of ``recorded_rows``, in its order."""


def _listens(pid: int, ports: set[int]) -> bool:
    connections = psutil.Process(pid).net_connections("tcp")
    return ports <= {c.laddr.port for c in connections if c.status == psutil.CONN_LISTEN}
