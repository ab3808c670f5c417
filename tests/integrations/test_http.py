import logging
import socket
import struct
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext, SSLError

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pytest_django.fixtures import Settings

from integrations import crash_points
from integrations.crash_points import Point
from integrations.http import Exchange, Outcome, exchange, leaving_within
from tests.scripted_server import answering, scripted

PATIENCE = 10.0  # seconds: long enough that only a hang would use it up
IMPATIENCE = 0.3


@pytest.fixture(autouse=True)
def allow_loopback(settings: Settings) -> None:
    settings.INTEGRATIONS_ALLOW_LOOPBACK = True


def post(url: str, *, timeout: float = PATIENCE, **arguments: object) -> Exchange:
    headers = {"Authorization": "Bearer very-secret", "X-Kind": "test"}
    return exchange("POST", url, headers=headers, body=b"content", timeout=timeout, **arguments)  # type: ignore[arg-type]


def test_whole_answer_is_answered() -> None:
    with scripted(answering("201 Created", b"done", "Content-Type: text/plain; charset=utf-8", "X-Thing: a")) as server:
        result = post(server.url + "?a=b")

    assert (result.outcome, result.status, result.body) == (Outcome.ANSWERED, 201, b"done")
    assert (result.media_type, result.headers["x-thing"]) == ("text/plain", "a")
    [request] = server.requests
    assert request.startswith(b"POST /path?a=b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % server.port)
    assert request.endswith(b"\r\n\r\ncontent")


def test_error_status_is_an_answer_like_any_other() -> None:
    with scripted(answering("500 Internal Server Error")) as server:
        assert post(server.url).outcome is Outcome.ANSWERED


def test_redirect_is_not_followed() -> None:
    with scripted(answering("307 Temporary Redirect", b"", "Location: http://127.0.0.1:1/")) as server:
        result = post(server.url)

    assert (result.outcome, result.status, len(server.requests)) == (Outcome.ANSWERED, 307, 1)


def test_refused_connection_is_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    assert post(f"http://127.0.0.1:{port}/").outcome is Outcome.NOT_SENT


def test_what_was_frozen_past_its_time_is_not_sent() -> None:
    def freeze(point: Point) -> None:
        if point is Point.WIRE_OPEN:
            time.sleep(IMPATIENCE)

    crash_points.arm(freeze)
    try:
        with scripted(answering("200 OK")) as server:
            with leaving_within(timedelta(seconds=IMPATIENCE)):
                late = post(server.url)
            after = post(server.url)
    finally:
        crash_points.arm(None)

    assert (late.outcome, late.detail) == (Outcome.NOT_SENT, "Too late to send it: the time for it was over.")
    assert after.outcome is Outcome.ANSWERED  # the time is that of what is done within it
    assert [request[:5] for request in server.requests if request] == [b"POST "]


def test_unknown_name_is_not_sent() -> None:
    assert post("http://no-such-name.invalid/").outcome is Outcome.NOT_SENT


def test_connect_timeout_is_not_sent() -> None:
    # With the queue of a listener full, the kernel leaves further connections unanswered.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        result = post(f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout=IMPATIENCE)
        for sock in waiting:
            sock.close()

    assert result.outcome is Outcome.NOT_SENT


def test_tls_with_a_plain_server_is_not_sent() -> None:
    def hang_up(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                hang_up(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        result = post(f"https://127.0.0.1:{listener.getsockname()[1]}/")
        thread.join()

    assert result.outcome is Outcome.NOT_SENT


def self_signed_context(directory: Path) -> SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain = directory / "chain.pem"
    chain.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return context


def test_certificate_that_nobody_vouches_for_is_not_sent(tmp_path: Path) -> None:
    context = self_signed_context(tmp_path)
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            try:
                with context.wrap_socket(connection, server_side=True) as secured:
                    received.append(secured.recv(100))
            except (SSLError, OSError):
                pass  # the client refuses the certificate

        thread = threading.Thread(target=serve)
        thread.start()
        result = post(f"https://localhost:{listener.getsockname()[1]}/")
        thread.join()

    assert (result.outcome, received) == (Outcome.NOT_SENT, [])
    assert "certificate" in result.detail.lower()


def test_read_timeout_is_unknown() -> None:
    done = threading.Event()

    def say_nothing(connection: socket.socket) -> None:
        done.wait(PATIENCE)

    with scripted(say_nothing) as server:
        result = post(server.url, timeout=IMPATIENCE, deadline=PATIENCE)
        done.set()

    assert (result.outcome, result.status, len(server.requests)) == (Outcome.UNKNOWN, None, 1)


def test_dripping_answer_ends_at_the_deadline() -> None:
    done = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while not done.wait(0.01):
            connection.sendall(b"X-Filler: a\r\n")

    deadline = IMPATIENCE
    with scripted(drip) as server:
        while (result := post(server.url, deadline=deadline)).outcome is Outcome.NOT_SENT and deadline < PATIENCE:
            deadline *= 2  # on a busy machine it has passed before the connection was made
        done.set()

    assert result.outcome is Outcome.UNKNOWN


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def close_without_a_word(connection: socket.socket) -> None:
    pass


def answer_nonsense(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


def cut_short(connection: socket.socket) -> None:
    connection.sendall(b'HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{"clearance":')


def cut_a_chunk_short(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{")


@pytest.mark.parametrize("script", [reset, close_without_a_word, answer_nonsense, cut_short, cut_a_chunk_short])
def test_broken_answer_is_unknown(script: object) -> None:
    with scripted(script) as server:  # type: ignore[arg-type]
        result = post(server.url)

    assert (result.outcome, len(server.requests)) == (Outcome.UNKNOWN, 1)


def test_answer_that_was_cut_short_keeps_what_came() -> None:
    with scripted(cut_short) as server:
        result = post(server.url)

    assert (result.status, result.body) == (201, b'{"clearance":')


def test_too_large_answer_is_unknown() -> None:
    with scripted(answering("200 OK", b"x" * 101)) as server:
        result = post(server.url, max_answer=100)

    assert (result.outcome, result.body) == (Outcome.UNKNOWN, b"")


def test_answer_of_just_the_largest_size_is_answered() -> None:
    with scripted(answering("200 OK", b"x" * 100)) as server:
        assert post(server.url, max_answer=100).outcome is Outcome.ANSWERED


def test_header_that_cannot_be_written_is_forbidden_and_not_sent() -> None:
    with scripted(answering("200 OK")) as server:
        result = exchange("GET", server.url, headers={"X-Key": "a\r\nX-Other: b"}, timeout=PATIENCE)

    assert result.outcome is Outcome.FORBIDDEN
    assert server.requests == [b""]


def test_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1/")
    with scripted(answering("200 OK")) as server:
        assert post(server.url).outcome is Outcome.ANSWERED


def test_secrets_stay_out_of_log_and_evidence(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with scripted(answering("200 OK", b"", "Set-Cookie: session=very-secret")) as server:
        result = post(server.url + "?key=very-secret")

    assert result.evidence["set-cookie"] == "[removed]"
    assert "very-secret" not in caplog.text
    assert f"127.0.0.1:{server.port}/path" in caplog.text


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://example.com/", "http and https"),
        ("//example.com/", "http and https"),
        ("http://", "names no host"),
        ("https://user:pass@example.com/", "Credentials"),
        ("http://169.254.169.254/latest/meta-data/", "INTEGRATIONS_ALLOWED_NETWORKS"),
        ("https://10.0.0.1/", "INTEGRATIONS_ALLOWED_NETWORKS"),
        ("https://100.64.0.1/", "INTEGRATIONS_ALLOWED_NETWORKS"),
        ("https://224.0.0.1/", "INTEGRATIONS_ALLOWED_NETWORKS"),
        ("https://0.0.0.0/", "INTEGRATIONS_ALLOWED_NETWORKS"),
        ("https://[fe80::1]/", "INTEGRATIONS_ALLOWED_NETWORKS"),
        ("https://[64:ff9b::a00:1]/", "INTEGRATIONS_ALLOWED_NETWORKS"),
        ("https://[2002:a00:1::]/", "INTEGRATIONS_ALLOWED_NETWORKS"),
        ("https://[::ffff:10.0.0.1]/", "INTEGRATIONS_ALLOWED_NETWORKS"),
        ("http://8.8.8.8/", "use https"),
    ],
)
def test_address_that_is_not_allowed_is_forbidden(url: str, why: str) -> None:
    result = post(url)

    assert result.outcome is Outcome.FORBIDDEN
    assert why in result.detail


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433"])
def test_loopback_is_forbidden_unless_allowed(settings: Settings, host: str) -> None:
    settings.INTEGRATIONS_ALLOW_LOOPBACK = False
    with socket.create_server(("127.0.0.1", 0)) as listener:
        result = post(f"http://{host}:{listener.getsockname()[1]}/")

    assert result.outcome is Outcome.FORBIDDEN
    assert "INTEGRATIONS_ALLOW_LOOPBACK" in result.detail


def test_host_outside_the_list_is_forbidden(settings: Settings) -> None:
    settings.INTEGRATIONS_ALLOWED_HOSTS = [".authority.example"]

    result = post("https://authority.example.attacker.example/")

    assert result.outcome is Outcome.FORBIDDEN
    assert "INTEGRATIONS_ALLOWED_HOSTS" in result.detail


def test_host_on_the_list_is_reached(settings: Settings) -> None:
    settings.INTEGRATIONS_ALLOWED_HOSTS = ["127.0.0.1"]
    with scripted(answering("200 OK")) as server:
        assert post(server.url).outcome is Outcome.ANSWERED


def test_allowed_network_is_reached(settings: Settings) -> None:
    settings.INTEGRATIONS_ALLOWED_NETWORKS = ["192.0.2.0/24"]

    result = post("http://192.0.2.1:9/", timeout=0.05)

    assert result.outcome is Outcome.NOT_SENT


def test_name_is_resolved_once_and_its_address_used(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def resolve(host: str, port: int, *arguments: object, **options: object) -> list[object]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    with scripted(answering("200 OK")) as server:
        original = socket.getaddrinfo
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda host, *a, **k: resolve(host, *a, **k) if host == "rebinding.example" else original(host, *a, **k),
        )
        result = post(f"http://rebinding.example:{server.port}/")

    assert (result.outcome, asked) == (Outcome.ANSWERED, ["rebinding.example"])
    assert b"Host: rebinding.example" in server.requests[0]
