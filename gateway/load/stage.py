"""Who sends a load: devices of the park ``LOAD``, and some seals on shipments whose cutting raises alerts.

Everything lies in a park of its own. Devices are kept and get new secrets each time; seals and their
shipments belong to one run, so that what earlier runs found doesn't count.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from simulators.load_device import Login
from simulators.load_probes import Probe
from simulators.load_run import Crowd
from tracking.store import credentials, reading, registry, shipments
from tracking.store.database import Connection

PARK: Final = "LOAD"
YARD: Final = "LOAD-YARD"
SIREN: Final = "SIREN"
LON, LAT = 120.2, 30.8
_HALF_DEG: Final = 0.02
_SINCE: Final = timedelta(days=1)
_SILENT_AFTER_S: Final = 86_400
_PAGE: Final = 1000
_AT_ONCE: Final = 100


def crowd(conn: Connection, devices: int, probes: Sequence[float], run: int) -> Crowd:
    """Register what isn't registered yet; give everyone a secret for this run.

    Args:
        conn: the deployment's database.
        devices: how many send the load.
        probes: when each seal is cut first, seconds since the run's beginning; none: alerts aren't measured.
        run: of the events; names the seals' shipments.
    """
    now = datetime.now(UTC)
    if all(park["code"] != PARK for park in registry.parks(conn)):
        registry.put_park(conn, PARK, name_en="Load test", name_zh="负载测试", time_zone="Asia/Shanghai")
    known = _known(conn)
    logins: list[Login] = []
    while len(logins) < devices:
        with conn.transaction():  # a short one: recording waits for whoever edits the registry
            registry.lock_reference(conn)
            numbers = range(len(logins), min(len(logins) + _AT_ONCE, devices))
            logins += [_login(conn, known, f"L-{number:06}", "tracker", now) for number in numbers]
    if not probes:
        return Crowd(logins)
    with conn.transaction():
        registry.lock_reference(conn)
        siren = _login(conn, known, SIREN, "siren", now)
        if all(area.code != YARD for area in registry.all_areas(conn)):
            _draw_yard(conn, now)
        seals = [_login(conn, known, f"P-{run}-{number}", "seal", now) for number in range(len(probes))]
    found = [
        _probe(conn, login, run, number, now, first_s)
        for number, (login, first_s) in enumerate(zip(seals, probes, strict=True))
    ]
    return Crowd(logins, found, siren)


def _known(conn: Connection) -> dict[str, int]:
    """Code -> key of the park's devices."""
    rows: list[dict[str, Any]] = []
    while True:
        page = reading.devices(conn, park=PARK, after=rows[-1]["device_id"] if rows else None, limit=_PAGE)
        rows += page
        if len(page) < _PAGE:
            return {row["code"]: row["device_id"] for row in rows}


def _login(conn: Connection, known: dict[str, int], code: str, kind: str, now: datetime) -> Login:
    device_id = known.get(code)
    if device_id is None:
        device_id = registry.add_device(
            conn,
            park=PARK,
            code=code,
            kind=kind,
            name="",
            datum="wgs84",
            expected_every_s=_SILENT_AFTER_S,
            registered_at=now - _SINCE,
        )
        assert device_id is not None
        known[code] = device_id
    return Login(f"{PARK}/{code}", credentials.issue(conn, device_id, now))


def _draw_yard(conn: Connection, now: datetime) -> None:
    west, east, south, north = LON - _HALF_DEG, LON + _HALF_DEG, LAT - _HALF_DEG, LAT + _HALF_DEG
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    registry.put_area(
        conn,
        code=YARD,
        kind="cbz",
        park=PARK,
        geometry={"type": "Polygon", "coordinates": [ring]},
        tolerance_m=None,
        properties={},
        valid_from=now - timedelta(days=30),
        recorded_at=now,
        recorded_by="load",
    )


def _probe(conn: Connection, login: Login, run: int, number: int, now: datetime, first_s: float) -> Probe:
    """A shipment that stays in the yard, under the seal of this device."""
    shipment = thing = f"LOAD-{run}-{number}"
    with conn.transaction():
        thing_id, _ = registry.thing(conn, thing)
        registry.attach(
            conn,
            device_id=registry.device(conn, login.name)["device_id"],
            thing_id=thing_id,
            role="primary",
            valid_from=now - _SINCE,
            valid_to=None,
            recorded_at=now,
        )
        shipments.create(
            conn,
            number=shipment,
            park=PARK,
            reference="",
            things=[thing],
            terms={"legs": [{"type": "stay", "zones": [YARD]}]},
            valid_from=now - _SINCE,
            recorded_at=now,
            recorded_by="load",
        )
    return Probe(login, shipment, LON, LAT, first_s)
