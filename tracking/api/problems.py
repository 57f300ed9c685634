"""One error body for every error: ``application/problem+json`` with a stable ``type``.

Source: RFC 9457, Problem Details for HTTP APIs.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from psycopg import DataError, OperationalError
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:bondwatch:problem:"

_BODY: Final = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "examples": [TYPE_PREFIX + "not-found"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What was wrong, where, and what to do"},
        "pointer": {"type": "string", "description": "JSON Pointer to the wrong field of the body"},
    },
}
_ANSWER: Final[dict[str, Any]] = {
    "description": "A problem (RFC 9457)",
    "content": {MEDIA_TYPE: {"schema": _BODY}},
}
RESPONSES: Final[dict[int | str, dict[str, Any]]] = {422: _ANSWER, "default": _ANSWER}
"""What OpenAPI says of errors, at every route."""


class Problem(Exception):
    """An answer that is an error.

    Attributes:
        status: HTTP status code.
        name: the stable last part of ``type``, in kebab case.
        detail: for people: what was wrong, where, and what to do.
        extra: further members, such as ``pointer`` to the wrong field (RFC 6901).
    """

    def __init__(self, status: int, name: str, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.name = name
        self.detail = detail
        self.extra = extra

    def response(self) -> JSONResponse:
        headers = {"WWW-Authenticate": "Bearer"} if self.status == HTTPStatus.UNAUTHORIZED else None
        return _response(self.status, self.name, self.detail, self.extra, headers)


def _response(
    status: int, name: str, detail: str, extra: dict[str, Any], headers: dict[str, str] | None = None
) -> JSONResponse:
    body = {
        "type": TYPE_PREFIX + name,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **extra,
    }
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE, headers=headers)


def _wrong(loc: Sequence[str | int], message: str) -> dict[str, str]:
    """One thing that is wrong with a request: in which part of it, with a pointer (RFC 6901) into a body."""
    where, *path = (str(part) for part in loc)
    name = "/".join(path)
    told = {"in": where, "detail": f"{where} {name}: {message}" if name else f"{where}: {message}"}
    return told | {"pointer": "/" + name} if where == "body" and name else told


def not_found(what: str, code: str) -> Problem:
    """A resource that isn't there."""
    return Problem(404, "not-found", f'no {what} "{code}"')


def install(app: FastAPI) -> None:
    """Make every error of ``app`` a problem document."""

    @app.exception_handler(Problem)
    def on_problem(_: Request, problem: Problem) -> JSONResponse:
        return problem.response()

    @app.exception_handler(RequestValidationError)
    def on_invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        found = error.errors()
        if found[0]["type"] == "json_invalid":
            detail = f"the body is not JSON: {found[0]['ctx']['error']}, at character {found[0]['loc'][-1]}"
            return _response(422, "invalid-request", detail, {})
        wrong = [_wrong(one["loc"], one["msg"]) for one in found]
        extra: dict[str, Any] = {"errors": wrong}
        if "pointer" in wrong[0]:
            extra["pointer"] = wrong[0]["pointer"]
        return _response(422, "invalid-request", "; ".join(one["detail"] for one in wrong[:3]), extra)

    @app.exception_handler(HTTPException)
    def on_http(_: Request, error: HTTPException) -> JSONResponse:
        name = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        return _response(error.status_code, name, str(error.detail), {}, dict(error.headers or {}))

    @app.exception_handler(DataError)
    def on_unstorable(_: Request, __: Exception) -> JSONResponse:
        detail = (
            "a value can't be looked for: text with a NUL character, or a number or date out of all range"
        )
        return _response(422, "invalid-request", detail, {})

    @app.exception_handler(OperationalError)
    @app.exception_handler(PoolTimeout)
    def on_database_gone(_: Request, __: Exception) -> JSONResponse:
        detail = "the database can't be reached; nothing was changed; try again in a moment"
        return _response(503, "database-unavailable", detail, {}, {"Retry-After": "2"})
