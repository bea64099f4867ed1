"""Ports of loopback that nobody listens on."""

import socket


def free_ports(count: int) -> list[int]:
    """Returns so many different ports of 127.0.0.1, free a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
