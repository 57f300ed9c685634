"""A small client of the HTTP API, for whoever sets the stage of a run."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from tests.fault.waiting import until


class Api:
    """Asks the API with a key; waits out a process that is being restarted."""

    def __init__(self, address: str, key: str) -> None:
        self.address = address
        self._key = key

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One request for JSON; a refused connection or a 503 is tried again for a while.

        Raises:
            urllib.error.HTTPError: any other answer that is an error.
        """
        return json.loads(self._answer(method, path, body))

    def read(self, path: str) -> str:
        """The text at an address; raises as ``ask`` does."""
        return self._answer("GET", path, None).decode()

    def _answer(self, method: str, path: str, body: Any) -> bytes:
        def attempt() -> bytes | None:
            request = urllib.request.Request(
                self.address + path,
                method=method,
                data=None if body is None else json.dumps(body).encode(),
                headers={"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"},
            )
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    found: bytes = answer.read()
                    return found
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    error.add_note(f"{method} {path}: {error.read().decode(errors='replace')[:1000]}")
                    raise
                return None
            except OSError:
                return None

        answer = until(attempt, 60, f"an answer to {method} {path}")
        assert answer is not None
        return answer
