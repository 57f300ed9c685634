"""The bodies of gate passes, with customs' times, which state no offset."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from tracking.api.models import NUMBER_PATTERN, Body, Moment, Said, in_our_time

CUSTOMS_TIME: Final = timezone(timedelta(hours=8))
"""Customs' messages state local times without an offset: they are this one's."""


def _customs_time(moment: datetime) -> datetime:
    return in_our_time(moment if moment.tzinfo is not None else moment.replace(tzinfo=CUSTOMS_TIME))


CustomsMoment = Annotated[datetime, AfterValidator(_customs_time)]
"""A moment as customs' messages have it; without an offset it is local time, UTC+8."""


class NewPass(Body):
    """A gate pass (核放单) as it was applied for."""

    time: Moment | None = Field(
        None, description="When it was applied for", examples=["2026-03-10T08:10:00+08:00"]
    )
    dcl_time: CustomsMoment | None = Field(
        None, alias="dclTime", description="The same as customs' message has it: local, UTC+8"
    )
    source: Literal["declared", "reported", "decided"] = "declared"
    number: str = Field(
        min_length=1, max_length=64, pattern=NUMBER_PATTERN, examples=["Z2314I260310000000000001"]
    )
    body: dict[str, Any] = Field(
        examples=[
            {
                "type": 2,
                "direction": "in",
                "zone": "SIPCBZ-E",
                "vehicle": "沪AD5127",
                "containers": ["BNDU1000010"],
            }
        ]
    )
    shipments: list[str] = Field(default_factory=list, max_length=1000)

    @model_validator(mode="after")
    def _has_one_time(self) -> Self:
        if (self.time is None) == (self.dcl_time is None):
            raise ValueError("say when: either “time” or “dclTime”")
        return self

    @property
    def said(self) -> Said:
        """When, and by whom."""
        moment = self.time or self.dcl_time
        assert moment is not None  # one of them is there
        return Said(time=moment, source=self.source)


class NewPassState(Said):
    """A pass took another state."""

    state: str = Field(examples=["approved"])
