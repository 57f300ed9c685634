"""``bondwatch demo``: run everything with simulated traffic, and show it. What ``make run`` calls."""

import os
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console

from gateway import logging
from gateway.demo.run import Account, Demo
from gateway.embedded import plan
from gateway.embedded.home import Home
from gateway.embedded.ports import is_free
from gateway.embedded.supervisor import Stopped, Supervisor
from gateway.problem import Problem
from gateway.settings import PREFIX, Settings, origins

app = typer.Typer()

DEMO_HOME: Final = Path("var") / "demo"

ForS = Annotated[
    float | None, typer.Option("--for", min=1, metavar="SECONDS", help="End by itself after this.")
]
AsJson = Annotated[bool, typer.Option("--json", help="No table; the last line is one JSON object.")]
Scenario = Annotated[str, typer.Option(help="What is simulated: a scenario's name or file.")]


@app.command()
def demo(for_s: ForS = None, as_json: AsJson = False, scenario: Scenario = "demo") -> None:
    """Start everything with simulated trucks, scanners and gates around Suzhou, and watch it.

    State is kept in var/demo of the working directory (or in BONDWATCH_HOME). The default ports are used
    where they are free. Ends with an account: exit code 1 when anything published was lost.
    """
    settings = settle(Settings.load(home=os.environ.get(f"{PREFIX}HOME") or Path.cwd() / DEMO_HOME))
    logging.configure(settings, "demo")
    home = Home(settings.home).prepare()
    supervisor = Supervisor(home, plan.stages(settings, home))
    try:
        with supervisor.running():
            greet(home)
            account = Demo(settings, home, supervisor).run(for_s, scenario, quiet=as_json)
    except Stopped:
        raise typer.Exit(0) from None
    if as_json:
        typer.echo(msgspec.json.encode(account).decode())
    else:
        tell(account)
    if account.lost:
        raise typer.Exit(1)


def settle(settings: Settings) -> Settings:
    """The settings with free ports in place of default ones that are taken.

    Raises:
        Problem: an external broker is set, where the simulated devices have no accounts.
    """
    if settings.broker_url is not None:
        raise Problem(
            "the demo uses the embedded broker",
            f"unset {PREFIX}BROKER_URL; for yours: bondwatch simulate --help",
        )
    set_by = origins(os.environ, settings.home)
    moved = {
        name: 0
        for name, host in (("mqtt_port", settings.mqtt_host), ("api_port", settings.api_host))
        if set_by[name] == "default" and not is_free(host, getattr(settings, name))
    }
    return settings.model_copy(update=moved)


def greet(home: Home) -> None:
    """Say where the page is, and with which key one gets in."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    file = home.secret_file("api_admin_key")
    # The key itself only where a person looks: what is not a terminal may be a log that many read.
    # Behind "#" it is sent to no server and stands in no server's log; the page takes it from there.
    api = home.endpoints().api
    page = f"{api}/login#{home.secret('api_admin_key')}" if console.is_terminal else f"{api}   key: in {file}"
    console.print(f"\n[bold]Bondwatch runs.[/bold]  Page: {page}")
    console.print(f"Data, logs: {home.path}")
    console.print(f"Other commands look there with {PREFIX}HOME={home.path}\n")


def tell(account: Account) -> None:
    """The account in words."""
    raised = ", ".join(f"{rule} {count}" for rule, count in account.alerts.items()) or "none"
    typer.echo(
        f"published {account.published}, recorded {account.recorded}, rejected {account.rejected}, "
        f"sent twice and recognised {account.duplicates}, waiting {account.waiting}, lost {account.lost}\n"
        f"alerts: {raised}"
    )
