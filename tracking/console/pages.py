"""The pages: a list of shipments, one shipment, the way in. What is live comes over ``/v1/stream``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, FastAPI, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from msgspec import structs
from pydantic import AfterValidator

from tracking.api.access import COOKIE, caller_of, presented_key
from tracking.api.context import Context, Ctx
from tracking.api.models import EARLIEST, LATEST
from tracking.api.pages import decode_cursor, encode_cursor, next_link
from tracking.api.traces import MOST_POSITIONS
from tracking.console import certificate, view
from tracking.console.drawing import draw
from tracking.console.i18n import Language, Words, choose
from tracking.domain.custody.cold_report import Thermometer
from tracking.exchange import account, coverage, gathered, temperature
from tracking.exchange import certificate as exchange
from tracking.judge.decoding import Undecodable
from tracking.store import corrections, documents, loadings, reading, traces

HERE: Final = Path(__file__).parent
SITE_ZONE: Final = ZoneInfo("Asia/Shanghai")
PAGE_SIZE: Final = 50
LANGUAGE_COOKIE: Final = "bondwatch_language"


def _at_the_site(moment: datetime) -> datetime:
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=SITE_ZONE)
    return min(max(moment, EARLIEST), LATEST)


SiteMoment = Annotated[datetime, AfterValidator(_at_the_site)]
"""As a browser's field has it: without an offset it is the site's time."""

router = APIRouter(include_in_schema=False)
templates = Jinja2Templates(HERE / "templates")
templates.env.filters |= {
    "utc": lambda moment: f"{moment:%Y-%m-%d %H:%M:%S} UTC",
    "site_time": lambda moment: f"{moment.astimezone(SITE_ZONE):%m-%d %H:%M:%S}",
    "site_clock": lambda moment: f"{moment.astimezone(SITE_ZONE):%H:%M:%S}",
    "site_field": lambda moment: f"{moment.astimezone(SITE_ZONE):%Y-%m-%dT%H:%M}",
    "site_day": lambda moment: f"{moment.astimezone(SITE_ZONE):%Y-%m-%d} UTC+8",
}


def mount(app: FastAPI) -> None:
    """Put the pages and their static files into an application."""
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    app.include_router(router)


def _render(request: Request, name: str, status: int = 200, **values: Any) -> HTMLResponse:
    words = Words(_language(request))
    other = request.url.include_query_params(lang="en" if words.language == "zh" else "zh")
    other_language = f"{other.path}?{other.query}"
    values = {"w": words, "other_language": other_language, "version": version("bondwatch"), **values}
    page = templates.TemplateResponse(request, name, values, status_code=status)
    if request.query_params.get("lang") == words.language:
        page.set_cookie(LANGUAGE_COOKIE, words.language, max_age=365 * 86400, samesite="strict")
    page.headers["Content-Security-Policy"] = (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; form-action 'self'"
    )
    return page


def _language(request: Request) -> Language:
    return choose(
        request.query_params.get("lang"),
        request.cookies.get(LANGUAGE_COOKIE),
        request.headers.get("accept-language", ""),
    )


def _stranger(request: Request, ctx: Ctx) -> Response | None:
    """The way to the login, for who isn't in."""
    with ctx.pool.connection() as conn:
        if caller_of(conn, presented_key(request)) is not None:
            return None
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(str(request.url_for("login").include_query_params(next=here)), status_code=303)


@router.get("/", name="list")
def show_list(request: Request, ctx: Ctx, q: str = "", cursor: str | None = None) -> Response:
    """The list of shipments."""
    if stranger := _stranger(request, ctx):
        return stranger
    after = decode_cursor(cursor, tuple[datetime, int])
    with ctx.pool.connection() as conn:
        rows = reading.shipments(conn, search=q.strip(), after=after, limit=PAGE_SIZE)
    last = rows[-1] if len(rows) == PAGE_SIZE else None
    token = encode_cursor((last["created_at"], last["shipment_id"])) if last else None
    return _render(request, "list.html", shipments=rows, query=q.strip(), next=next_link(request, token))


@router.get("/loadings", name="loadings")
def show_loadings(
    request: Request, ctx: Ctx, since: SiteMoment | None = None, until: SiteMoment | None = None
) -> Response:
    """What was loaded on vehicles between two moments, in the last day where none is named."""
    if stranger := _stranger(request, ctx):
        return stranger
    until = until or ctx.now() + timedelta(minutes=1)
    since = since or until - timedelta(days=1)
    with ctx.pool.connection() as conn:
        found = loadings.loadings(conn, since=since, until=until)
    told: dict[str, Any] = {"since": since, "until": until, "counts": loadings.COUNTS}
    return _render(request, "loadings.html", **told, **structs.asdict(found))


