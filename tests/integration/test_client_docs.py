"""The example of docs/sdk.md runs as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.brokers import nats_server, running
from tests.support.confirming import ConfirmingGateway

ROOT = Path(__file__).parents[2]


def test_the_example_runs(tmp_path: Path) -> None:
    found = re.search(
        r"```python\n(.*?)```", (ROOT / "docs" / "sdk.md").read_text(encoding="utf-8"), re.DOTALL
    )
    assert found
    with running(nats_server(tmp_path / "nats")) as broker, ConfirmingGateway(broker.mqtt_port) as gateway:
        surroundings = {
            "BROKER_HOST": "127.0.0.1", "BROKER_PORT": str(broker.mqtt_port), "DEVICE_SECRET": "x",
            "DATA": str(tmp_path),
        }  # fmt: skip
        said = subprocess.run(
            [sys.executable, "-c", found[1]], cwd=ROOT, env=os.environ | surroundings, capture_output=True,
            text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (said.returncode, said.stdout, said.stderr) == (0, "recorded\n", "")
        assert gateway.numbers("SIP/SC-01") == [1, 2]
