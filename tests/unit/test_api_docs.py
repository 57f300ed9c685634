"""docs/api.md names every route of the API and no other; OpenAPI says in words what each does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tracking.api.app import create_app

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")
OPENAPI: dict[str, Any] = create_app("").openapi()
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in OPENAPI["paths"].items()
    for method, operation in methods.items()
}


def test_every_route_is_told_and_no_other() -> None:
    told = re.findall(r"`((?:GET|PUT|POST|DELETE|PATCH) /\S+)`", PAGE)
    assert sorted(told) == sorted(OPERATIONS)


def test_every_parameter_of_a_query_is_told() -> None:
    asked = {
        parameter["name"]
        for operation in OPERATIONS.values()
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "query"
    }
    told = set(re.findall(r"[?&](\w+)=", PAGE)) | set(re.findall(r"`(\w+)`", PAGE))
    assert not asked - told - {"q", "cursor"}, "q is sent by --data-urlencode; a cursor comes with `next`"


def test_openapi_says_what_a_route_does_who_may_ask_and_what_an_error_is() -> None:
    for name, operation in OPERATIONS.items():
        assert " " in operation["summary"], name
        assert "application/problem+json" in operation["responses"]["default"]["content"], name
        assert ("security" in operation) == (" /v1/" in name), name
