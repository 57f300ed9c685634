"""Which parts run, in which stages, with which addresses: from the settings, and nothing else."""

from collections.abc import Mapping
from itertools import count
from typing import Final

from gateway.access.nats_config import nats_accounts
from gateway.embedded.component import Component, Worker
from gateway.embedded.home import Home
from gateway.embedded.nats import Nats
from gateway.embedded.ports import Ports
from gateway.embedded.postgres import Postgres
from gateway.process import NAME_VARIABLE
from gateway.settings import PREFIX, Settings

LOOPBACK: Final = "127.0.0.1"


def stages(settings: Settings, home: Home) -> list[list[Component]]:
    """The parts of one installation: broker and database (if ours), migrations, then our own processes.

    Raises:
        Problem: a port that is set is taken.
    """
    ports = Ports()
    found = (servers(settings, home, ports), migrations(settings), workers(settings, ports))
    return [stage for stage in found if stage]


def servers(settings: Settings, home: Home, ports: Ports) -> list[Component]:
    """The broker and the database, unless the settings name external ones."""
    found: list[Component] = []
    if settings.broker_url is None:
        found.append(
            Nats(
                home,
                port=ports.claim(LOOPBACK, settings.nats_port, f"{PREFIX}NATS_PORT"),
                mqtt_host=settings.mqtt_host,
                mqtt_port=ports.claim(settings.mqtt_host, settings.mqtt_port, f"{PREFIX}MQTT_PORT"),
                monitor_port=ports.free(LOOPBACK),
                accounts=nats_accounts,
                stream_max_gib=settings.stream_max_gib,
            )
        )
    if settings.database_dsn is None:
        port = ports.claim(LOOPBACK, settings.database_port, f"{PREFIX}DATABASE_PORT")
        found.append(Postgres(home, port))
    return found


def migrations(settings: Settings) -> list[Component]:
    """The schema, before anybody reads it."""
    return [Worker("migrate", ("migrate",), environment(settings, "migrate"))]


def workers(settings: Settings, ports: Ports) -> list[Component]:
    """Recording workers, the judge, the API."""
    metrics = count(settings.metrics_port) if settings.metrics_port else None

    def metrics_port() -> int:
        wanted = next(metrics) if metrics else 0
        return ports.claim(LOOPBACK, wanted, f"{PREFIX}METRICS_PORT")

    api_port = ports.claim(settings.api_host, settings.api_port, f"{PREFIX}API_PORT")
    found: list[Component] = []
    for number in range(1, settings.workers + 1):
        found.append(_worker(settings, f"gateway-{number}", "gateway", metrics_port()))
    found.append(_worker(settings, "judge", "judge", metrics_port()))
    host = LOOPBACK if settings.api_host in {"0.0.0.0", "::"} else settings.api_host  # noqa: S104 - compared
    found.append(
        _worker(
            settings.model_copy(update={"api_port": api_port}),
            "api",
            "api",
            metrics_port(),
            announces={"api": f"http://{host}:{api_port}"},
        )
    )
    return found


def environment(settings: Settings, name: str) -> Mapping[str, str]:
    """What a child sees: our settings, its name, and logs for machines, because they go into a file."""
    return {
        **settings.environment(),
        f"{PREFIX}LOG_FORMAT": "json",
        NAME_VARIABLE: name,
        "PYTHONUNBUFFERED": "1",
    }


def _worker(
    settings: Settings, name: str, command: str, metrics_port: int, announces: Mapping[str, str] | None = None
) -> Worker:
    own = settings.model_copy(update={"metrics_port": metrics_port})
    return Worker(name, (command,), environment(own, name), metrics_port, announces or {})
