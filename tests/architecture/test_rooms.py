"""The house rules that a script can hold: room sizes, no cycles of blame, nothing private in public files."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("devices", "tracking", "gateway", "simulators")
MOST_LINES = 300

LARGER: dict[str, str] = {
    # path: why the room may be larger
}


def sources() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def tracked() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode != 0:
        pytest.skip("not a git checkout: there is no list of tracked files to read")
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_rooms_are_small() -> None:
    too_large = {
        str(path.relative_to(ROOT)): lines
        for path in sources()
        if (lines := path.read_text().count("\n")) > MOST_LINES
    }
    assert set(too_large) == set(LARGER), f"split by meaning, or give a reason in LARGER: {too_large}"


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in sources()
        if path.read_text().strip() and not re.match(r'\s*(#.*\n)*\s*[ru]?"""', path.read_text())
    ]
    assert silent == []


def test_no_room_without_a_purpose_in_its_name() -> None:
    vague = {"utils", "helpers", "manager", "misc", "common"}
    assert [path for path in sources() if path.stem in vague] == []


def test_no_registry_address_in_a_lock_file() -> None:
    pattern = re.compile(r'"resolved":\s*"http|^--(extra-)?index-url|^-i http', re.MULTILINE)
    locks = [p for p in tracked() if p.name.startswith("requirements") or p.name == "package-lock.json"]
    assert locks, "the lock files are gone"
    assert [p.name for p in locks if pattern.search(p.read_text())] == []


def test_no_wall_clock_in_the_core() -> None:
    reads_clock = re.compile(r"datetime\.now|utcnow|time\.time\(|monotonic\(|perf_counter")
    core = [*(ROOT / "tracking" / "domain").rglob("*.py"), *(ROOT / "devices" / "codecs").rglob("*.py")]
    assert core
    assert [str(path) for path in core if reads_clock.search(path.read_text())] == []


def test_recorded_facts_take_their_moments_from_the_caller() -> None:
    """SQL now() would tie what is recorded to the server's clock; leases are the exception and say so."""
    queries = sorted((ROOT / "tracking" / "store").rglob("*.sql"))
    assert queries
    offenders = [
        f"{path.name}: {line.strip()}"
        for path in queries
        for line in path.read_text().splitlines()
        if re.search(r"\bnow\(\)|current_timestamp", line.split("--")[0], re.IGNORECASE)
    ]
    assert offenders == []
