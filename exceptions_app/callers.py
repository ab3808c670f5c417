"""Where a request comes from, for counting and for the audit trail."""

from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """Where the request comes from: what the nearest proxy says when there is one, else who is connected."""
    said = str(request.META.get("REMOTE_ADDR", ""))
    if settings.CLIENT_ADDRESS_HEADER:
        said = request.headers.get(settings.CLIENT_ADDRESS_HEADER, "").rpartition(",")[2].strip()
    try:
        return str(ip_address(said))
    except ValueError:
        return "unknown"


def network_of(address: str) -> str:
    """Whoever has one address of IPv6 usually has 2^64 of them."""
    if address != "unknown" and isinstance(ip_address(address), IPv6Address):
        return str(ip_network(f"{address}/64", strict=False))
    return address
