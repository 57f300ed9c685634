"""Places: zones and corridors with their revisions, and the index that says which of them a fix is in.

``area``      one revision of one zone or corridor
``geodesy``   metres on the ellipsoid: densified lines, local metres, exact distances
``index``     ``PlaceIndex``: many fixes at once -> areas with signed distances; segments -> zones crossed
"""

from tracking.domain.places.area import CORRIDOR, Area
from tracking.domain.places.index import REACH_M, Crossing, Hit, PlaceIndex

__all__ = ["CORRIDOR", "REACH_M", "Area", "Crossing", "Hit", "PlaceIndex"]
