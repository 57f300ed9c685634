"""What the rules promise to find, from what truly happened. No finding of ours is looked at here.

Each rule's docstring (docs/rules.md) says when it opens; here the same is asked of true places, temperatures
and states instead of what devices say of them. Where an incident is so near to a limit, or so badly seen,
that the rule's own tolerances let it answer either way, it is not *sure*: a finding of it is neither right
nor wrong, and its absence is no miss. How near is near stands with each rule, and how many incidents were
left out is part of every score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from simulators.reality.seen import Incident, Seen
from simulators.reality.truth_cold import door_open_warming, power_loss, temp_excursion
from simulators.reality.truth_places import (
    forbidden_zone_entry,
    route_deviation,
    unauthorised_stop,
    zone_exit_without_release,
)
from simulators.reality.truth_seals import (
    device_silent,
    door_or_light_while_sealed,
    seal_broken_in_transit,
    seal_silent,
    wrong_destination,
)

RULES: Final[dict[str, Callable[[Seen], Iterator[Incident]]]] = {
    rule.__name__: rule
    for rule in (
        route_deviation,
        unauthorised_stop,
        forbidden_zone_entry,
        zone_exit_without_release,
        seal_broken_in_transit,
        wrong_destination,
        door_or_light_while_sealed,
        seal_silent,
        device_silent,
        temp_excursion,
        door_open_warming,
        power_loss,
    )
}
"""What the truth is told of, by the rule's code."""


def incidents(one: Seen) -> list[Incident]:
    """Everything that must or may be found of a haul."""
    return [incident for rule in RULES.values() for incident in rule(one)]
