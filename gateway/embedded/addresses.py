"""Where the database and the broker are, by the settings, else by the running instance."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from gateway.embedded.home import Home
from gateway.problem import Problem
from gateway.settings import Settings, split_addresses

Service = Literal["access", "gateway", "judge", "doctor"]


@dataclass(frozen=True)
class BrokerAddress:
    """One broker, as one of our services logs in there."""

    kind: Literal["nats", "mqtt"]
    host: str
    port: int
    user: str
    password: str | None = field(repr=False)
    tls: bool = False
    ca_file: Path | None = None

    @property
    def url(self) -> str:
        """Scheme, host and port, without user and password."""
        scheme = {
            ("nats", False): "nats",
            ("nats", True): "tls",
            ("mqtt", False): "mqtt",
            ("mqtt", True): "mqtts",
        }
        return f"{scheme[self.kind, self.tls]}://{self.host}:{self.port}"


def database_dsn(settings: Settings) -> str:
    """The libpq connection string of the database in use.

    Raises:
        Problem: no external database is set and no instance runs.
    """
    if settings.database_dsn is not None:
        return settings.database_dsn.get_secret_value()
    dsn = Home(settings.home).endpoints().database_dsn
    if dsn is None:
        raise Problem("the running instance has no database yet", "it is still starting: try again")
    return dsn


def brokers(settings: Settings, service: Service) -> list[BrokerAddress]:
    """The broker that the gateway reads from: NATS for JetStreamSource (all servers of a cluster), or one
    MQTT 5 broker for MqttSource.

    Raises:
        Problem: no external broker is set and no instance runs.
    """
    home = Home(settings.home)
    if settings.broker_url is None:
        return [_embedded(home.endpoints().nats, home, service)]
    if settings.source == "mqtt":
        return [_external(settings, settings.broker_url)]
    return [_clustered(settings, one, service) for one in split_addresses(settings.broker_url)]


def mqtt_brokers(settings: Settings, service: Service) -> list[BrokerAddress]:
    """The MQTT listeners for what goes down to devices (commands, alerts); each will do.

    Raises:
        Problem: no external broker is set and no instance runs, or the settings name none.
    """
    home = Home(settings.home)
    if settings.broker_url is None:
        return [_embedded(home.endpoints().mqtt, home, service)]
    if settings.source == "mqtt":
        return [_external(settings, settings.broker_url)]
    if settings.downlink_url is None:
        raise Problem(
            "BONDWATCH_DOWNLINK_URL is not set: where do commands and alerts go down?",
            "name the MQTT listeners of the NATS servers: mqtt://host:1883",
        )
    return [_clustered(settings, one, service) for one in split_addresses(settings.downlink_url)]


def _embedded(url: str | None, home: Home, service: Service) -> BrokerAddress:
    if url is None:
        raise Problem("the running instance has no broker yet", "it is still starting: try again")
    parts = urlsplit(url)
    if parts.hostname is None or parts.port is None:
        raise ValueError(f"endpoints.json holds no address: {url}")
    kind: Literal["nats", "mqtt"] = "nats" if parts.scheme == "nats" else "mqtt"
    password = home.secret(f"nats_{service}_password")
    return BrokerAddress(kind, parts.hostname, parts.port, user=service, password=password)


def _external(settings: Settings, url: str) -> BrokerAddress:
    """An MQTT 5 broker: all our processes are one user there."""
    password = settings.broker_password.get_secret_value() if settings.broker_password else None
    return _address(settings, url, user=urlsplit(url).username or settings.broker_user, password=password)


def _clustered(settings: Settings, url: str, service: Service) -> BrokerAddress:
    """A NATS server of the site: each service is its own user there, as in the embedded one."""
    password = Home(settings.home).secret(f"nats_{service}_password")
    return _address(settings, url, user=service, password=password)


def _address(settings: Settings, url: str, *, user: str, password: str | None) -> BrokerAddress:
    parts = urlsplit(url)
    tls = parts.scheme in {"mqtts", "tls"}
    kind: Literal["nats", "mqtt"] = "mqtt" if parts.scheme in {"mqtt", "mqtts"} else "nats"
    default_port = {"mqtt": 8883 if tls else 1883, "nats": 4222}[kind]
    return BrokerAddress(
        kind,
        parts.hostname or "",
        parts.port or default_port,
        user=user,
        password=password,
        tls=tls,
        ca_file=settings.broker_ca_file,
    )
