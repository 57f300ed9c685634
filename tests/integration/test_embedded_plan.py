"""Which parts run under which settings, and what each of them is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.embedded import addresses, plan, ports
from gateway.embedded.component import Worker
from gateway.embedded.home import Endpoints, Home
from gateway.embedded.processes import reference
from gateway.problem import Problem
from gateway.settings import PREFIX, Settings

DSN = "postgresql://bondwatch:a-long-one@db.example/bondwatch"
BROKER = {"broker_url": "mqtts://broker.example", "broker_password": "another-long-one"}
FREE = {"mqtt_port": 0, "api_port": 0}


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)


def planned(home: Path, **given: object) -> list[list[str]]:
    settings = Settings.load(home=home, **{**FREE, **given})
    return [[part.name for part in stage] for stage in plan.stages(settings, Home(home))]


@pytest.mark.parametrize(
    ("given", "servers"),
    [
        ({}, [["nats", "postgres"]]),
        (BROKER, [["postgres"]]),
        ({"database_dsn": DSN}, [["nats"]]),
        ({**BROKER, "database_dsn": DSN}, []),
    ],
)
def test_what_the_settings_name_is_not_started(
    tmp_path: Path, given: dict[str, object], servers: list[list[str]]
) -> None:
    assert planned(tmp_path, **given) == [*servers, ["migrate"], ["gateway-1", "judge", "api"]]


def test_as_many_workers_as_are_set_each_with_a_port_of_its_own(tmp_path: Path) -> None:
    settings = Settings.load(home=tmp_path, workers=3, **FREE)
    *_, workers = plan.stages(settings, Home(tmp_path))
    assert [worker.name for worker in workers] == ["gateway-1", "gateway-2", "gateway-3", "judge", "api"]
    told = [worker.environment for worker in workers if isinstance(worker, Worker)]
    assert len({environment[f"{PREFIX}METRICS_PORT"] for environment in told}) == 5
    assert [environment["BONDWATCH_PROCESS"] for environment in told] == [worker.name for worker in workers]


def test_set_metrics_ports_follow_each_other(tmp_path: Path) -> None:
    def free(first: int) -> bool:
        return all(ports.is_free("127.0.0.1", port) for port in range(first, first + 3))

    first = next(port for port in range(32000, 32600, 3) if free(port))
    settings = Settings.load(home=tmp_path, metrics_port=first, **FREE)
    *_, workers = plan.stages(settings, Home(tmp_path))
    assert [worker.metrics for worker in workers] == [
        f"http://127.0.0.1:{port}/metrics" for port in range(first, first + 3)
    ]


def test_addresses_come_from_the_settings_before_the_running_instance(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").prepare()
    ours = reference(os.getpid())
    assert ours is not None
    home.announce(
        Endpoints(ours, database_dsn="embedded", mqtt="mqtt://127.0.0.1:1", nats="nats://127.0.0.1:2")
    )

    embedded = Settings.load(home=home.path)
    assert addresses.database_dsn(embedded) == "embedded"
    gateway = addresses.brokers(embedded, "gateway")[0]
    assert (gateway.url, gateway.user) == ("nats://127.0.0.1:2", "gateway")
    assert gateway.password == home.secret("nats_gateway_password")
    assert addresses.mqtt_brokers(embedded, "judge")[0].url == "mqtt://127.0.0.1:1"

    external = Settings.load(home=home.path, database_dsn=DSN, **BROKER)
    assert addresses.database_dsn(external) == DSN
    for found in (*addresses.brokers(external, "gateway"), *addresses.mqtt_brokers(external, "judge")):
        assert (found.url, found.user) == ("mqtts://broker.example:8883", "bondwatch-gateway")
        assert found.password == "another-long-one"
        assert "another-long-one" not in repr(found)


def test_without_a_running_instance_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="nothing runs"):
        addresses.database_dsn(Settings.load(home=tmp_path))


def test_a_site_with_nats_servers_of_its_own_names_them_all(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").prepare()
    servers = "nats://n1:4222, nats://n2,nats://n3:4333"
    settings = Settings.load(home=home.path, broker_url=servers, downlink_url="mqtt://n1,mqtts://n2:8884")
    found = addresses.brokers(settings, "gateway")
    assert [one.url for one in found] == ["nats://n1:4222", "nats://n2:4222", "nats://n3:4333"]
    assert {(one.user, one.password) for one in found} == {("gateway", home.secret("nats_gateway_password"))}
    down = addresses.mqtt_brokers(settings, "judge")
    assert [one.url for one in down] == ["mqtt://n1:1883", "mqtts://n2:8884"]
    assert {(one.user, one.password) for one in down} == {("judge", home.secret("nats_judge_password"))}
    with pytest.raises(Problem, match="DOWNLINK_URL"):
        addresses.mqtt_brokers(Settings.load(home=home.path, broker_url=servers), "judge")
