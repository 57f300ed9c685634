"""Documents and gate passes: what people, partners and customs say of shipments, things and devices."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, Response

from devices.identifiers import Thing, own_thing, parse_thing
from devices.topics import device_name
from tracking.api.access import Authorised, Caller
from tracking.api.context import Context, Ctx
from tracking.api.models import NewDocument, Said
from tracking.api.pass_models import NewPass, NewPassState
from tracking.api.problems import Problem, not_found
from tracking.api.routers.shipments import find
from tracking.domain.custody import documents as bodies
from tracking.domain.custody.documents import Body, GatePass
from tracking.domain.custody.passes import Use
from tracking.domain.custody.standing import standing
from tracking.domain.custody.told import Document
from tracking.store import documents, gates, registry
from tracking.store.documents import About
from tracking.store.registry import Unknown

router = APIRouter(prefix="/v1", tags=["documents"])

OF_DEVICES: Final = frozenset({"calibration", "device_key", "plate_confirmed", "gate_override"})
OF_PASSES: Final = frozenset({"pass", "pass_state"})
OF_GOODS: Final = frozenset(bodies.KINDS) - OF_DEVICES - OF_PASSES

_WHERE: Final = re.compile(r" - at `\$([^`]*)`$")
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")


@router.get("/shipments/{number}/documents")
def of_shipment(number: str, ctx: Ctx, _: Authorised) -> dict[str, Any]:
    """Everything that was said of a shipment, of its things and of what carried them, oldest first."""
    with ctx.pool.connection() as conn:
        rows = documents.of_shipment(conn, find(conn, number)["shipment_id"])
    return {"shipment": number, "documents": [_shown(row._asdict()) for row in rows]}


@router.post("/shipments/{number}/documents", status_code=201)
def say_of_shipment(
    number: str, body: NewDocument, response: Response, ctx: Ctx, caller: Authorised
) -> dict[str, Any]:
    """Record a document about a shipment, or about some things of it. The same again changes nothing."""
    with ctx.pool.connection() as conn:
        find(conn, number)
    about = About(_once([number, *body.shipments]), _things(body.things))
    return _add(ctx, caller, response, body, body.number, _read(body, OF_GOODS, "shipment"), about)


@router.post("/things/{thing:path}/documents", status_code=201)
def say_of_thing(
    thing: str, body: NewDocument, response: Response, ctx: Ctx, caller: Authorised
) -> dict[str, Any]:
    """Record a document about a thing: it concerns whatever is in it within two days of the document."""
    try:
        named = parse_thing(thing)
    except ValueError as error:
        raise not_found("thing", thing) from error
    about = About(body.shipments, [named, *_things(body.things)])
    return _add(ctx, caller, response, body, body.number, _read(body, OF_GOODS, "thing"), about)


@router.post("/devices/{park}/{code}/documents", status_code=201)
def say_of_device(
    park: str, code: str, body: NewDocument, response: Response, ctx: Ctx, caller: Authorised
) -> dict[str, Any]:
    """Record a calibration or a key of a device, or what an officer says of one of its observations."""
    try:
        name = device_name(park, code)
        with ctx.pool.connection() as conn:
            device_id = registry.device(conn, name)["device_id"]
    except (Unknown, ValueError) as error:
        raise not_found("device", f"{park}/{code}") from error
    said = _read(body.model_copy(update={"body": {"device": name} | body.body}), OF_DEVICES, "device")
    if (other := getattr(said, "device", name)) != name:
        raise Problem(422, "invalid-document", f'is about "{other}"', pointer="/body/device")
    observation = (said.run, said.seq) if hasattr(said, "run") and hasattr(said, "seq") else None
    confirmed = [_thing(said.plate, "/body/plate")] if isinstance(said, bodies.PlateConfirmed) else []
    about = About(body.shipments, [*confirmed, *_things(body.things)], device_id, observation)
    return _add(ctx, caller, response, body, body.number, said, about)


@router.post("/passes", status_code=201)
def apply_for_pass(body: NewPass, response: Response, ctx: Ctx, caller: Authorised) -> dict[str, Any]:
    """Record a gate pass as it was applied for, or applied for anew. It concerns the shipments named, and
    those that its vehicle or containers carry within two days.
    """
    said = _checked("pass", body.body)
    assert isinstance(said, GatePass)
    named = [_thing(said.vehicle, "/body/vehicle")]
    named += [_thing(said.trailer, "/body/trailer")] if said.trailer else []
    named += [_thing(text, f"/body/containers/{place}") for place, text in enumerate(said.containers)]
    about = About(_once(body.shipments), [own_thing("pass", body.number), *named])
    answer = _add(ctx, caller, response, body.said, body.number, said, about)
    response.headers["Location"] = "/v1/passes/" + quote(body.number, safe="")
    return answer


@router.post("/passes/{number}/states", status_code=201)
def move_pass(
    number: str, body: NewPassState, response: Response, ctx: Ctx, caller: Authorised
) -> dict[str, Any]:
    """Record that a pass took another state, by somebody's word: approved, deleted, void, or passed."""
    thing = _pass(number)
    with ctx.pool.connection() as conn:
        if not documents.of_thing(conn, thing.uri):
            raise not_found("pass", number)
    said = _checked("pass_state", {"state": body.state})
    return _add(ctx, caller, response, body, number, said, About(things=[thing]))


