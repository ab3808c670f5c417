"""Refusals and failures are pages that say what to do and carry the reference of the request."""

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client, RequestFactory
from django.urls import reverse

from exceptions_app.policies import NotPermitted
from exceptions_app.views import errors

REFERENCE = "0123456789abcdef"
WHY = "You may not do that here."


@pytest.fixture
def request_with_id(rf: RequestFactory):
    return rf.get("/somewhere/", REQUEST_ID=REFERENCE)


def test_bad_request_and_server_error_need_nothing_but_the_reference(request_with_id):
    """No database is allowed in this test: what failed may be what a page usually needs."""
    bad = errors.handler400(request_with_id, ValueError("secret detail"))
    broken = errors.handler500(request_with_id)
    stale = errors.csrf_failure(request_with_id, reason="secret detail")
    assert [answer.status_code for answer in (bad, broken, stale)] == [400, 500, 403]
    for answer in (bad, broken):
        assert REFERENCE in answer.content.decode()
    for answer in (bad, broken, stale):
        assert "secret detail" not in answer.content.decode()


def test_not_found_names_the_request(cast, signed_in):
    response = signed_in(cast.clerk).get("/no-such-page/", headers={"X-Request-ID": REFERENCE})
    assert response.status_code == 404
    assert response.headers["X-Request-ID"] == REFERENCE
    assert REFERENCE in response.content.decode()
    assert "Nothing to see at this address" in response.content.decode()


@pytest.mark.parametrize("refusal", [NotPermitted(WHY), PermissionDenied(WHY)])
def test_refusal_shows_its_reason(cast, request_with_id, refusal):
    request_with_id.user = cast.clerk
    answer = errors.handler403(request_with_id, refusal)
    assert answer.status_code == 403
    for words in (WHY, REFERENCE):
        assert words in answer.content.decode()


def test_form_without_token_is_refused_with_a_page(cast):
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.clerk)
    response = client.post(reverse("exceptions:connection_resume", args=["tax-authority"]))
    assert response.status_code == 403
    assert "This form can no longer be sent" in response.content.decode()
    assert response.headers["X-Request-ID"] in response.content.decode()


def test_form_that_is_too_large_is_refused_with_how_much_it_may_hold(cast, signed_in, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 2048  # bytes
    address = reverse("exceptions:connection_pause", args=["tax-authority"])
    response = signed_in(cast.clerk).post(address, {"because": "x" * 3000})
    page = response.content.decode()
    assert response.status_code == 413
    for words in ("What you sent is too large", "2.0\xa0KB", response.headers["X-Request-ID"]):
        assert words in page
