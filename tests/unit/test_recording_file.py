"""The file of a recording: what goes in comes out; cut off, damaged or foreign, it says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.pipeline.batch import Message
from gateway.problem import Problem
from gateway.sources.recording import Header, Recording, Writer

HEADER = Header("ab" * 16, "jetstream", 1_000_000, True, "1.0")


def message(number: int) -> Message:
    leaf = "SIP" if number % 2 else ""
    return Message(
        f"bw/v1/SIP/TRK-{number % 3}/events", b"{%d}\x00\xff" % number, 2_000_000 + number, {"k": "v"}, leaf
    )


MESSAGES = [message(number) for number in range(250)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.bwrec"


def write(path: Path, *, end: bool = True) -> list[int]:
    """Ten blocks; returns where each ends."""
    writer = Writer(path, HEADER)
    sizes = []
    writer.add_reference({"parks": [{"code": "SIP"}]})
    for begin in range(0, len(MESSAGES), 25):
        writer.add_messages(MESSAGES[begin : begin + 25])
        sizes.append(writer.size)
    writer.add_reference({"parks": [{"code": "KS"}], "devices": []})
    writer.add_reference({})
    if end:
        writer.end(9_000_000)
    writer.close()
    return sizes


def test_what_goes_in_comes_out(path: Path) -> None:
    write(path)
    recording = Recording(path)
    assert list(recording.messages()) == MESSAGES
    assert recording.reference() == {"parks": [{"code": "SIP"}, {"code": "KS"}], "devices": []}
    survey = recording.survey()
    assert survey.header == HEADER
    assert (survey.messages, survey.first_us, survey.last_us) == (250, 2_000_000, 2_000_249)
    assert (survey.ended_us, survey.is_whole, survey.size) == (9_000_000, True, path.stat().st_size)


@pytest.mark.parametrize("after", [0, 1, 24, 25, 26, 249, 250])
def test_reading_goes_on_behind_any_number(path: Path, after: int) -> None:
    write(path)
    assert list(Recording(path).messages(after)) == MESSAGES[after:]


def test_cut_off_anywhere_it_holds_its_whole_blocks(path: Path) -> None:
    sizes = write(path, end=False)
    whole = path.read_bytes()
    for size in range(sizes[0], sizes[2] + 1):
        path.write_bytes(whole[:size])
        survey = Recording(path).survey()
        blocks = sum(size >= one for one in sizes)
        assert survey.messages == 25 * blocks
        assert not survey.is_whole
        assert survey.ended_us == survey.last_us == MESSAGES[25 * blocks - 1].received_us
        assert list(Recording(path).messages()) == MESSAGES[: 25 * blocks]


def test_a_changed_byte_in_the_middle_is_named(path: Path) -> None:
    sizes = write(path)
    whole = bytearray(path.read_bytes())
    for place in (sizes[3] + 1, sizes[3] + 20, sizes[4] - 1):
        changed = bytearray(whole)
        changed[place] ^= 0x01
        path.write_bytes(changed)
        with pytest.raises(Problem, match=f"damaged at byte {sizes[3]}|not match|checksum"):
            Recording(path).survey()


def test_a_file_that_is_none_of_ours_is_refused(path: Path) -> None:
    path.write_bytes(b"PAR1" + bytes(200))
    with pytest.raises(Problem, match="is no recording"):
        Recording(path)
    path.write_bytes(b"")
    with pytest.raises(Problem, match="is no recording"):
        Recording(path)
    with pytest.raises(Problem, match="can't be read"):
        Recording(path.with_name("absent"))


def test_a_newer_version_is_refused_by_number(path: Path) -> None:
    write(path)
    content = bytearray(path.read_bytes())
    content[9] = 2
    path.write_bytes(content)
    with pytest.raises(Problem, match="version 2"):
        Recording(path)


def test_nothing_whole_is_nothing(path: Path) -> None:
    write(path)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(Problem, match="holds nothing"):
        Recording(path).survey()


def test_a_recording_is_never_written_over(path: Path) -> None:
    write(path)
    with pytest.raises(Problem, match="exists"):
        Writer(path, HEADER)
