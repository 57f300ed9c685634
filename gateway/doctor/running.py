"""The running instance: its parts, the API, the metrics."""

from collections.abc import Iterator

from gateway.doctor.finding import Finding, failure, fine, warning
from gateway.embedded.component import answers
from gateway.embedded.home import Endpoints
from gateway.embedded.processes import alive

MANY_RESTARTS = 3


def look(found: Endpoints) -> Iterator[Finding]:
    """Every part that endpoints.json names."""
    dead = [name for name, process in found.processes.items() if not alive(process.ref)]
    for name in dead:
        yield failure(
            "parts", f"{name} is down", f"it is being restarted; if it stays so: bondwatch logs {name}"
        )
    for name, process in found.processes.items():
        if process.restarts >= MANY_RESTARTS:
            yield warning("parts", f"{name} was restarted {process.restarts} times", f"bondwatch logs {name}")
        if process.metrics and name not in dead and not answers(process.metrics):
            yield warning("parts", f"{name} gives no metrics at {process.metrics}", f"bondwatch logs {name}")
    if not dead:
        yield fine("parts", f"{', '.join(found.processes)} (supervisor pid {found.supervisor.pid})")
    served = [f"{name} {process.metrics}" for name, process in found.processes.items() if process.metrics]
    if served:
        yield fine("metrics", ", ".join(served))
    if found.api and answers(f"{found.api}/health/ready"):
        yield fine("api", f"ready at {found.api}")
    elif found.api:
        yield failure("api", f"not ready at {found.api}", "bondwatch logs api")
