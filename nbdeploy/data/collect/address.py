"""Which addresses a list of links may lead to, since lists come from strangers."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

_ALWAYS_OPEN = frozenset({"http", "https"})
_KEYS_OF_CLOUDS = frozenset({"fd00:ec2::254", "100.100.100.200", "192.0.0.192"})
"""Where clouds give out credentials, beside the link-local 169.254.169.254."""


class Forbidden(Exception):
    """An address that is not fetched; the text says why."""


def check(url: str, *, came_from: str = "") -> bool:
    """Whether `url` lies on this machine or in a private network. Raises Forbidden for what is never fetched.

    Never: other schemes than http and https, addresses with a password, and link-local, multicast and reserved
    addresses, where clouds give out credentials. This machine and private networks are fetched only where the list
    names them itself: a redirect from a public address (`came_from`) does not lead there.
    """
    parts = urlsplit(url)
    if parts.scheme.lower() not in _ALWAYS_OPEN:
        raise Forbidden(f'begins with "{parts.scheme}:", not with http or https')
    if parts.username or parts.password:
        raise Forbidden("holds a user name or password")
    host = parts.hostname
    if not host:
        raise Forbidden("names no host")
    private = False
    for address in _addresses(host, parts.port or (443 if parts.scheme == "https" else 80)):
        if (
            address.is_link_local
            or address.is_multicast
            or address.is_unspecified
            or (address.is_reserved and not address.is_loopback)
            or str(address) in _KEYS_OF_CLOUDS
        ):
            raise Forbidden(f"leads to {address}, which is no place for pictures")
        private = private or not address.is_global
    if private and came_from:
        raise Forbidden(f"was sent on to {host}, on this machine or in a private network, by a public address")
    return private


def _addresses(host: str, port: int) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Forbidden(f"has a host that cannot be found: {host}") from error
    addresses = []
    for *_, place in found:
        address = ipaddress.ip_address(str(place[0]).partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        addresses.append(mapped or address)
    return addresses
