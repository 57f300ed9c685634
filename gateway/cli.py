"""The command ``bondwatch``. Each subject is one module of ``gateway.commands``, imported when it is called.

Such a module offers ``app``, a typer application: with one command it is mounted as that command, with
several (or a callback) as a group. So ``bondwatch --help`` stays quick however much the commands import.
"""

import importlib
import sys
from typing import Any, Final, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from gateway.problem import Problem


class Mounted(NamedTuple):
    """One subject of the command line."""

    module: str
    help: str
    panel: str


_RUN, _USE, _PARTS, _MEASURE = "Run", "Work with it", "Parts (started by `up`)", "Try and measure"

COMMANDS: Final = {
    "up": Mounted("gateway.commands.up", "Run everything on this machine, until Ctrl-C.", _RUN),
    "demo": Mounted("gateway.commands.demo", "Run everything with simulated traffic, and show it.", _RUN),
    "doctor": Mounted("gateway.commands.doctor", "Say what is wrong here, and what to do.", _RUN),
    "migrate": Mounted("gateway.commands.migrate", "Bring the database's schema up to date.", _RUN),
    "config": Mounted("gateway.commands.config", "Show the settings and where each comes from.", _RUN),
    "logs": Mounted("gateway.commands.logs", "Show what the processes wrote.", _RUN),
    "park": Mounted("gateway.commands.park", "Make and list parks.", _USE),
    "device": Mounted("gateway.commands.device", "Register devices, give and revoke credentials.", _USE),
    "rejections": Mounted(
        "gateway.commands.rejections", "List, show and replay what couldn't be taken.", _USE
    ),
    "corrections": Mounted("gateway.commands.corrections", "Declare that observations are in error.", _USE),
    "verify": Mounted("gateway.commands.verify", "Verify what is recorded and what is derived.", _USE),
    "certificate": Mounted("gateway.commands.certificate", "A shipment's certificate, to hand out.", _USE),
    "terms": Mounted("gateway.commands.terms", "Terms of custody: templates and checks.", _USE),
    "archive": Mounted(
        "gateway.commands.archive", "Closed shipments, with their evidence, to Parquet.", _USE
    ),
    "retention": Mounted("gateway.commands.retention", "Drop old movement that is nobody's evidence.", _USE),
    "rehearse": Mounted("gateway.commands.rehearse", "Try terms or zones on the recorded past.", _USE),
    "zones": Mounted("gateway.commands.zones", "Show the zones that terms may name.", _USE),
    "corridors": Mounted("gateway.commands.corridors", "Show the routes that terms may name.", _USE),
    "nats": Mounted("gateway.commands.nats", "NATS servers of your own, parks with a leaf node.", _USE),
    "gateway": Mounted("gateway.commands.gateway", "The recording worker.", _PARTS),
    "access": Mounted("gateway.commands.access", "Who may connect, at a park with a leaf node.", _PARTS),
    "judge": Mounted("gateway.commands.judge", "The judging worker, with relay and upkeep.", _PARTS),
    "api": Mounted("gateway.commands.api", "The HTTP API and the pages.", _PARTS),
    "simulate": Mounted("gateway.commands.simulate", "Play scenarios, check and score findings.", _MEASURE),
    "load": Mounted("gateway.commands.load", "Push a system to its limit, and say where that is.", _MEASURE),
    "record": Mounted("gateway.commands.record", "Record what the broker delivers, to a file.", _MEASURE),
    "replay": Mounted("gateway.commands.replay", "Play such a file into a database.", _MEASURE),
    "plan": Mounted("gateway.commands.plan", "What so many devices need.", _MEASURE),
    "bench": Mounted("gateway.commands.bench", "Benchmarks.", _MEASURE),
}


class LazyGroup(TyperGroup):
    """Lists the table above without importing what stands behind it."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the base class's signature
        """All names, in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the base class's signature
        """What the help shows of a command: its line in the table."""
        mounted = COMMANDS.get(cmd_name)
        if mounted is None:
            return None
        return TyperCommand(cmd_name, help=mounted.help, rich_help_panel=mounted.panel, callback=lambda: None)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command itself, imported now."""
        self.commands = {name: self.get_command(ctx, name) for name in COMMANDS}  # for "did you mean"
        name, command, rest = super().resolve_command(ctx, args)
        if name in COMMANDS:
            mounted = importlib.import_module(COMMANDS[name].module).app
            mounted._add_completion = False
            command = typer.main.get_command(mounted)
            command.name = name
        return name, command, rest


app = typer.Typer(
    name="bondwatch",
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    help="Verifiable custody of bonded goods, from sensor to gate.",
    epilog="Settings come from BONDWATCH_* variables; `bondwatch config show` lists them.",
    pretty_exceptions_enable=False,
)


@app.callback()
def root() -> None:
    """Verifiable custody of bonded goods, from sensor to gate."""


def main() -> None:
    """Entry point of the ``bondwatch`` command: expected failures are one line, and exit code 1."""
    try:
        app(prog_name="bondwatch")
    except Problem as problem:
        fail(problem)
    except Exception as error:
        known = explain(error)
        if known is None:
            raise
        fail(known)


def fail(problem: Problem) -> None:
    """Print a problem for a person and end the process."""
    typer.echo(f"error: {problem}", err=True)
    sys.exit(1)


def explain(error: Exception) -> Problem | None:
    """What a library's error means here, if it is one that is expected; None: it is a bug, show it whole."""
    psycopg = sys.modules.get("psycopg")
    if psycopg is not None and isinstance(error, psycopg.OperationalError):
        line = str(error).strip().splitlines()[0]
        return Problem(f"the database doesn't answer: {line}", "is it running?  bondwatch doctor")
    return None


if __name__ == "__main__":
    main()
