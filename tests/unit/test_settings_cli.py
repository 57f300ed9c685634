"""The command line: quick, and polite when something is wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    "psycopg",
    "fastapi",
    "uvicorn",
    "shapely",
    "numpy",
    "natsrpy",
    "nats",
    "pydantic",
    "paho",
    "structlog",
)


def bondwatch(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gateway.cli", *arguments],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "110", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_misspelt_variable_is_pointed_at() -> None:
    said = bondwatch("config", "show", BONDWATCH_API_PROT="9001", HOME="/nonexistent")
    assert said.returncode == 0
    assert said.stderr == "BONDWATCH_API_PROT is no setting; did you mean BONDWATCH_API_PORT?\n"


def test_help_lists_every_command_and_imports_none() -> None:
    code = "import sys; from gateway.cli import app; app(['--help'], standalone_mode=False); "
    code += f"print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("[]")
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_each_command_can_be_mounted(name: str) -> None:
    done = bondwatch(name, "--help")
    assert done.returncode == 0, done.stderr
    assert f"Usage: bondwatch {name}" in done.stdout


def test_a_typo_is_answered_with_a_guess() -> None:
    done = bondwatch("docter")
    assert done.returncode == 2
    assert "'doctor'" in done.stderr


def test_a_problem_is_one_line_and_what_to_do(tmp_path: Path) -> None:
    done = bondwatch("migrate", BONDWATCH_HOME=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"error: nothing runs on {tmp_path}",
        "       start it with `bondwatch up`, or set BONDWATCH_HOME",
    ]


def test_a_database_that_is_away_is_no_traceback(tmp_path: Path) -> None:
    dsn = "postgresql://u@127.0.0.1:1/d?connect_timeout=2"
    done = bondwatch("migrate", BONDWATCH_HOME=str(tmp_path), BONDWATCH_DATABASE_DSN=dsn)
    assert done.returncode == 1
    assert done.stderr.startswith("error: the database doesn't answer: ")
    assert "bondwatch doctor" in done.stderr
    assert "Traceback" not in done.stderr


def test_logs_of_a_place_where_nothing_ran(tmp_path: Path) -> None:
    done = bondwatch("logs", BONDWATCH_HOME=str(tmp_path))
    assert done.returncode == 1
    assert "nothing has run there yet" in done.stderr


def test_logs_are_for_people(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "judge.log").write_text(
        '{"event": "judged", "shipments": 3, "level": "info", "time": "2026-11-23T18:27:04.041055Z"}\nplain\n'
    )
    done = bondwatch("logs", "judge", BONDWATCH_HOME=str(tmp_path))
    assert done.stdout.splitlines() == [
        "judge      18:27:04.041 info    judged shipments=3",
        "judge      plain",
    ]
