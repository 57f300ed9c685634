"""A park with a leaf node, by the configuration that we deploy: what crosses, how often, and what doesn't."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nats
import nats.errors
import nkeys
import paho.mqtt.client as mqtt
import pytest
from nats.aio.client import Client

from gateway.access.callout import AuthCallout
from gateway.access.known import KnownDevices
from gateway.access.nats_config import nats_accounts, nats_routes
from gateway.doctor.finding import Level
from gateway.doctor.stream import parks
from gateway.embedded.child import Child, State
from gateway.embedded.home import Home
from gateway.embedded.ports import Ports
from gateway.sources import edge, stream
from gateway.sources.downlink import Downlink
from gateway.sources.jetstream_batch import leaf_of
from gateway.subjects import STREAM
from tests.cluster import nodes, tls
from tests.cluster.nodes import HOST, Node
from tests.cluster.road import Road
from tracking.store import credentials, registry
from tracking.store.database import Connection
from tracking.store.outbox import Waiting

PARK = "EDG"
NAME = f"{PARK}/TRK-1"
NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
READY_S = 40.0
PATIENCE_S = 30.0
KEEP = stream.Keep(max_bytes=64 << 20, replicas=3)


class Yard:
    """Three servers, a park's server behind a road, and clients of each."""

    def __init__(self, directory: Path) -> None:
        ports = Ports()
        (directory / "logs").mkdir()
        self._directory, self._ports = directory, ports
        self.hub = nodes.hub(directory, ports)
        context, certificate = tls.make(directory)
        self._hub_door = Road([node.leaves_port for node in self.hub], context)
        self.uplink = Road([self._hub_door.port])
        self._certificate = certificate
        self.leaf = nodes.leaf(PARK, directory / "leaf", ports, self.uplink.port, certificate)
        self.home = Home(directory / "home").prepare()
        self.park_home = Home(directory / "park").prepare()
        self.leaf_seed = self.park_home.secret("nats_leaf_seed")
        self._children = [Child(node, directory / "logs") for node in (*self.hub, self.leaf)]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def start(self) -> None:
        servers = [f"{HOST}:{node.cluster_port}" for node in self.hub]
        for node in self.hub:
            (node.folder / "accounts.conf").write_text(
                nats_accounts(self.home.secret, {PARK: public_key(self.leaf_seed)})
            )
            (node.folder / "routes.conf").write_text(
                nats_routes(self.home.secret("nats_route_password"), servers)
            )
        (self.leaf.folder / "accounts.conf").write_text(nats_accounts(self.park_home.secret))
        (self.leaf.folder / "leaf-key.conf").write_text(f"nkey: {self.leaf_seed}\n")
        for child in self._children:
            child.spawn()
        for child in self._children:
            wait_until(lambda child=child: is_ready(child), READY_S)

    def steal(self) -> Child:
        """A server of somebody who has the park's key, with a configuration of his own."""
        folder = self._directory / "thief"
        self.thief = nodes.leaf("thief", folder, self._ports, self.uplink.port, self._certificate)
        (self.thief.folder / "leaf.conf").write_text(THIEF)
        (self.thief.folder / "leaf-key.conf").write_text(f"nkey: {self.leaf_seed}\n")
        child = Child(self.thief, self._directory / "logs")
        self._children.append(child)
        child.spawn()
        return child

    def ask(self, work: Awaitable[Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)  # type: ignore[arg-type]

    async def client(self, node: Node, home: Home, user: str) -> Client:
        return await nats.connect(node.url, user=user, password=home.secret(f"nats_{user}_password"))

    def stop(self) -> None:
        for child in self._children:
            if child.running and child.pid is not None:
                child.begin_stop(time.monotonic())
        for child in self._children:
            while child.running:
                child.continue_stop(time.monotonic(), hurry=True)
                time.sleep(0.02)
        self.uplink.close()
        self._hub_door.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Device:
    """An MQTT client of the park, with a persistent session."""

    def __init__(self, port: int, secret: str) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.subscribed = threading.Event()
        self._port = port
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=NAME, clean_session=False)
        self._client.username_pw_set(NAME, secret)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self.subscribed.set()
        self._client.on_message = lambda _c, _u, m: self.heard.append((m.topic, m.payload))

    def comes(self) -> None:
        self.subscribed.clear()
        self._client.connect(HOST, self._port)
        self._client.loop_start()
        assert self.subscribed.wait(PATIENCE_S)

    def goes(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publishes(self, *payloads: bytes) -> None:
        for payload in payloads:
            self._client.publish(f"bw/v1/{NAME}/events", payload, qos=1).wait_for_publish(PATIENCE_S)

    def _on_connect(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe([(f"bw/v1/{NAME}/commands", 1), (f"bw/v1/{NAME}/receipts", 1)])


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    made = Yard(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.mark.timeout(240)
def test_a_park_is_cut_off_and_nothing_is_lost_or_doubled_either_way(
    yard: Yard, database: str, conn: Connection, tmp_path: Path
) -> None:
    registry.put_park(conn, PARK, name_en="Edge", name_zh="", time_zone="Asia/Shanghai")
    device_id = registry.add_device(
        conn,
        park=PARK,
        code="TRK-1",
        kind="tracker",
        name="",
        datum="wgs84",
        expected_every_s=60,
        registered_at=NOW,
    )
    assert device_id is not None
    secret = credentials.issue(conn, device_id, NOW)
    callout = yard.ask(
        AuthCallout.start(
            [yard.leaf.url],
            password=yard.park_home.secret("nats_access_password"),
            issuer_seed=yard.park_home.secret("nats_issuer_seed"),
            known=KnownDevices(database, park=PARK, kept=tmp_path / "known"),
        )
    )
    gateway = yard.ask(yard.client(yard.hub[0], yard.home, "gateway"))
    request = requester(gateway)
    yard.ask(stream.ensure_stream(request, KEEP))
    wait_until(lambda: joined(yard, request), READY_S)
    yard.ask(edge.join(request, PARK, KEEP, replicas=3))  # again: nothing changes
    downlink = Downlink(
        [node.url for node in yard.hub],
        user="judge",
        password=yard.home.secret("nats_judge_password"),
        replicas=3,
    )

    def recorded() -> list[bytes]:
        return yard.ask(stored(request))

    device = Device(yard.leaf.mqtt_port, secret)
    device.comes()
    device.publishes(b"1", b"2")
    wait_until(lambda: recorded() == [b"1", b"2"])
    assert yard.ask(leaf_of_first(request)) == PARK

    yard.ask(downlink.keep(Waiting(1, f"bw/v1/{NAME}/commands", b"first", 1)))
    wait_until(lambda: device.heard == [(f"bw/v1/{NAME}/commands", b"first")])
    yard.ask(gateway.publish(f"bw.v1.{PARK}.TRK-1.receipts", b"receipt"))
    wait_until(lambda: (f"bw/v1/{NAME}/receipts", b"receipt") in device.heard)

    yard.uplink.cut()
    device.publishes(b"3")
    device.goes()
    device.comes()  # the park lets its own in, cut off or not
    device.publishes(b"4")
    device.goes()
    yard.ask(downlink.keep(Waiting(2, f"bw/v1/{NAME}/commands", b"second", 1)))
    yard.ask(
        downlink.keep(Waiting(2, f"bw/v1/{NAME}/commands", b"second", 1))
    )  # a relay that died tries again
    yard.ask(downlink.keep(Waiting(3, "bw/v1/SIP/TRK-1/commands", b"not for this park", 1)))
    assert recorded() == [b"1", b"2"]

    yard.uplink.mend()
    wait_until(lambda: recorded() == [b"1", b"2", b"3", b"4"])
    device.heard.clear()
    device.comes()  # it was away, and its session kept the command
    wait_until(lambda: device.heard == [(f"bw/v1/{NAME}/commands", b"second")])
    device.publishes(b"5")
    wait_until(lambda: recorded() == [b"1", b"2", b"3", b"4", b"5"])

    (park,) = parks(yard.ask(stream.call(request, f"$JS.API.STREAM.INFO.{STREAM}")))
    assert park.level is Level.FINE

    assert yard.ask(edge.leave(request, PARK)) is True
    assert yard.ask(edge.leave(request, PARK)) is False
    device.publishes(b"6")
    yard.ask(edge.join(request, PARK, KEEP, replicas=3))
    device.publishes(b"7")
    wait_until(lambda: recorded()[-1] == b"7")
    assert recorded() == [b"1", b"2", b"3", b"4", b"5", b"6", b"7"]  # it went on, and didn't begin anew
    device.goes()
    for closing in (callout.close(), downlink.aclose(), gateway.close()):
        yard.ask(closing)

    forbidden = yard.ask(tries(yard))
    assert forbidden == {
        "publish bw.v1.sip.trk-1.events",  # the client tells us in small letters
        "publish bw.v1.edg.trk-1.events",
        "publish $js.api.stream.purge.bw_events",
        "publish $js.api.consumer.create.bw_down",
        "publish $js.api.consumer.create.bw_down.thief",
        "publish $js.api.consumer.create.bw_down.thief.bw.down.sip.>",
        "subscription $js.m.>",
        "subscription bw.delivered.>",
        "subscription bw.delivered.sip.>",
        "subscription bw.down.>",
        "subscription bw.v1.sip.*.receipts",
    }


THIEF = """
server_name: thief
listen: $NATS_LISTEN
http: $NATS_MONITOR
jetstream { domain: thief, store_dir: $NATS_STORE }
accounts {
  BW { jetstream: enabled, users: [{ user: thief, password: thief }] }
}
leafnodes {
  remotes: [
    {
      urls: $NATS_HUB
      account: BW
      include leaf-key.conf
      tls {
        ca_file: $NATS_HUB_CA
        handshake_first: true
      }
    }
  ]
}
"""


@pytest.mark.timeout(240)
def test_a_server_with_a_stolen_key_hears_and_sends_nothing_of_other_parks(yard: Yard) -> None:
    gateway = yard.ask(yard.client(yard.hub[0], yard.home, "gateway"))
    request = requester(gateway)
    yard.ask(stream.ensure_stream(request, KEEP))
    wait_until(lambda: joined(yard, request), READY_S)
    downlink = Downlink(
        [node.url for node in yard.hub],
        user="judge",
        password=yard.home.secret("nats_judge_password"),
        replicas=3,
    )
    server = yard.steal()
    wait_until(lambda: is_ready(server), READY_S)
    heard: list[tuple[str, bytes]] = []

    async def note(message: Any) -> None:
        heard.append((message.subject, message.data))

    async def listen() -> Client:
        client = await nats.connect(yard.thief.url, user="thief", password="thief")
        for subject in (
            "$JSC.R.>", "$JS.M.>", "bw.delivered.SIP.>", "bw.delivered.EDG.>", "bw.down.>",
            "bw.v1.SIP.*.receipts", "bw.v1.EDG.*.receipts",
        ):  # fmt: skip
            await client.subscribe(subject, cb=note)
        await client.flush()
        return client

    thief = yard.ask(listen())

    def crosses() -> bool:
        yard.ask(gateway.publish("bw.v1.EDG.TRK-1.receipts", b"its own"))
        return ("bw.v1.EDG.TRK-1.receipts", b"its own") in heard

    wait_until(crosses)  # the link is up, so what follows isn't vain

    def ask_for(name: str, park: str, said: str) -> None:
        config = {
            "name": name, "deliver_policy": "all", "ack_policy": "none", "inactive_threshold": 60_000_000_000,
            "deliver_subject": f"bw.delivered.EDG.{name}", "filter_subject": f"bw.down.{said}.>",
        }  # fmt: skip
        body = json.dumps({"stream_name": "BW_DOWN", "config": config, "action": ""}).encode()
        subject = f"$JS.hub.API.CONSUMER.CREATE.BW_DOWN.{name}"
        for tried in (f"{subject}.bw.down.{park}.>", subject):
            yard.ask(thief.publish(tried, body, reply=f"$JSC.R.{name}"))

    ask_for("own", "EDG", "EDG")
    ask_for("other", "SIP", "SIP")
    ask_for("lying", "EDG", "SIP")
    for forged in ("bw.v1.SIP.TRK-1.events", "bw.v1.EDG.TRK-1.events", "bw.in.0.SIP.TRK-1"):
        yard.ask(thief.publish(forged, b"forged"))
    yard.ask(thief.flush())
    yard.ask(downlink.keep(Waiting(1, "bw/v1/SIP/TRK-1/commands", b"of another park", 1)))
    yard.ask(gateway.publish("bw.v1.SIP.TRK-1.receipts", b"of another park"))
    yard.ask(downlink.keep(Waiting(2, "bw/v1/EDG/TRK-1/commands", b"its own", 1)))
    wait_until(lambda: ("bw.down.EDG.TRK-1.commands", b"its own") in heard)

    def granted(name: str) -> bool:
        return any(to == f"$JSC.R.{name}" and b'"created"' in answer for to, answer in heard)

    wait_until(lambda: granted("own"))
    time.sleep(2)
    assert not granted("other")
    assert not granted("lying")
    assert b"of another park" not in {payload for _, payload in heard}
    assert b"forged" not in yard.ask(stored(request))
    for closing in (thief.close(), downlink.aclose(), gateway.close()):
        yard.ask(closing)


async def stored(request: stream.Requester) -> list[bytes]:
    """The payloads in the hub's stream, in order."""
    state = await stream.stream_state(request)
    found = []
    for sequence in range(state.first, state.last + 1):
        if sequence == 0:
            continue
        answer = await stream.call(request, f"$JS.API.STREAM.MSG.GET.{STREAM}", {"seq": sequence})
        found.append(base64.b64decode(answer["message"]["data"]))
    return found


async def leaf_of_first(request: stream.Requester) -> str:
    """The park that the hub's stream names as the origin of its first message."""
    first = (await stream.stream_state(request)).first
    answer = await stream.call(request, f"$JS.API.STREAM.MSG.GET.{STREAM}", {"seq": first})
    lines = base64.b64decode(answer["message"]["hdrs"]).decode().splitlines()
    return leaf_of(dict(line.split(": ", 1) for line in lines if ": " in line))


async def tries(yard: Yard) -> set[str]:
    """What somebody with a stolen key of the park is refused at the hub."""
    refused: set[str] = set()

    async def note(error: Exception) -> None:
        said = re.search(r'permissions violation for (publish|subscription) to "(.*)"', str(error))
        if said is not None:
            refused.add(f"{said.group(1)} {said.group(2)}")

    thief = await nats.connect(yard.hub[0].url, nkeys_seed_str=yard.leaf_seed, error_cb=note)
    create = "$JS.hub.API.CONSUMER.CREATE.BW_DOWN"
    for subject in (
        "bw.v1.SIP.TRK-1.events",
        "bw.v1.EDG.TRK-1.events",
        "$JS.API.STREAM.PURGE.BW_EVENTS",
        create,
        f"{create}.thief",
        f"{create}.thief.bw.down.SIP.>",
    ):
        await thief.publish(subject, b"x")
    delivered = ("$JS.M.>", "bw.delivered.>", "bw.delivered.SIP.>")
    for subject in ("bw.down.>", *delivered, "bw.v1.SIP.*.receipts"):
        await thief.subscribe(subject)
    await thief.flush()
    await asyncio.sleep(0.2)
    await thief.close()
    return refused


def requester(client: Client) -> stream.Requester:
    async def request(subject: str, payload: bytes) -> bytes:
        answer: bytes = (await client.request(subject, payload, timeout=5)).data
        return answer

    return request


def joined(yard: Yard, request: stream.Requester) -> bool:
    """Join the park; a server that runs may not have its link yet."""
    try:
        yard.ask(edge.join(request, PARK, KEEP, replicas=3))
    except nats.errors.NoRespondersError:
        return False
    return True


def is_ready(child: Child) -> bool:
    child.look(time.monotonic())
    return child.state is State.READY


def public_key(seed: str) -> str:
    return str(nkeys.from_seed(seed.encode()).public_key.decode())


def wait_until(condition: Callable[[], object], deadline_s: float = PATIENCE_S) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.05)
