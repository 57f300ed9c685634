"""Pages of long lists: an opaque cursor that names the last row of the page before."""

from __future__ import annotations

import base64
import binascii
from typing import Any, TypeVar

import msgspec
from fastapi import Request

from tracking.api.problems import Problem

T = TypeVar("T")


def encode_cursor(value: Any) -> str:
    """The text of a cursor; readers must not look inside."""
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).rstrip(b"=").decode()


def decode_cursor(text: str | None, shape: type[T]) -> T | None:
    """The value of a cursor that we made.

    Raises:
        Problem: it isn't one of ours.
    """
    if text is None:
        return None
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=shape)
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise Problem(
            400, "invalid-cursor", "this cursor isn't one of ours; start again without it"
        ) from error


def next_link(request: Request, cursor: str | None) -> str | None:
    """The address of the next page, or None on the last one."""
    if cursor is None:
        return None
    return str(request.url.include_query_params(cursor=cursor).replace(scheme="", netloc=""))
