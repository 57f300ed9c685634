"""What is proposed: other terms, parameters of rules or places; and facts as if it had held. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from devices.observation import micros
from tracking.domain.custody.facts import AreaBook, AreaRevision, Facts, TermsRevision
from tracking.domain.custody.terms import encode, parse
from tracking.domain.places import CORRIDOR, Area

_COLUMNS: Final = {"code", "kind", "park", "tolerance_m", "valid_from", "revision"}


class ProposalError(ValueError):
    """What is proposed can't hold; says why."""


class Proposal(Struct, frozen=True):
    """What would hold from a moment on.

    Attributes:
        since: the moment (UTC).
        terms: whole terms, or a merge patch (RFC 7396) of each shipment's own, which has no ``legs``; None:
            the terms stay.
        areas: zones and corridors as they would be; each in place of its namesake.
    """

    since: datetime
    terms: Mapping[str, Any] | None = None
    areas: tuple[Area, ...] = ()

    @property
    def is_patch(self) -> bool:
        """Whether the terms only change what each shipment has."""
        return self.terms is not None and "legs" not in self.terms


def areas_of(collection: Mapping[str, Any], since: datetime) -> tuple[Area, ...]:
    """Areas from a GeoJSON FeatureCollection like those that ``/v1/zones`` gives.

    Raises:
        ProposalError: names the feature that can't be used.
    """
    features = collection.get("features")
    if collection.get("type") != "FeatureCollection" or not isinstance(features, Sequence):
        raise ProposalError("/: must be a GeoJSON FeatureCollection")
    return tuple(_area(feature, at, since) for at, feature in enumerate(features))


def _area(feature: Any, at: int, since: datetime) -> Area:
    try:
        properties = feature["properties"]
        is_line = feature["geometry"]["type"] == "LineString"
        return Area.from_geojson(
            feature["geometry"],
            code=properties.get("code") or feature["id"],
            kind=CORRIDOR if is_line else properties["kind"],
            park=properties.get("park", ""),
            valid_from_us=micros(since),
            tolerance_m=properties.get("tolerance_m"),
            properties={name: value for name, value in properties.items() if name not in _COLUMNS},
        )
    except (KeyError, TypeError) as error:
        raise ProposalError(f"/features/{at}: {error} is missing") from None
    except ValueError as error:
        raise ProposalError(f"/features/{at}: {error}") from None


def with_terms(facts: Facts, proposal: Proposal) -> Facts:
    """The facts as if the proposed terms had held since then.

    Raises:
        TermsError: what the patch makes of a shipment's terms is none.
    """
    if proposal.terms is None or not facts.terms:
        return facts
    first = min(revision.valid_from for revision in facts.terms)
    since = max(proposal.since, first)
    before = [revision for revision in facts.terms if revision.valid_from < since]
    standing = facts.terms_at(since) or facts.terms[0]
    number = max(revision.revision for revision in facts.terms) + 1
    if proposal.is_patch:
        later = [revision for revision in facts.terms if revision.valid_from > since]
        changed = [(standing, since), *((revision, revision.valid_from) for revision in later)]
    else:
        changed = [(standing, since)]
    proposed = [
        TermsRevision(number + place, begins, parse(_merged(revision, proposal)))
        for place, (revision, begins) in enumerate(changed)
    ]
    return msgspec.structs.replace(facts, terms=(*before, *proposed))


def _merged(revision: TermsRevision, proposal: Proposal) -> dict[str, Any]:
    assert proposal.terms is not None
    if not proposal.is_patch:
        return dict(proposal.terms)
    whole: dict[str, Any] = merge(msgspec.json.decode(encode(revision.terms)), proposal.terms)
    return whole


def merge(whole: Any, patch: Any) -> Any:
    """A JSON value with a merge patch applied (RFC 7396): null takes away."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(whole) if isinstance(whole, Mapping) else {}
    for name, part in patch.items():
        if part is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), part)
    return merged


def all_areas(standing: Sequence[Area], proposal: Proposal) -> list[Area]:
    """Every revision of every area as if the proposed ones had held since then."""
    proposed = {area.code for area in proposal.areas}
    since_us = micros(proposal.since)
    kept = []
    for area in standing:
        if area.code not in proposed or (area.valid_to_us is not None and area.valid_to_us <= since_us):
            kept.append(area)
        elif area.valid_from_us < since_us:
            kept.append(msgspec.structs.replace(area, valid_to_us=since_us))
    return [*kept, *proposal.areas]


def revisions(standing: AreaBook, proposal: Proposal) -> AreaBook:
    """The same for what rules read of areas."""
    found = AreaBook(standing)
    for area in proposal.areas:
        before = []
        for revision in standing.get(area.code, ()):
            if revision.valid_to is not None and revision.valid_to <= proposal.since:
                before.append(revision)
            elif revision.valid_from < proposal.since:
                before.append(msgspec.structs.replace(revision, valid_to=proposal.since))
        found[area.code] = (*before, _revision(area, proposal.since, len(standing.get(area.code, ())) + 1))
    return found


def _revision(area: Area, since: datetime, number: int) -> AreaRevision:
    middle = area.geometry.centroid if area.kind == "gate" else None
    return AreaRevision(
        code=area.code,
        kind=area.kind,
        bonded=area.properties.get("bonded") is True,
        parent=area.properties.get("parent"),
        revision=number,
        valid_from=since,
        properties=area.properties,
        lon=None if middle is None else middle.x,
        lat=None if middle is None else middle.y,
    )
