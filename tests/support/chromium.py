"""A real browser for tests: ``$BONDWATCH_CHROMIUM``, one on PATH, else Debian's, unpacked privately.

Chinese pages need a Chinese font; where the machine has none, Debian's is unpacked too.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Final

from playwright.sync_api import Browser, sync_playwright

from tests.support import debian

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell")
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

FONTS: Final = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>/usr/share/fonts</dir><dir>{fonts}</dir><cachedir>{cache}</cachedir></fontconfig>
"""


@cache
def program() -> tuple[str, dict[str, str]]:
    """The browser's path and the environment it needs.

    Raises:
        FileNotFoundError: there is none and none can be had.
    """
    chosen = os.environ.get("BONDWATCH_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if chosen:
        return chosen, dict(os.environ)
    root = debian.unpacked("chromium-headless-shell")
    fonts = debian.unpacked("fonts-wqy-microhei")
    settings = fonts / "fonts.conf"
    settings.write_text(FONTS.format(fonts=fonts / "usr/share/fonts", cache=fonts / "fontcache"))
    environment = debian.environment(root)
    private = {str(library.parent) for library in root.glob("usr/lib/*-linux-gnu/*/*.so*")}
    environment["LD_LIBRARY_PATH"] = ":".join([environment["LD_LIBRARY_PATH"], *sorted(private)])
    shell = root / "usr/lib/chromium/chromium-headless-shell"
    return str(shell), environment | {"FONTCONFIG_FILE": str(settings)}


@contextmanager
def browser() -> Iterator[Browser]:
    """A running headless browser."""
    path, environment = program()
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=list(FLAGS), env=environment)
        try:
            yield running
        finally:
            running.close()
