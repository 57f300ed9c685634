"""Places: which areas a fix is in, how far from the border, and what lies between two fixes."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import shapely
from pyproj import Geod

from tests.support.traces import corridor, moved, square
from tracking.domain.places import REACH_M, Area, PlaceIndex, geodesy
from tracking.domain.places.index import _crossing, _Shape, border_distance_m

GEOD = Geod(ellps="WGS84")
DOMAIN = Path(os.environ.get("BONDWATCH_DOMAIN", Path(__file__).parents[3] / "shared" / "domain"))
LON, LAT = 120.8, 31.34
RAIL = [(121.14, 41.13), (123.43, 41.8), (124.37, 43.17)]


def locate(index, points, time_us=1):
    lon, lat = (np.array(values, dtype=float) for values in zip(*points, strict=True))
    times = np.full(len(lon), time_us) if isinstance(time_us, int) else np.array(time_us)
    return index.locate(lon, lat, times)


def cross(index, start, end, time_us=1):
    ends = [np.array([value]) for value in (*start, *end)]
    return index.crossings(*ends, np.array([time_us]))[0]


# --- metres ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("lat", [-33.0, 0.0, 18.0, 31.34, 49.6, 65.0])
def test_the_length_of_a_degree_is_that_of_the_ellipsoid(lat):
    lon_m, lat_m = geodesy.metres_per_degree(lat)
    assert lon_m == pytest.approx(GEOD.inv(0, lat, 1e-4, lat)[2] * 1e4, rel=1e-5)
    assert lat_m == pytest.approx(GEOD.inv(0, lat - 5e-5, 0, lat + 5e-5)[2] * 1e4, rel=1e-5)


def test_the_cosine_is_the_same_alone_and_among_others():
    lats = np.linspace(-80, 80, 1001)
    together = geodesy.cosine(lats)
    assert [geodesy.cosine(float(lat)) for lat in lats] == together.tolist()
    assert np.abs(together - np.cos(np.radians(lats))).max() < 1e-9


def test_a_long_segment_follows_the_geodesic():
    (lon1, lat1), (lon2, lat2) = (123.43, 41.8), (126.63, 43.0)
    middle = GEOD.npts(lon1, lat1, lon2, lat2, 1)[0]
    dense = geodesy.densify([(lon1, lat1), (lon2, lat2)])
    assert geodesy.distance_to_line_m(dense, *middle) < 0.5
    planar = geodesy.densify([(lon1, lat1), (lon2, lat2)], step_m=1e7)
    assert len(planar) == 2
    assert GEOD.inv(*middle, (lon1 + lon2) / 2, (lat1 + lat2) / 2)[2] > 1000


def test_exact_distance_agrees_with_a_fine_subdivision():
    dense = geodesy.densify(RAIL, step_m=20)
    for lon, lat in [(122.0, 41.5), (124.2, 42.4), (121.0, 41.0), (130.0, 45.0)]:
        count = len(dense)
        nearest = GEOD.inv(np.full(count, lon), np.full(count, lat), dense[:, 0], dense[:, 1])[2].min()
        assert geodesy.distance_to_line_m(geodesy.densify(RAIL), lon, lat) == pytest.approx(nearest, abs=1.0)


# --- zones ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("beyond", [-300.0, -100.0, -10.0, -0.5, 0.5, 30.0, 399.0])
def test_the_distance_to_a_zone_is_signed(beyond):
    index = PlaceIndex([square("Z", LON, LAT, 390)])
    hits = locate(index, [moved(LON, LAT, 390 + beyond, 0)])[0]
    assert hits == (("Z", pytest.approx(beyond, rel=1e-3, abs=0.05)),)


def test_deep_inside_is_at_least_the_reach_and_far_outside_is_absent():
    index = PlaceIndex([square("Z", LON, LAT, 3000)])
    deep, outside = locate(index, [(LON, LAT), moved(LON, LAT, 3000 + REACH_M + 5, 0)])
    assert deep == (("Z", -REACH_M),)
    assert outside == ()


def test_a_hole_is_outside():
    outer = [
        moved(LON, LAT, x, y) for x, y in ((-300, -300), (300, -300), (300, 300), (-300, 300), (-300, -300))
    ]
    inner = [
        moved(LON, LAT, x, y) for x, y in ((-100, -100), (-100, 100), (100, 100), (100, -100), (-100, -100))
    ]
    ring = Area.from_geojson(
        {"type": "Polygon", "coordinates": [outer, inner]}, code="R", kind="cbz", park="SIP", valid_from_us=0
    )
    hole, solid = locate(PlaceIndex([ring]), [(LON, LAT), moved(LON, LAT, 200, 0)])
    assert hole == (("R", pytest.approx(100, abs=0.1)),)
    assert solid == (("R", pytest.approx(-100, abs=0.1)),)


def test_a_zone_of_two_parts_is_one_zone():
    parts = [square("A", LON, LAT, 100).polygon, square("B", LON + 0.01, LAT, 100).polygon]
    both = {"type": "MultiPolygon", "coordinates": [[list(p.exterior.coords)] for p in parts]}
    zone = Area.from_geojson(both, code="M", kind="cbz", park="SIP", valid_from_us=0)
    hits = locate(PlaceIndex([zone]), [(LON, LAT), (LON + 0.01, LAT)])
    assert [[code for code, _ in fix] for fix in hits] == [["M"], ["M"]]
    assert all(fix[0][1] == pytest.approx(-100, abs=0.1) for fix in hits)


def test_hits_come_by_code_and_fixes_keep_their_places():
    index = PlaceIndex(
        [square("B", LON, LAT, 200), square("A", LON, LAT, 100), square("C", LON + 1, LAT, 100)]
    )
    found = locate(index, [(LON, LAT), (0.0, 0.0), (LON + 1, LAT)])
    assert [[code for code, _ in hits] for hits in found] == [["A", "B"], [], ["C"]]


def test_without_areas_nothing_is_found():
    index = PlaceIndex([])
    assert locate(index, [(LON, LAT)]) == [()]
    assert cross(index, (LON, LAT), (LON + 1, LAT)) == ()
    assert index.locate(np.empty(0), np.empty(0), np.empty(0, dtype=np.int64)) == []


# --- corridors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("off", [0.0, 5_000.0, 24_000.0, 24_990.0, 25_010.0, 25_390.0])
def test_a_wide_corridor_is_measured_along_geodesics(off):
    azimuth, _back, length = GEOD.inv(*RAIL[0], *RAIL[1])
    lon, lat, _ = GEOD.fwd(*RAIL[0], azimuth, length / 2)
    there = GEOD.inv(lon, lat, *RAIL[1])[0]
    lon, lat, _ = GEOD.fwd(lon, lat, there + 90, off)
    index = PlaceIndex([corridor("C", RAIL, 25_000)])
    ((code, distance),) = locate(index, [(lon, lat)])[0]
    assert code == "C"
    assert distance == pytest.approx(off - 25_000, abs=1.0)
    assert index.distance_m("C", lon, lat, 1) == pytest.approx(off - 25_000, abs=0.5)


def test_beyond_tolerance_and_reach_a_corridor_is_absent():
    index = PlaceIndex([corridor("C", [(LON, LAT), (LON + 0.1, LAT)], 500)])
    assert locate(index, [moved(LON + 0.05, LAT, 0, 500 + REACH_M + 20)]) == [()]


def test_fast_and_exact_distances_agree_everywhere():
    areas = [corridor("C", RAIL, 25_000), square("Z", 122.2, 41.44, 1_500)]
    index = PlaceIndex(areas)
    random = np.random.default_rng(1)
    points = np.column_stack([random.uniform(121.9, 122.6, 400), random.uniform(41.2, 41.7, 400)])
    checked = 0
    for (lon, lat), hits in zip(points, locate(index, points), strict=True):
        for code, distance in hits:
            exact = index.distance_m(code, lon, lat, 1)
            assert distance == pytest.approx(exact, abs=1.0, rel=1e-3) or (distance == -REACH_M >= exact)
            checked += 1
    assert checked > 300


# --- revisions ------------------------------------------------------------------------------------


def test_each_fix_sees_the_revision_of_its_own_time():
    first = square("Z", LON, LAT, 100, valid_to_us=1000, revision=1)
    second = square("Z", LON + 0.01, LAT, 100, valid_from_us=1000, valid_to_us=2000, revision=2)
    index = PlaceIndex([second, first])
    found = locate(index, [(LON, LAT)] * 4, [0, 999, 1000, 5000])
    assert [bool(hits) for hits in found] == [True, True, False, False]
    found = locate(index, [(LON + 0.01, LAT)] * 4, [999, 1000, 1999, 2000])
    assert [bool(hits) for hits in found] == [False, True, True, False]
    assert [index.holds("Z", t).revision for t in (999, 1000)] == [1, 2]
    assert index.holds("Z", 2000) is None
    assert index.distance_m("Z", LON, LAT, 2000) is None


def test_revisions_that_overlap_are_refused():
    with pytest.raises(ValueError, match="Z: revisions 1 and 2"):
        PlaceIndex(
            [square("Z", LON, LAT, 9, revision=1), square("Z", LON, LAT, 9, valid_from_us=5, revision=2)]
        )


def test_an_area_keeps_its_kind():
    with pytest.raises(ValueError, match="can't become"):
        PlaceIndex(
            [square("Z", LON, LAT, 9, valid_to_us=5), square("Z", LON, LAT, 9, valid_from_us=5, kind="gate")]
        )


@pytest.mark.parametrize(
    ("geometry", "kind", "tolerance_m"),
    [
        ({"type": "Point", "coordinates": [1, 2]}, "cbz", None),
        ({"type": "LineString", "coordinates": [[1, 2], [3, 4]]}, "cbz", 5),
        ({"type": "LineString", "coordinates": [[1, 2], [3, 4]]}, "corridor", None),
        ({"type": "LineString", "coordinates": [[1, 2], [3, 4]]}, "corridor", -1),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}, "cbz", None),
        ({"type": "Polygon", "coordinates": [[[-179, 0], [179, 0], [179, 1], [-179, 0]]]}, "cbz", None),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}, "cbz", 5),
    ],
)
def test_what_cannot_be_judged_is_refused(geometry, kind, tolerance_m):
    with pytest.raises(ValueError, match="X"):
        Area.from_geojson(geometry, code="X", kind=kind, park="SIP", valid_from_us=0, tolerance_m=tolerance_m)


def test_an_interval_cannot_be_empty():
    with pytest.raises(ValueError, match="valid_to"):
        square("Z", LON, LAT, 9, valid_from_us=5, valid_to_us=5)


# --- batches --------------------------------------------------------------------------------------


def test_a_fix_gets_the_same_bits_alone_and_in_any_batch():
    random = np.random.default_rng(7)
    areas = [
        square(f"Z{i}", LON + random.uniform(-0.05, 0.05), LAT + random.uniform(-0.05, 0.05), 400)
        for i in range(40)
    ]
    index = PlaceIndex([*areas, corridor("C", [(LON - 0.1, LAT), (LON + 0.1, LAT + 0.01)], 1500)])
    points = np.column_stack(
        [random.uniform(LON - 0.08, LON + 0.08, 333), random.uniform(LAT - 0.05, LAT + 0.05, 333)]
    )
    together = locate(index, points)
    assert [locate(index, [point])[0] for point in points] == together
    order = random.permutation(len(points))
    assert locate(index, points[order]) == [together[i] for i in order]


# --- crossings ------------------------------------------------------------------------------------


def test_a_way_through_a_zone_is_a_crossing_of_known_depth():
    index = PlaceIndex([square("Z", LON, LAT, 100), square("ELSEWHERE", LON + 1, LAT, 100)])
    (crossing,) = cross(index, moved(LON, LAT, -500, 40), moved(LON, LAT, 500, 40))
    assert crossing.area == "Z"
    assert crossing.depth_m == pytest.approx(60, abs=0.5)
    assert crossing.length_m == pytest.approx(200, abs=0.5)


def test_a_zone_that_holds_an_end_is_not_crossed():
    index = PlaceIndex([square("Z", LON, LAT, 100)])
    assert cross(index, moved(LON, LAT, -500, 0), (LON, LAT)) == ()
    assert cross(index, (LON, LAT), moved(LON, LAT, -500, 0)) == ()


def test_a_zone_out_of_force_is_not_crossed():
    index = PlaceIndex([square("Z", LON, LAT, 100, valid_from_us=10, valid_to_us=20)])
    ways = [bool(cross(index, moved(LON, LAT, -500, 0), moved(LON, LAT, 500, 0), t)) for t in (9, 10, 19, 20)]
    assert ways == [False, True, True, False]


def test_a_long_way_is_the_geodesic_and_not_the_line_on_the_map():
    start, end = (117.0, 45.0), (120.0, 45.0)
    middle = GEOD.npts(*start, *end, 1)[0]
    assert middle[1] - 45.0 > 0.009
    index = PlaceIndex([square("ON_GEODESIC", *middle, 200), square("ON_MAP", 118.5, 45.0, 200)])
    assert [c.area for c in cross(index, start, end)] == ["ON_GEODESIC"]


def test_touching_a_border_is_no_crossing():
    zone = square("Z", LON, LAT, 100)
    corner = zone.polygon.exterior.coords[1]
    west, east = (corner[0] - 0.001, corner[1] - 0.001), (corner[0] + 0.001, corner[1] + 0.001)
    index = PlaceIndex([zone])
    assert all(c.depth_m <= 0.1 for c in cross(index, west, east))
    below = corner[1] - 1e-12
    assert cross(index, (LON - 0.01, below), (LON + 0.01, below)) == ()


# --- known answers --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def known():
    places, points = DOMAIN / "places.json", DOMAIN / "test_points.json"
    if not (places.exists() and points.exists()):
        pytest.skip(f"no known answers: {points} is missing (set BONDWATCH_DOMAIN to where it is)")
    features = json.loads(places.read_text())["features"]
    areas = [
        Area.from_geojson(
            f["geometry"],
            code=f["id"],
            kind=f["properties"]["kind"],
            park="SIP",
            valid_from_us=0,
            tolerance_m=f["properties"].get("tolerance_m"),
        )
        for f in features
    ]
    return {area.code: area for area in areas}, json.loads(points.read_text())


def test_borders_and_corridor_offsets_are_as_known(known):
    areas, points = known
    index = PlaceIndex(areas.values())
    checked = 0
    for point in points:
        code = point.get("zone") or point.get("corridor")
        if code is None:
            continue
        tolerance = areas[code].tolerance_m or 0.0
        # offset_m is how the point was made; min_dist_m was found by sampling the line every 20 m
        answer = point.get("signed_dist_m", point.get("offset_m"))
        within = pytest.approx(answer, rel=1e-3, abs=1.0)
        assert border_distance_m(areas[code], point["lon"], point["lat"]) + tolerance == within, point["id"]
        hits = dict(locate(index, [(point["lon"], point["lat"])])[0])
        assert hits.get(code, answer - tolerance) + tolerance == within, point["id"]
        assert (code in hits) == (answer - tolerance <= REACH_M), point["id"]
        assert (hits.get(code, 1.0) < 0) == point.get("inside", point.get("within")), point["id"]
        checked += 1
    assert checked >= 11


def test_a_way_that_shares_nothing_with_a_zone_after_all_crosses_nothing():
    """Two predicates may disagree by a rounding: the tree says that they meet, the intersection is empty."""
    zone = Area.from_geojson(
        {"type": "Polygon", "coordinates": [[[120.0, 31.0], [120.1, 31.0], [120.1, 31.1], [120.0, 31.0]]]},
        code="Z",
        kind="cbz",
        park="SIP",
        valid_from_us=0,
    )
    assert _crossing(_Shape(zone), shapely.LineString([(120.2, 31.0), (120.2, 31.0000001)])) is None
