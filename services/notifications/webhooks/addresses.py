"""Where a webhook may be sent: https to a public address, so that no URL reaches into this network."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

_PUBLIC_SIX = ipaddress.ip_network("2000::/3")
_SIX_TO_FOUR = ipaddress.ip_network("2002::/16")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def refusal_of_url(url: str, *, loopback: bool) -> str | None:
    """Why a URL is refused, as a code of `causes`; None if it is not. loopback: allow http, which `may_be_reached` then
    limits to this machine."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "url_malformed"
    if parts.scheme not in ({"https", "http"} if loopback else {"https"}):
        return "url_not_https"
    if not parts.hostname or port == 0 or parts.fragment or not url.isascii() or any(c <= " " for c in url):
        return "url_malformed"
    if parts.username is not None or parts.password is not None:
        return "url_with_credentials"
    return None


def may_be_reached(address: str, *, loopback: bool, encrypted: bool) -> bool:
    """Whether a resolved address may be connected to. loopback: allow this machine, even without TLS."""
    try:
        found: Address = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if found.is_loopback:
        return loopback
    return encrypted and _public(found)


def _public(address: Address) -> bool:
    """Of IPv6 only the unicast range without 6to4, which embeds an IPv4 address (NAT64 is outside the range)."""
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return not isinstance(address, ipaddress.IPv6Address) or (address in _PUBLIC_SIX and address not in _SIX_TO_FOUR)
