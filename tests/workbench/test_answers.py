"""What holds of every answer, whoever made it: a page, the API, a file of the program, a refusal, a redirect."""

import pytest
from django.conf import LazySettings
from django.test import Client

from tests import factories
from tests.cast import Cast, cast

__all__ = ["cast"]
pytestmark = pytest.mark.django_db
POLICY = {
    "base-uri 'none'",
    "default-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "object-src 'none'",
}


def test_every_answer_says_what_a_browser_may_do_with_it(cast: Cast, settings: LazySettings):
    """No script of another, in no frame, with no address for other sites, and kept by nobody but files of ours."""
    case = factories.make_case(cast)
    clerk, nobody = Client(raise_request_exception=False), Client()
    clerk.force_login(cast.clerk)
    asked = [
        *[(clerk, address, 200) for address in ("/", "/queue/", f"/exceptions/{case.ref}/", "/search/?q=1", "/keys/")],
        *[(clerk, address, 200) for address in ("/api/v1/me", "/api/docs/", "/accounts/sessions/")],
        (clerk, "/nowhere/", 404),
        (clerk, "/admin/workbench/user/", 302),
        (nobody, "/accounts/login/", 200),
        (nobody, "/api/v1/me", 401),
        (nobody, "/hooks/nowhere/", 405),
        (nobody, "/livez", 200),
        (nobody, "/static/css/base.css", 200),
    ]
    answers = [(address, status, client.get(address)) for client, address, status in asked]
    settings.SECURE_SSL_REDIRECT, settings.ALLOWED_HOSTS = True, ["testserver"]
    answers.append(("/queue/", 301, Client().get("/queue/")))
    answers.append(
        ("/queue/", 400, Client(raise_request_exception=False).get("/queue/", headers={"host": "evil.test"}))
    )
    for address, status, answer in answers:
        headers = answer.headers
        assert answer.status_code == status, address
        assert set(headers["Content-Security-Policy"].split("; ")) == POLICY, address
        assert ("no-store" in headers.get("Cache-Control", "no-store")) == (not address.startswith("/static/")), address
        assert "Access-Control-Allow-Origin" not in headers, address
        if status in (301, 400):  # before anything is looked at
            continue
        assert [headers[name] for name in ("Referrer-Policy", "Cross-Origin-Opener-Policy")] == ["same-origin"] * 2
        assert headers["X-Content-Type-Options"] == "nosniff", address
        written, content = headers.get("Content-Type", "").replace('"', ""), answer.getvalue()
        assert "json" in written or written.endswith("; charset=utf-8") or content == b"", address


def test_program_that_asks_without_tls_is_refused_and_not_led_on(settings: LazySettings):
    settings.SECURE_SSL_REDIRECT = True
    for address in ("/api/v1/me", "/hooks/nowhere/"):
        answer = Client().post(address, {}, content_type="application/json")
        assert (answer.status_code, answer.headers["Content-Type"]) == (403, "application/problem+json"), address
        assert "HTTPS" in answer.json()["detail"]
        assert Client().post(address, {}, content_type="application/json", secure=True).status_code != 403
    led = Client().get("/queue/")
    assert (led.status_code, led.headers["Location"]) == (301, "https://testserver/queue/")


def test_nothing_of_the_disk_is_served_but_the_files_of_the_program(client: Client):
    wanted = ("/.git/config", "/static/", "/static/css/", "/static/../manage.py", "/static/%2e%2e/manage.py", "/var/",
              "/static//etc/passwd")  # fmt: skip
    assert [client.get(address).status_code for address in wanted] == [404] * len(wanted)


def test_trace_is_answered_nowhere(client: Client):
    """Not even by a page that looks at no method: what a browser sent is not sent back to it."""
    for address in ("/queue/", "/livez", "/api/v1/me", "/accounts/login/", "/static/css/base.css"):
        answer = client.trace(address, headers={"cookie": "a=secret"})
        assert (answer.status_code, b"secret" in answer.getvalue()) == (405, False), address


def test_signing_out_leaves_nothing_in_the_browser(cast: Cast, client: Client):
    client.force_login(cast.clerk)
    answer = client.post("/accounts/logout/")
    assert (answer.status_code, answer.headers["Clear-Site-Data"]) == (302, '"storage"')
    assert answer.cookies["sessionid"]["max-age"] == 0
