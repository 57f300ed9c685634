"""A certificate: made from a real database, checked by a stranger who has the file and the public key."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from devices.canonical import canonical
from tests.support.court import Court
from tests.support.recording import at
from tracking.domain.custody.corrections import Observed
from tracking.domain.ledger import certificate as documents
from tracking.domain.ledger.certificate import Certificate
from tracking.domain.ledger.checkpoint import Signer
from tracking.exchange import certificate
from tracking.exchange.verify.run import run
from tracking.judge.checkpoints import Checkpointer
from tracking.store import corrections
from tracking.store.correcting import correct

SIGNER = Signer(bytes(range(32)))
KEY = SIGNER.public_key
Document = dict[str, Any]


BIG = 2**53 + 1
"""The first number that a double can't hold."""


def recorded(court: Court, first: int = 1) -> Court:
    """A truck that strayed, judged and signed in two rounds; it counts its events from a number on."""
    truck = court.truck()
    truck.device.seq = first - 1
    truck.stands(0, 300).drives(0, 4000).drives(4000, 9000, 1900)
    court.deliver(truck)
    court.judge()
    sign(court)
    court.deliver(truck.drives(9000, 20_600))
    court.judge()
    sign(court)
    return court


def sign(court: Court) -> None:
    Checkpointer(SIGNER).advance(court.conn, at(5000))


def made(court: Court, signer: Signer | None = SIGNER) -> Certificate:
    ((number,),) = court.rows("select number from shipments")
    return certificate.make(court.conn, number, at(30_000), signer)


@pytest.fixture
def document(court: Court) -> Document:
    found: Document = json.loads(documents_text(made(recorded(court))))
    return found


def documents_text(one: Certificate) -> bytes:
    return msgspec.json.encode(one)


def wrong(document: Document, key: bytes = KEY) -> list[str]:
    return list(documents.check(documents.read(json.dumps(document).encode()), key))


def test_it_is_in_order_and_holds_what_the_findings_rest_on(court: Court) -> None:
    one = made(recorded(court))
    assert list(documents.check(one, KEY)) == []
    assert [(finding["rule"], finding["state"]) for finding in one.findings] == [
        ("route_deviation", "closed")
    ]
    assert one.ledger_entries >= 2  # it opened, it closed
    assert one.events
    assert one.completeness["devices"][0]["observations"] > 50
    assert one.custody["state"]["legs"]


def test_numbers_that_a_double_cannot_hold_are_exact(court: Court) -> None:
    """Devices count to 2**63; canonical JSON writes what is above 2**53 as text."""
    one = made(recorded(court, BIG))
    assert [(finding["rule"], finding["state"]) for finding in one.findings] == [
        ("route_deviation", "closed")
    ]
    ((highest,),) = court.rows("select max(seq) from observations")
    assert one.events
    assert all(BIG <= event.seq <= highest for event in one.events)
    document: Document = json.loads(documents_text(one))
    assert wrong(document) == []
    assert run(court.dsn, pause_s=0).differences == []
    event = document["events"].pop(0)
    assert any(f"seq {event['seq']} is missing" in says for says in wrong(resigned(document)))
    document["events"].insert(0, event)
    declared = canonical(
        {"leaf": "correction", "key": 1} | {name: event[name] for name in ("device", "run", "seq")}
    )
    document["rows"].append({"row": declared.decode(), "index": 0, "path": []})
    assert any("was declared to be in error" in says for says in wrong(document))


def test_corrections_name_numbers_that_a_double_cannot_hold(court: Court) -> None:
    recorded(court, BIG)
    one, other = (
        Observed("SIP/TRK-1", time, run_, seq)
        for time, run_, seq in court.rows(
            "select event_time, run, seq from observations order by event_time limit 2"
        )
    )
    said: dict[str, Any] = {"reason": "incorrect_data", "why": "wet antenna", "by": "desk 2"}
    correct(court.conn, one, **said, recorded_at=at(6000), corrective=[other])
    (found,) = corrections.of_observations(court.conn, [one])
    assert (found.observation, found.corrective) == (one, (other,))


def resigned(document: Document) -> Document:
    """As somebody would who has the key and changes the summary."""
    unsigned = documents.read(json.dumps(document).encode())
    return document | {"signature": SIGNER.sign_text(unsigned.text).hex()}


def drop_last_entry(document: Document) -> None:
    rows = document["rows"]
    last = max(
        (row for row in rows if row["row"].find('"leaf":"custody"') >= 0), key=lambda row: row["index"]
    )
    rows.remove(last)


