"""Addresses that lead inside, each as it is written in URLs and as what a name is resolved to: none is connected to."""

import socket
from collections.abc import Callable

import pytest
from pytest_django.fixtures import Settings

from integrations.http import Outcome, exchange

# ruff: noqa: S104 - no address here is listened at

# One address in each network that is not public, and those that clouds answer at.
INSIDE = (
    "0.0.0.0", "0.0.0.1", "10.0.0.1", "10.255.255.254", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",
    "168.63.129.16", "169.254.1.1", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.254", "192.0.0.1",
    "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "192.168.255.254", "198.18.0.1", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::a00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "::ffff:0:10.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::10.0.0.1", "100::1", "2001::1",
    "2001:0:7f00:1::", "2001:10::1", "2001:db8::1", "2002:7f00:1::", "2002:a00:1::1", "2002:c0a8:101::", "3fff::1",
    "5f00::1", "fc00::1", "fd00:ec2::254", "fd20:ce::254", "fe80::1", "fe80::a9fe:a9fe", "febf::1", "fec0::1",
    "feff::1", "ff02::1", "ff05::1:3", "ff0e::1",
)  # fmt: skip
# The same in ways of writing that readers of addresses disagree about: numbers, octal and hexadecimal, fewer parts,
# other digits and full stops, a final one, names of this machine, and what stands before or behind the host.
WRITTEN = (
    "https://2130706433/", "https://0x7f000001/", "https://017700000001/", "https://0x7f.0.0.1/", "https://0177.0.0.1/",
    "https://0177.0x0.0.1/", "https://127.1/", "https://127.0.1/", "https://0/", "https://2852039166/",
    "https://0xa9fea9fe/", "https://0251.0376.0251.0376/", "https://169.254.43518/", "https://10.1/", "https://0xa000001/",
    "https://3232235777/", "https://127.0.0.1./", "https://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460/",
    "https://\uff11\uff12\uff17\uff0e\uff10\uff0e\uff10\uff0e\uff11/", "https://127\u30020\u30020\u30021/",
    "https://localhost/", "https://LOCALHOST/", "https://localhost./", "https://[::1%25lo]/", "https://[0:0:0:0:0:0:0:1]/",
    "https://[::FFFF:7F00:0001]/", "https://[::ffff:0x7f.0.0.1]/", "https://127.0.0.1:443/", "https://127.0.0.1:22/",
    "https://127.0.0.1:6379/", "https://127.0.0.1#@example.com/", "https://127.0.0.1?@example.com/",
    "https://127.0.0.1/@example.com", "https://example.com@127.0.0.1/", "https://example.com:443@127.0.0.1/",
    "https://127.0.0.1\\@example.com/", "https://example.com\\@127.0.0.1/", "https://@127.0.0.1/",
    "https:127.0.0.1/", "https:///127.0.0.1/", "//127.0.0.1/", "127.0.0.1", " https://127.0.0.1/", "https://\t127.0.0.1/",
    "ht\ntps://127.0.0.1/", "HTTPS://127.0.0.1/", "http://127.0.0.1/", "file:///etc/passwd", "file://127.0.0.1/etc/passwd",
    "gopher://127.0.0.1:6379/_INFO", "dict://127.0.0.1:11211/stat", "ftp://127.0.0.1/", "ldap://127.0.0.1/",
    "unix:///run/postgresql/.s.PGSQL.5432", "jar:https://127.0.0.1!/", "data:text/plain,a", "javascript:alert(1)",
)  # fmt: skip
OUTSIDE = ("8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1")


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> list[str]:
    """The addresses to which a connection was begun; none comes to anything."""
    settings.INTEGRATIONS_ALLOW_LOOPBACK = False
    settings.INTEGRATIONS_ALLOWED_NETWORKS = []
    begun: list[str] = []

    def connect(address: tuple[str, int], **_options: object) -> socket.socket:
        begun.append(address[0])
        raise OSError("no connection in this test")

    monkeypatch.setattr(socket, "create_connection", connect)
    return begun


def answering_with(*addresses: str) -> Callable[..., list[object]]:
    def resolve(host: str, port: int, *_more: object, **_options: object) -> list[object]:
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
            for one in addresses
        ]

    return resolve


def asked(url: str) -> Outcome:
    return exchange("POST", url, headers={}, body=b"content", timeout=1.0).outcome


def test_nothing_inside_is_connected_to_however_it_is_written(connected: list[str]) -> None:
    literal = [f"https://[{one}]/" if ":" in one else f"https://{one}/" for one in INSIDE]
    assert len({*literal, *WRITTEN}) >= 110
    # What is no address at all here, such as a form that the resolver does not know, is not sent either.
    found = {url: asked(url) for url in [*literal, *WRITTEN]}
    assert connected == []
    assert {url: found[url] for url in literal if found[url] is not Outcome.FORBIDDEN} == {}
    assert {url: got for url, got in found.items() if got not in (Outcome.FORBIDDEN, Outcome.NOT_SENT)} == {}


def test_no_name_leads_inside(connected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for address in INSIDE:
        monkeypatch.setattr(socket, "getaddrinfo", answering_with(address))
        assert asked("https://target.example/") is Outcome.FORBIDDEN, address
        assert connected == []
        # Of several addresses of a name only those outside are tried, in whichever order they come.
        monkeypatch.setattr(socket, "getaddrinfo", answering_with(address, OUTSIDE[0], address))
        assert asked("https://target.example/") is Outcome.NOT_SENT
        assert connected == [OUTSIDE[0]], address
        connected.clear()


def test_what_is_outside_is_tried_and_by_https_alone(connected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for address in OUTSIDE:
        monkeypatch.setattr(socket, "getaddrinfo", answering_with(address))
        assert (asked("https://target.example/"), connected) == (Outcome.NOT_SENT, [address])
        connected.clear()
        assert (asked("http://target.example/"), connected) == (Outcome.FORBIDDEN, [])
