"""Ports: is this one free, whose is it, and give me another."""

import random
import socket
from typing import Final

import psutil

from gateway.problem import Problem

# Below the range from which the kernel takes ports for outgoing connections (32768 up): a client that keeps
# knocking at a loopback port within that range can end up connected to itself, and then holds the port.
FREE_RANGE: Final = range(20000, 32000)
ATTEMPTS: Final = 200


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


class Ports:
    """Gives ports to the parts of one installation, no port twice."""

    def __init__(self) -> None:
        self._given: set[int] = set()

    def free(self, host: str) -> int:
        """A port on which nobody listens. Chosen at random, so that two installations hardly ever meet.

        Raises:
            Problem: the machine has none to give.
        """
        for _ in range(ATTEMPTS):
            port = random.choice(FREE_RANGE)  # noqa: S311 - nothing secret about a port
            if port not in self._given and is_free(host, port):
                self._given.add(port)
                return port
        raise Problem(f"no free port on {host} in {FREE_RANGE.start} to {FREE_RANGE.stop}")

    def claim(self, host: str, port: int, variable: str) -> int:
        """The port to use: the one that is set, if it is free; any free one for 0.

        Args:
            host: address it will be bound to.
            port: as set.
            variable: the setting's environment variable, for the message.

        Raises:
            Problem: somebody else listens there (says who, where the system tells us), or two parts are
                to have the same.
        """
        if port == 0:
            return self.free(host)
        if port in self._given:
            raise Problem(
                f"port {port} is given to two parts", f"set {variable} to another (0: any free one)"
            )
        if not is_free(host, port):
            raise Problem(
                f"port {port} on {host} is taken{_by_whom(port)}",
                f"stop that program, or set {variable} to another port (0: any free one)",
            )
        self._given.add(port)
        return port


def listener(port: int) -> psutil.Process | None:
    """Who listens on a port; None when nobody does or the system doesn't tell us."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return psutil.Process(connection.pid)
    except psutil.Error:
        return None
    return None


def _by_whom(port: int) -> str:
    process = listener(port)
    try:
        return f" by {process.name()} (pid {process.pid})" if process else ""
    except psutil.Error:
        return ""