def change_raw(document: Document) -> None:
    event = document["events"][0]
    raw = bytearray(b64decode(event["raw"]))
    raw[-10] ^= 1
    event["raw"] = b64encode(bytes(raw)).decode()


def swap_raws(document: Document) -> None:
    one, other = document["events"][0], document["events"][-1]
    assert one["seq"] != other["seq"]
    one["seq"], other["seq"] = other["seq"], one["seq"]


def change_row(document: Document) -> None:
    row = next(row for row in document["rows"] if '"leaf":"terms"' in row["row"])
    row["row"] = row["row"].replace("C-PVG-SIPE", "C-PVG-SIPX").replace('"revision":1', '"revision":2')


CHANGES: dict[str, tuple[Callable[[Document], object], str]] = {
    "an entry of the ledger is left out": (drop_last_entry, "the ledger isn't whole"),
    "a byte of an event": (change_raw, "aren't those that were recorded"),
    "two events swapped": (swap_raws, "of another event"),
    "the terms": (change_row, "isn't below the checkpoint"),
    "an event is left out": (lambda d: d["events"].pop(0), "is missing"),
    "a finding is left out of the summary": (lambda d: d["findings"].clear(), "aren't what the ledger says"),
    "a row is there twice": (lambda d: d["rows"].append(d["rows"][0]), "there twice"),
    "the shipment's number": (lambda d: d["shipment"].update(number="S-X"), "names the shipment is missing"),
    "the number of entries": (lambda d: d.update(ledger_entries=d["ledger_entries"] + 1), "isn't whole"),
    "a batch is left out": (
        lambda d: d.update(rows=[row for row in d["rows"] if '"leaf":"batch"' not in row["row"]]),
        "its batch",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_is_changed_is_named_even_if_it_is_signed_again(document: Document, change: str) -> None:
    act, says = CHANGES[change]
    act(document)
    assert "it was changed since it was signed" in wrong(document)
    assert any(says in fault for fault in wrong(resigned(document))), wrong(resigned(document))


def test_the_summary_is_under_the_signature(document: Document) -> None:
    document["completeness"]["devices"][0]["missing_numbers"] = 5
    assert wrong(document) == ["it was changed since it was signed"]


def test_another_key_is_no_proof(document: Document) -> None:
    found = wrong(document, Signer(bytes(32)).public_key)
    assert "its checkpoint isn't signed by the trusted key" in found


def test_without_the_key_at_hand_it_says_so(court: Court) -> None:
    assert list(documents.check(made(recorded(court), None), KEY)) == ["it isn't signed as a whole"]


def test_what_no_head_covers_yet_is_not_certified(court: Court) -> None:
    court.truck().stands(0, 300)
    with pytest.raises(certificate.NotYetSigned, match="nothing has been signed"):
        made(court)
    sign(court)
    recorded_truck = court.truck("TRK-2", shipment="S-2")
    with pytest.raises(certificate.NotYetSigned, match="no signed head"):
        certificate.make(court.conn, "S-2", at(0), SIGNER)
    del recorded_truck
    with pytest.raises(certificate.Unknown):
        certificate.make(court.conn, "S-404", at(0), SIGNER)


def test_a_stranger_checks_the_file_in_a_process_without_any_database(
    document: Document, tmp_path: Path
) -> None:
    file = tmp_path / "certificate.json"
    file.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    done = verify(file, KEY.hex())
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["ok"] is True
    assert answer["differences"] == []
    change_raw(document)
    file.write_text(json.dumps(document), encoding="utf-8")
    done = verify(file, KEY.hex())
    assert done.returncode == 1
    assert json.loads(done.stdout)["ok"] is False


@pytest.mark.parametrize(
    ("content", "key", "says"),
    [
        ("{}", KEY.hex(), "not a certificate"),
        ("{}", "abc", "public key"),
        (None, KEY.hex(), "No such file"),
    ],
)
def test_what_is_no_certificate_or_no_key_is_a_clear_error(
    tmp_path: Path, content: str | None, key: str, says: str
) -> None:
    file = tmp_path / "file.json"
    if content is not None:
        file.write_text(content)
    done = verify(file, key)
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def verify(file: Path, key: str) -> subprocess.CompletedProcess[str]:
    """The command in a process whose database settings lead nowhere."""
    nowhere = {
        "BONDWATCH_DATABASE_DSN": "postgresql://127.0.0.1:1/none",
        "BONDWATCH_HOME": str(file.parent / "none"),
    }
    command = [sys.executable, "-m", "gateway.cli", "verify", str(file), "--key", key, "--json"]
    return subprocess.run(command, capture_output=True, text=True, env=nowhere, check=False, timeout=60)
