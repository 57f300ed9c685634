"""The command ``bondwatch``: mounts one group of commands a subject."""

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False)


def main() -> None:
    """Entry point of the ``bondwatch`` command."""
    app()
