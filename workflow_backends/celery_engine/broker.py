"""The broker's address: who may be asked, and how it is shown without its password."""

from __future__ import annotations

import ipaddress
import os
from urllib.parse import SplitResult, urlsplit

from workflow_backends.errors import InvalidResourcesError

__all__ = ["BROKER_VARIABLE", "Broker"]

BROKER_VARIABLE = "WORKFLOW_BACKENDS_BROKER"  # the broker's address: a command line could be read by all
_SCHEMES = ("redis", "rediss", "redis+socket", "amqp", "amqps")


class Broker:
    """A broker's address, which shows no password.

    Parameters
    ----------
    url
        Such as ``redis://:password@host:6379/0``; None for that of the environment.
    allow_unauthenticated
        Whether a broker of another machine may do without a password.

    Raises
    ------
    InvalidResourcesError
        No address of a broker, or one that anybody could send tasks to.
    """

    def __init__(self, url: str | None, *, allow_unauthenticated: bool = False) -> None:
        url = os.environ.get(BROKER_VARIABLE) if url is None else url
        if not isinstance(url, str):
            raise InvalidResourcesError(
                f"broker: none was given; give its address, or set {BROKER_VARIABLE} to it"
            )
        self.url = url
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError:  # whose message would show the address
            raise InvalidResourcesError("broker: its address cannot be read") from None
        if parts.scheme not in _SCHEMES or not (parts.hostname or parts.path):
            raise InvalidResourcesError(
                f"broker: {self} is not allowed; give an address that begins with"
                f" {', '.join(f'{scheme}://' for scheme in _SCHEMES)}"
            )
        if not (allow_unauthenticated or parts.password or _is_local(parts)):
            raise InvalidResourcesError(
                f"broker: {self} is on another machine and has no password, so that anybody there could run"
                " code here; set one, or allow_unauthenticated_broker=True"
            )

    @property
    def is_redis(self) -> bool:
        """Whether it is a Redis."""
        return self.url.startswith("redis")

    def __str__(self) -> str:
        """Return the address without user and password."""
        parts = urlsplit(self.url)
        hidden = "***@" if "@" in parts.netloc else ""
        return f"{parts.scheme}://{hidden}{parts.netloc.rpartition('@')[2]}{parts.path}"

    __repr__ = __str__


def _is_local(parts: SplitResult) -> bool:
    if parts.scheme == "redis+socket" or parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
