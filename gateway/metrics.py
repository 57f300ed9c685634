"""How a worker process shows its Prometheus metrics: ``/metrics`` and ``/ready`` on a loopback port.

Who measures something defines it where it is measured, with ``prometheus_client`` and its default registry:
``Counter("bondwatch_events_recorded_total", "...")``. Names begin with ``bondwatch_``, end in their unit,
and stand in docs/metrics.md. The API serves its own ``/metrics``; ``run/endpoints.json`` lists every URL.
"""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

LOOPBACK: Final = "127.0.0.1"


class MetricsServer:
    """Serves this process's metrics from a thread until the process ends.

    Args:
        port: loopback port; 0 means any free one (read ``port`` for which).
    """

    def __init__(self, port: int) -> None:
        self._ready = threading.Event()
        ready = self._ready

        class Handler(BaseHTTPRequestHandler):
            """Two paths, read only."""

            def do_GET(self) -> None:
                """Answer with the metrics, or with whether the process is ready (200) or not (503)."""
                if self.path == "/metrics":
                    self._answer(200, generate_latest(REGISTRY), CONTENT_TYPE_LATEST)
                elif self.path == "/ready":
                    self._answer(*((200, b"ready\n") if ready.is_set() else (503, b"starting\n")))
                else:
                    self._answer(404, b"only /metrics and /ready are here\n")

            def _answer(
                self, status: int, body: bytes, content_type: str = "text/plain; charset=utf-8"
            ) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                """A scrape is no news."""

        self._server = ThreadingHTTPServer((LOOPBACK, port), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def ready(self) -> None:
        """Say that this process does its work now: ``bondwatch up`` waits for it."""
        self._ready.set()

    def close(self) -> None:
        """Free the port (a process that ends needs no call)."""
        self._server.shutdown()
        self._server.server_close()
