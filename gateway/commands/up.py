"""``bondwatch up``: run everything on this machine, until a signal."""

from typing import Annotated

import typer
from rich.console import Console

from gateway import logging
from gateway.embedded import plan
from gateway.embedded.home import Home
from gateway.embedded.supervisor import Stopped, Supervisor
from gateway.settings import Settings

app = typer.Typer()

Workers = Annotated[
    int | None, typer.Option(min=1, max=64, help="Recording processes; overrides the setting.")
]


@app.command()
def up(workers: Workers = None) -> None:
    """Run broker, database, recording workers, judge and API here, until Ctrl-C (a second one hurries).

    Everything it keeps is in the data directory (BONDWATCH_HOME). Ports and the rest: bondwatch config show.
    """
    settings = Settings.load(workers=workers)
    logging.configure(settings, "up")
    home = Home(settings.home).prepare()
    supervisor = Supervisor(home, plan.stages(settings, home))
    try:
        with supervisor.running():
            greet(home)
            supervisor.watch()
    except Stopped:
        raise typer.Exit(0) from None


def greet(home: Home) -> None:
    """Say where everything is."""
    found = home.endpoints()
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print("\n[bold]Bondwatch runs.[/bold]  Ctrl-C stops it.")
    if found.api:
        console.print(f"  page      {found.api}  (key: {home.secret_file('api_admin_key')})")
    if found.mqtt:
        console.print(f"  MQTT      {found.mqtt}  (register a device: bondwatch device add --help)")
    console.print(f"  data      {home.path}")
    console.print("  logs      bondwatch logs        what is wrong: bondwatch doctor\n")
