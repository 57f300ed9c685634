"""Days as people and authorities count them: local dates, and days on which offices work."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final, TypeAlias
from zoneinfo import ZoneInfo

from msgspec import Meta

ZoneName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
"""A time zone's name in the IANA database, ``Asia/Shanghai``."""

DAY: Final = timedelta(days=1)
_SATURDAY: Final = 5


def known_zone(name: str) -> str:
    """The name of a time zone that exists.

    Raises:
        ValueError: there is none of that name.
    """
    try:
        return ZoneInfo(name).key
    except (OSError, ValueError, KeyError):
        raise ValueError(f'no time zone "{name}"; it looks like Asia/Shanghai') from None


def local_date(moment: datetime, zone: str) -> date:
    """Which day a moment lies in."""
    return moment.astimezone(ZoneInfo(zone)).date()


def midnight(day: date, zone: str) -> datetime:
    """The moment at which a local day begins, UTC."""
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def is_working(day: date, holidays: Collection[date], workdays: Collection[date]) -> bool:
    """Whether offices work: not at weekends and on holidays, except on days worked in their place."""
    return day in workdays or (day.weekday() < _SATURDAY and day not in holidays)


def rolled(day: date, holidays: Collection[date], workdays: Collection[date]) -> date:
    """The day itself, or the first working day after it where it is none."""
    while not is_working(day, holidays, workdays):
        day += DAY
    return day


def next_night(since: datetime, from_h: int, to_h: int, zone: str) -> datetime | None:
    """The first moment of night from a moment on: the moment itself at night; None: there is no night.

    Args:
        since: a moment.
        from_h: local hour at which a night begins.
        to_h: local hour at which it ends; the same hour: there is no night.
        zone: whose hours they are.
    """
    if from_h == to_h:
        return None
    local = since.astimezone(ZoneInfo(zone))
    length = timedelta(hours=(to_h - from_h) % 24)
    begins = local.replace(hour=from_h, minute=0, second=0, microsecond=0) - DAY
    while begins + length <= local:
        begins += DAY
    return max(since, begins.astimezone(UTC))
