"""The pages of a review of access: opened, decided line by line, closed; and what is refused keeps what was typed."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.timezone import localdate, now

from exceptions_app.actions.grants import remove_from_role
from exceptions_app.models import AccessReview, AccessReviewItem
from tests.cast import Cast, person
from workbench.models import User

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
LIST = "/access/reviews/"


def test_round_from_opening_to_closing_by_its_pages(cast: Cast, signed_in: SignIn):
    person("abe", "Abe Administrator", is_staff=True)
    ada, abe = signed_in(cast.administrator), signed_in(User.objects.get(username="abe"))
    until = localdate() + timedelta(days=14)
    wrong = ada.post(f"{LIST}open/", {"name": "Autumn", "until": "1999-01-01", "scope": "all"})
    assert (wrong.status_code, AccessReview.objects.count()) == (422, 0)
    assert b"Choose a time that is to come" in wrong.content
    assert b'value="Autumn"' in wrong.content
    assert ada.post(f"{LIST}open/", {"name": "x", "until": "9999-12-31", "scope": "all"}).status_code == 422
    assert ada.post(f"{LIST}open/", {"name": "x", "until": until, "scope": "queue:\x00"}).status_code == 422
    made = ada.post(f"{LIST}open/", {"name": "Autumn", "until": until, "scope": "all"})
    review = AccessReview.objects.get()
    page = f"{LIST}{review.pk}/"
    assert (made.status_code, made["Location"]) == (302, page)
    assert review.due_at - now() > timedelta(days=14) - timedelta(days=1)
    # Own lines cannot be ticked; those of others can, with what is granted otherwise by now.
    remove_from_role("auditor", cast.auditor, by=cast.administrator, at=now())
    shown = ada.get(page).content.decode()
    lines = {(item.holder, item.kind, item.place): item.position for item in review.items.select_related("person")}
    own, lars = lines["person:ada", "workbench", ""], lines["person:lars", "queue", "e-invoicing"]
    anna, clara = lines["person:anna", "role", ""], lines["person:clara", "role", ""]
    assert shown.count("Your own; another administrator decides") == 1
    assert f'id="keep-{own}"' not in shown
    assert f'id="keep-{lars}"' in shown
    assert shown.count("It is not granted any more.") == 1
    assert "Role clerk, everywhere" in shown
    # What is refused says why, and keeps what was typed.
    assert ada.post(f"{page}confirm/", {"item": [own, lars]}).status_code == 403
    assert b"Choose at least one line" in ada.post(f"{page}confirm/", {"item": ["x", "9" * 30]}).content
    refused = ada.post(f"{page}end/", {"item": clara, "because": " "})
    assert refused.status_code == 422
    assert f'href="#end-{clara}-because"' in refused.content.decode()
    long = ada.post(f"{page}end/", {"item": clara, "because": "long " * 200})
    assert (long.status_code, b"long long" in long.content) == (422, True)
    assert ada.post(f"{page}close/").status_code == 422
    assert not AccessReviewItem.objects.exclude(outcome="").exists()
    # Decided, by two.
    assert ada.post(f"{page}confirm/", {"item": [lars, anna]})["Location"] == page
    assert b"1 confirmed. 1 were gone already." in ada.get(page).content
    assert ada.post(f"{page}end/", {"item": clara, "because": "Works elsewhere."}).status_code == 302
    assert not cast.clerk.groups.exists()
    assert b"is decided already" in abe.post(f"{page}end/", {"item": clara, "because": "Twice."}).content
    decided = ada.get(page, {"show": "decided"}).content.decode()
    assert (decided.count("<tr>"), "Works elsewhere." in decided) == (4, True)
    rest = review.items.filter(outcome="").exclude(position=lines["person:abe", "workbench", ""])
    assert abe.post(f"{page}confirm/", {"item": list(rest.values_list("position", flat=True))}).status_code == 302
    assert ada.post(f"{page}confirm/", {"item": lines["person:abe", "workbench", ""]}).status_code == 302
    assert b"Close the review" in ada.get(page).content
    assert ada.post(f"{page}close/").status_code == 302
    review.refresh_from_db()
    assert review.closed_at is not None
    assert b"1 ended, 1 gone before" in ada.get(page).content
    assert b"1 ended, 1 gone" in ada.get(LIST).content
    assert ada.post(f"{page}confirm/", {"item": lars}).status_code == 422
    # Nobody else finds it, and a place in the list that is not known is the first page.
    for stranger in (cast.auditor, cast.controller, cast.outsider):
        assert signed_in(stranger).get(page).status_code == 404
        assert signed_in(stranger).get(LIST).status_code == 403
    for address in (LIST, page):
        assert b"this is the first page" in ada.get(address, {"after": "nowhere"}).content
    assert reverse("exceptions:access_reviews").encode() in ada.get("/access/").content
