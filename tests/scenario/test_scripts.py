"""Every script on a real installation, each variant for itself: exactly the findings that it tells of."""

from __future__ import annotations

import pytest

from simulators.scripts.format import load, names
from tests.scenario.__main__ import Report, play_apart


def test_every_script_ends_as_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("scenario")
    for part in (directory, *directory.parents[:2]):
        part.chmod(0o711)  # the database may run as another user
    report = Report()
    play_apart(directory, [load(name) for name in names()], report)
    assert (report.missing, report.unexpected) == ([], [])
    assert report.scripts == report.passed > len(names())
