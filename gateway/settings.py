"""Settings: few, each with a unit in its name. docs/configuration.md is tested against them.

They come, the first that names one wins, from arguments, from the environment (``BONDWATCH_API_PORT``), from
``config.toml`` in the home directory, and from the defaults here. Secrets have no defaults: the first start
generates its own into ``<home>/secrets``; a weak one that is set by hand is refused.
"""

import os
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from gateway.problem import Problem

PREFIX: Final = "BONDWATCH_"
CONFIG_FILE: Final = "config.toml"

# Passwords that scripts try first. A setting that holds one of them, or none at all, is refused.
WEAK_SECRETS: Final = frozenset(
    {
        "",
        "password",
        "passwort",
        "changeme",
        "change-me",
        "secret",
        "admin",
        "root",
        "test",
        "default",
        "guest",
    }
    | {"bondwatch", "postgres", "mosquitto", "nats", "mqtt", "public", "123456", "12345678", "123456789"}
)

BROKER_SCHEMES: Final = {"mqtt": "mqtt", "mqtts": "mqtt", "nats": "jetstream", "tls": "jetstream"}
DOWNLINK_SCHEMES: Final = ("mqtt", "mqtts")

Port = Annotated[int, Field(ge=0, le=65535)]


def default_home() -> Path:
    """Where state lives when nothing says otherwise: the user's XDG data directory."""
    base = os.environ.get("XDG_DATA_HOME", "")
    # XDG: a relative path is invalid and to be ignored.
    root = Path(base) if base.startswith("/") else Path.home() / ".local" / "share"
    return root / "bondwatch"


def refuse_weak(value: SecretStr | None) -> SecretStr | None:
    """A secret that is empty or on every attacker's list is worse than none: it looks like protection."""
    if value is not None and value.get_secret_value().strip().lower() in WEAK_SECRETS:
        raise ValueError("is empty or a well-known default password; set a real one")
    return value


def refuse_weak_in_dsn(value: SecretStr | None) -> SecretStr | None:
    """The same for a password written into a connection string. Without one (peer, passfile) it is fine."""
    if value is None:
        return None
    from psycopg import ProgrammingError  # noqa: PLC0415 - 60 ms that most commands needn't spend
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    try:
        parts = conninfo_to_dict(value.get_secret_value())
    except ProgrammingError:  # its message may quote the password
        raise ValueError("is not a PostgreSQL connection string or URL") from None
    if "password" in parts:
        refuse_weak(SecretStr(str(parts["password"])))
    return value


def check_broker(value: str | None) -> str | None:
    """A broker's address: a scheme we speak, a host, no password inside (it has its own place).

    Of a NATS cluster all servers, with commas between them; an MQTT 5 broker has one address.
    """
    if value is None:
        return None
    schemes = [_check_address(one, BROKER_SCHEMES) for one in split_addresses(value)]
    if len({BROKER_SCHEMES[scheme] for scheme in schemes}) != 1:
        raise ValueError("must not mix MQTT and NATS addresses")
    if len(schemes) > 1 and BROKER_SCHEMES[schemes[0]] == "mqtt":
        raise ValueError("must be one address of an MQTT broker: its cluster stands behind a balancer")
    return value


def check_downlink(value: str | None) -> str | None:
    """MQTT listeners of a NATS cluster, with commas between them."""
    for one in split_addresses(value or ""):
        _check_address(one, DOWNLINK_SCHEMES)
    return value


def split_addresses(value: str) -> list[str]:
    """The addresses of a setting that may hold several."""
    return [one.strip() for one in value.split(",") if one.strip()]


def _check_address(value: str, schemes: Collection[str]) -> str:
    url = urlsplit(value)
    if url.scheme not in schemes or not url.hostname:
        raise ValueError(f"must look like {' or '.join(f'{scheme}://host:port' for scheme in schemes)}")
    if url.password is not None:
        raise ValueError("must not hold a password; put it into BONDWATCH_BROKER_PASSWORD")
    return url.scheme


