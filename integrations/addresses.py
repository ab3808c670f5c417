"""Where requests may go: names on the list, public addresses, and what the operator has allowed besides.

Settings: INTEGRATIONS_ALLOWED_HOSTS (names, or `.example.com` for a domain; empty: any),
INTEGRATIONS_ALLOWED_NETWORKS (private networks in CIDR notation), INTEGRATIONS_ALLOW_LOOPBACK.
"""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult

from django.conf import settings

_NAT64 = ip_network("64:ff9b::/96")
# Not public, although some version of Python says so: protocol assignments, one of which gave a cloud's metadata, the
# gateways of 6to4, the host agent of another cloud, IPv6 of a site and of documents, and a network's own NAT64.
_NOT_PUBLIC = [
    ip_network(network)
    for network in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "fec0::/10", "64:ff9b:1::/48", "3fff::/20")
]


class AddressRefused(Exception):
    """A request that must not be sent; the text says which setting would allow it, where one would."""


def require_allowed_host(target: SplitResult) -> str:
    """The host of a URL that may be asked. Raises AddressRefused, and ValueError for a malformed port."""
    if target.scheme not in ("http", "https"):
        raise AddressRefused("Only http and https URLs can be used.")
    if target.username is not None or target.password is not None:
        raise AddressRefused("Credentials do not belong in a URL; store them as the connection's token.")
    return require_listed_host(target.hostname or "")


def require_listed_host(name: str) -> str:
    """The name of a host that may be spoken to, by whatever protocol. Raises AddressRefused."""
    host = name.rstrip(".")
    if not host:
        raise AddressRefused("The URL names no host.")
    listed = getattr(settings, "INTEGRATIONS_ALLOWED_HOSTS", ())
    if listed and not any(_matches(host, name) for name in listed):
        raise AddressRefused(f"{host} is not in INTEGRATIONS_ALLOWED_HOSTS.")
    return host


def _matches(host: str, name: str) -> bool:
    name = name.lower()
    return host == name or (name.startswith(".") and host.endswith(name))


def allowed_addresses(host: str, port: int, *, scheme: str) -> list[str]:
    """Resolve once and keep what may be used: the caller connects to these and asks no resolver again.

    Raises AddressRefused when none is left, OSError when the name cannot be resolved. Only the resolver's own settings
    bound how long it takes (resolv.conf(5): mostly twice five seconds per name server). Whoever calls looks at the
    clock afterwards: `exchange` connects nowhere once its deadline has passed, so a slow resolver makes nothing late.
    """
    found = dict.fromkeys(str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    refusals: list[str] = []
    allowed: list[str] = []
    for text in found:
        if problem := _problem_with(ip_address(text.partition("%")[0]), scheme=scheme):
            refusals.append(f"{text} {problem}")
        else:
            allowed.append(text)
    if refusals and not allowed:
        raise AddressRefused(f"{host}: {'; '.join(refusals)}.")
    return allowed


def _problem_with(address: IPv4Address | IPv6Address, *, scheme: str) -> str:
    """Why an address may not be used; empty when it may."""
    address = _embedded(address)
    if address.is_loopback:
        allowed = getattr(settings, "INTEGRATIONS_ALLOW_LOOPBACK", False)
        return "" if allowed else "is this machine itself: INTEGRATIONS_ALLOW_LOOPBACK is off"
    networks = map(ip_network, getattr(settings, "INTEGRATIONS_ALLOWED_NETWORKS", ()))
    if any(address in network for network in networks):
        return ""
    is_inside = any(address in network for network in _NOT_PUBLIC)
    if is_inside or not address.is_global or address.is_multicast or address.is_reserved:
        return "is not a public address and not in INTEGRATIONS_ALLOWED_NETWORKS"
    if scheme not in ("https", "sftp"):
        return "is public: use https"
    return ""


def _embedded(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address inside an IPv6 one, where a gateway or the kernel would unwrap it."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