@router.get("/shipments/{number}", name="shipment")
def show_shipment(request: Request, number: str, ctx: Ctx) -> Response:
    """One shipment: milestones, the drawn trace, findings with their evidence."""
    if stranger := _stranger(request, ctx):
        return stranger
    told = _told(request, ctx, number)
    if told is None:
        return _render(request, "missing.html", status=404, number=number)
    return _render(request, "shipment.html", **told)


@router.get("/shipments/{number}/certificate", name="certificate")
def show_certificate(request: Request, number: str, ctx: Ctx) -> Response:
    """A shipment's certificate, to read and to print."""
    if stranger := _stranger(request, ctx):
        return stranger
    told = _told(request, ctx, number)
    if told is None:
        return _render(request, "missing.html", status=404, number=number)
    try:
        with ctx.pool.connection() as conn:
            made = exchange.make(conn, number, ctx.now(), ctx.signer)
    except exchange.NotYetSigned:
        return _render(request, "unsigned.html", status=409, shipment=told["shipment"])
    return _render(request, "certificate.html", **told | certificate.shown(made))


def _told(request: Request, ctx: Context, number: str) -> dict[str, Any] | None:
    """Everything that pages tell of a shipment; None: there is no such shipment."""
    with ctx.pool.connection() as conn:
        shipment = reading.shipment(conn, number)
        if shipment is None:
            return None
        shipment_id = shipment["shipment_id"]
        carrying = reading.carriers(conn, shipment_id)
        terms = reading.terms(conn, shipment_id)
        milestones = reading.milestones(conn, carrying)
        findings = reading.findings(conn, shipment_id)
        changed = account.of(conn, shipment)
        corrected = corrections.of_shipment(conn, shipment_id)
        stays = reading.what_is_in_what(conn, shipment_id)
        papers = [row._asdict() for row in documents.of_shipment(conn, shipment_id)]
        areas = reading.areas(conn, at=ctx.now() + timedelta(seconds=1))
        primary = [carrier for carrier in carrying if carrier["role"] == "primary"]
        fixes = traces.positions(conn, primary, since=EARLIEST, until=LATEST, limit=MOST_POSITIONS)
    covered, measured = _as_of_now(ctx, number) if shipment["judged_through"] else ({}, ())
    language = _language(request)
    words = Words(language)
    focus = view.areas_named(terms["body"] if terms else {})
    drawing = draw(areas, [(fix.lon, fix.lat) for fix in fixes], focus, language)
    names = view.area_names(areas, language)
    return {
        "shipment": shipment,
        "open_findings": shipment["open_findings"],
        "judged_through": shipment["judged_through"],
        "milestones": [view.milestone(row, names) for row in milestones],
        "stays": stays,
        "continuity": view.continuity(covered.get("continuity"), names, words),
        "coverage": view.coverage(covered, words),
        "thermometers": measured,
        "papers": [view.paper(row) for row in papers],
        "findings": [view.finding(row, words) for row in findings],
        "changes": [view.change(account.shown(one)) for one in reversed(changed)],
        "corrections": [view.correction(one) for one in corrected],
        "positions": len(fixes),
        "last_seen": fixes[-1].event_time if fixes else None,
        "drawing": drawing,
        "labelled": focus,
        "marks": view.marks(findings, fixes, drawing.projection, words),
    }


def _as_of_now(ctx: Context, number: str) -> tuple[dict[str, Any], Sequence[Thermometer]]:
    """Chain, coverage and temperatures as of now; a page without them where bytes can't be read."""
    try:
        with ctx.pool.connection() as conn, coverage.snapshot(conn):
            found = gathered.of_one(conn, number)
            if found is None:
                return {}, ()
            return coverage.told(coverage.of(conn, found)), temperature.of(found).thermometers
    except Undecodable:
        return {}, ()


@router.get("/login", name="login")
def show_login(request: Request, next: str = "/") -> Response:  # noqa: A002 -- the query parameter's name
    """The way in."""
    return _render(request, "login.html", next=_own_path(next), wrong=False)


@router.post("/login")
def log_in(
    request: Request,
    ctx: Ctx,
    key: Annotated[str, Form()],
    next: Annotated[str, Form()] = "/",  # noqa: A002
) -> Response:
    """Trade a key for the console's cookie."""
    with ctx.pool.connection() as conn:
        caller = caller_of(conn, key.strip())
    if caller is None:
        return _render(request, "login.html", status=403, next=_own_path(next), wrong=True)
    answer = RedirectResponse(_own_path(next), status_code=303)
    secure = request.url.scheme == "https"
    answer.set_cookie(
        COOKIE, key.strip(), httponly=True, samesite="strict", secure=secure, max_age=30 * 86400
    )
    return answer


@router.post("/logout")
def log_out() -> Response:
    """Forget the key in this browser."""
    answer = RedirectResponse("/login", status_code=303)
    answer.delete_cookie(COOKIE)
    return answer


def _own_path(path: str) -> str:
    """A path of ours, so that a crafted link can't send anybody elsewhere after the login."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"
