"""Where the database and the broker are, by the settings, else by the running instance."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from gateway.embedded.home import Home
from gateway.problem import Problem
from gateway.settings import Settings

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


def broker(settings: Settings, service: Service) -> BrokerAddress:
    """The broker that the gateway reads from: NATS for JetStreamSource, MQTT 5 for MqttSource.

    Raises:
        Problem: no external broker is set and no instance runs.
    """
    if settings.broker_url is not None:
        return _external(settings)
    home = Home(settings.home)
    return _embedded(home.endpoints().nats, home, service)


def mqtt_broker(settings: Settings, service: Service) -> BrokerAddress:
    """The MQTT listener for what goes down to devices (commands, alerts).

    Raises:
        Problem: no external broker is set and no instance runs.
    """
    if settings.source == "mqtt":
        return _external(settings)
    home = Home(settings.home)
    return _embedded(home.endpoints().mqtt, home, service)


def _embedded(url: str | None, home: Home, service: Service) -> BrokerAddress:
    if url is None:
        raise Problem("the running instance has no broker yet", "it is still starting: try again")
    parts = urlsplit(url)
    if parts.hostname is None or parts.port is None:
        raise ValueError(f"endpoints.json holds no address: {url}")
    kind: Literal["nats", "mqtt"] = "nats" if parts.scheme == "nats" else "mqtt"
    password = home.secret(f"nats_{service}_password")
    return BrokerAddress(kind, parts.hostname, parts.port, user=service, password=password)


def _external(settings: Settings) -> BrokerAddress:
    parts = urlsplit(settings.broker_url or "")
    tls = parts.scheme in {"mqtts", "tls"}
    kind: Literal["nats", "mqtt"] = "mqtt" if parts.scheme in {"mqtt", "mqtts"} else "nats"
    default_port = {"mqtt": 8883 if tls else 1883, "nats": 4222}[kind]
    password = settings.broker_password.get_secret_value() if settings.broker_password else None
    return BrokerAddress(
        kind,
        parts.hostname or "",
        parts.port or default_port,
        user=parts.username or settings.broker_user,
        password=password,
        tls=tls,
        ca_file=settings.broker_ca_file,
    )