class Settings(BaseSettings):
    """Everything that can be set. One line each; the field's name in capitals after ``BONDWATCH_``."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    home: Path = Field(
        default_factory=default_home,
        description="Data directory: secrets, broker, database, logs, run files. One running instance each.",
    )
    mqtt_port: Port = Field(
        default=1883, description="Port on which devices reach the embedded broker by MQTT."
    )
    mqtt_host: str = Field(
        default="127.0.0.1",
        description="Address the embedded broker's MQTT listener binds to. Leave loopback only behind TLS.",
    )
    api_host: str = Field(
        default="127.0.0.1",
        description="Address the HTTP API and the pages bind to. Leave loopback only behind TLS.",
    )
    api_port: Port = Field(default=8480, description="Port of the HTTP API and the pages.")
    database_port: Port = Field(default=0, description="Port of the embedded PostgreSQL, on loopback.")
    nats_port: Port = Field(
        default=0, description="Port of the embedded NATS server's own protocol, on loopback."
    )
    metrics_port: Port = Field(
        default=0,
        description="First loopback port of the workers' Prometheus metrics; each process takes the next.",
    )
    workers: int = Field(
        default=1, ge=1, le=64, description="Gateway (recording) processes; one a core at most."
    )
    broker_url: Annotated[str | None, AfterValidator(check_broker)] = Field(
        default=None,
        description="An external broker instead of the embedded one: mqtt(s)://host:port (MQTT 5) or"
        " nats://host:port; of a NATS cluster all servers, with commas.",
    )
    downlink_url: Annotated[str | None, AfterValidator(check_downlink)] = Field(
        default=None,
        description="Beside nats:// in BONDWATCH_BROKER_URL: the MQTT listeners of those servers, with"
        " commas, where commands and alerts go down.",
    )
    broker_user: str = Field(default="bondwatch-gateway", description="User name at the external broker.")
    broker_password: Annotated[SecretStr | None, AfterValidator(refuse_weak)] = Field(
        default=None, description="Password at the external broker."
    )
    broker_ca_file: Path | None = Field(
        default=None,
        description="PEM file with the authority that signed the broker's certificate; default: system's.",
    )
    database_dsn: Annotated[SecretStr | None, AfterValidator(refuse_weak_in_dsn)] = Field(
        default=None,
        description="An external PostgreSQL or TimescaleDB instead of the embedded one: libpq string or URL.",
    )
    stream_max_gib: float = Field(
        default=8.0, gt=0, description="GiB of events that the embedded broker keeps, recorded ones included."
    )
    stream_max_age_days: float = Field(
        default=7.0, gt=0, description="Days that the embedded broker keeps events, recorded ones included."
    )
    stream_replicas: int = Field(
        default=1,
        ge=1,
        le=5,
        description="Servers of a NATS cluster that each keep the events; 3 outlive one of them.",
    )
    clock_file: Path | None = Field(
        default=None,
        description="A file that sets a simulated clock, to play stories; default: the machine's clock.",
    )
    log_format: Literal["auto", "console", "json"] = Field(
        default="auto",
        description="Logs for people (console) or machines (json); auto: console on a terminal.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe message that is logged."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base class's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base class's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, environment, config.toml of the home that these two name, defaults."""
        home = init_settings().get("home") or env_settings().get("home") or default_home()
        toml = TomlConfigSettingsSource(settings_cls, Path(home) / CONFIG_FILE)
        return init_settings, env_settings, toml

    @property
    def source(self) -> Literal["jetstream", "mqtt"]:
        """Which source the gateway reads: follows from the broker's address."""
        if self.broker_url is None:
            return "jetstream"
        return "mqtt" if self.broker_url.startswith("mqtt") else "jetstream"

    @classmethod
    def load(cls, **given: Any) -> Self:
        """Read all sources. Arguments that are None count as not given.

        Raises:
            Problem: a value can't be taken; names the setting, never shows a secret.
        """
        try:
            settings = cls(**{name: value for name, value in given.items() if value is not None})
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0]) if first["loc"] else "settings"
            raise Problem(
                f"{PREFIX}{name.upper()}: {first['msg'].removeprefix('Value error, ')}",
                "docs/configuration.md says what it may be",
            ) from None
        except tomllib.TOMLDecodeError as error:
            raise Problem(f"{CONFIG_FILE} in the home directory can't be read: {error}") from None
        return settings.model_copy(update={"home": settings.home.expanduser().absolute()})

    def environment(self) -> dict[str, str]:
        """These settings as environment variables, for a child process: it sees exactly what we see."""
        variables = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if value is not None:
                plain = value.get_secret_value() if isinstance(value, SecretStr) else value
                variables[PREFIX + name.upper()] = str(plain)
        return variables


def origins(environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """Where each setting's value comes from: the environment, ``config.toml`` or the default."""
    try:
        in_file = set(tomllib.loads((home / CONFIG_FILE).read_text()))
    except FileNotFoundError:
        in_file = set()
    found = {}
    for name in Settings.model_fields:
        variable = PREFIX + name.upper()
        if environment.get(variable):
            found[name] = f"environment {variable}"
        elif name in in_file:
            found[name] = str(home / CONFIG_FILE)
        else:
            found[name] = "default"
    return found
