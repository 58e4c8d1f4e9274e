"""The one address of this machine that workers on other machines call back to."""

from __future__ import annotations

import ipaddress
import socket

from workflow_backends.errors import InvalidResourcesError

__all__ = ["worker_address"]

_ELSEWHERE = ("192.0.2.1", 9)  # of a block that is kept for documentation; nothing is sent there


def worker_address(interface: str | None) -> str:
    """Return the IPv4 address that the interchange listens on, and on no other.

    Nobody outside this machine is asked for it.

    Parameters
    ----------
    interface
        A network interface by name, or an address of this machine; None for the address that this host's
        name stands for, or else the one that it sends from by default, or else the loopback's.

    Raises
    ------
    InvalidResourcesError
        There is no such interface; those that there are are listed.
    """
    addresses = _addresses()
    if interface is None:
        ours = {a for a in addresses.values() if not ipaddress.ip_address(a).is_loopback}
        candidates = (_address_of_name(), _address_of_default_route())
        return next((a for a in candidates if a in ours), "127.0.0.1")
    if interface in addresses:
        return addresses[interface]
    if interface in addresses.values():
        return interface
    listed = ", ".join(f"{name} ({address})" for name, address in addresses.items())
    raise InvalidResourcesError(f"interface: {interface!r} is not of this machine; it has {listed}")


def _addresses() -> dict[str, str]:
    import psutil  # noqa: PLC0415

    return {
        name: entry.address
        for name, entries in psutil.net_if_addrs().items()
        for entry in entries
        if entry.family == socket.AF_INET
    }


def _address_of_name() -> str | None:
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:
        return None


def _address_of_default_route() -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ELSEWHERE)
        except OSError:
            return None
        return str(probe.getsockname()[0])