@router.get("/passes/{number}")
def show_pass(number: str, ctx: Ctx, _: Authorised) -> dict[str, Any]:
    """A gate pass: what was applied for last, its state, where gates let it be used, and every document."""
    with ctx.pool.connection() as conn:
        rows = documents.of_thing(conn, _pass(number).uri)
        uses = gates.uses_of(conn, number)
    used = [Use(use["time"], use["gate"]) for use in uses]
    known = standing(map(_document, rows), used)
    if known is None:
        raise not_found("pass", number)
    return {
        "number": number,
        "state": known.state.value,
        "since": known.since,
        "uses": uses,
        "pass": bodies.fields(known.body),
        "shipments": sorted({shipment for row in rows for shipment in row["shipments"]}),
        "documents": [_shown(row) for row in rows],
    }


def _add(
    ctx: Context,
    caller: Caller,
    response: Response,
    body: Said,
    number: str,
    said: Body,
    about: About,
) -> dict[str, Any]:
    try:
        with ctx.pool.connection() as conn:
            added = documents.add(
                conn,
                number=number,
                time=body.time,
                body=said,
                source=body.source,
                about=about,
                by=caller.name,
                recorded_at=ctx.now(),
            )
    except Unknown as error:
        raise Problem(422, "unknown-shipment", str(error), pointer="/shipments") from error
    response.status_code = 201 if added.is_new else 200
    return {
        "entry": added.entry,
        "kind": said.__struct_config__.tag,
        "number": number,
        "time": body.time,
        "shipments": list(about.shipments),
        "things": [thing.uri for thing in about.things],
        "is_new": added.is_new,
    }


def _read(body: NewDocument, taken: frozenset[str], where: str) -> Body:
    if body.kind not in taken:
        elsewhere = {**dict.fromkeys(OF_DEVICES, "of a device"), **dict.fromkeys(OF_PASSES, "at /v1/passes")}
        hint = f"; it is said {elsewhere.get(body.kind, 'of goods')}" if body.kind in bodies.KINDS else ""
        detail = f'"{body.kind}" is no kind of document that is said of a {where}{hint}'
        raise Problem(422, "invalid-document", detail, pointer="/kind", kinds=sorted(taken))
    return _checked(body.kind, body.body)


def _checked(kind: str, body: dict[str, Any]) -> Body:
    try:
        return bodies.read(kind, body)
    except msgspec.ValidationError as error:
        text = str(error)
        where = _WHERE.search(text)
        steps = _STEP.findall(where[1]) if where else []
        pointer = "/body" + "".join(f"/{name or index}" for name, index in steps)
        raise Problem(422, "invalid-document", _WHERE.sub("", text), pointer=pointer) from error


def _things(texts: list[str]) -> list[Thing]:
    return [_thing(text, f"/things/{place}") for place, text in enumerate(texts)]


def _thing(text: str, pointer: str) -> Thing:
    try:
        return parse_thing(text)
    except ValueError as error:
        raise Problem(422, "invalid-thing", str(error), pointer=pointer) from error


def _once(numbers: list[str]) -> list[str]:
    return list(dict.fromkeys(numbers))


def _pass(number: str) -> Thing:
    try:
        return own_thing("pass", number)
    except ValueError as error:
        raise not_found("pass", number) from error


def _document(row: dict[str, Any]) -> Document:
    body = bodies.read(row["kind"], row["body"])
    return Document(row["entry"], row["number"], row["time"], body, row["source"], row["by"])


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "owner"}
