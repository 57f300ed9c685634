"""``bondwatch migrate``: bring the database's schema up to date."""

import structlog
import typer

from gateway import logging
from gateway.embedded.addresses import database_dsn
from gateway.problem import Problem
from gateway.settings import Settings
from tracking.store import migrate as runner
from tracking.store.database import connect

app = typer.Typer()
log = structlog.get_logger()


@app.command()
def migrate() -> None:
    """Apply the migrations that the database lacks. Safe to repeat, and from several places at once."""
    settings = Settings.load()
    logging.configure(settings, "migrate")
    with connect(database_dsn(settings), application="bondwatch-migrate") as conn:
        try:
            applied = runner.migrate(conn)
        except runner.MigrationError as error:
            raise Problem(f"the schema can't be brought up to date: {error}") from None
    for name in applied:
        log.info("applied", migration=name)
    log.info("schema is up to date", applied=len(applied))
