"""A review of access by HTTP, from opening to closing."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils.timezone import now

from audit.models import AuditEvent
from exceptions_app.models import AccessReview
from tests.cast import Cast, person
from tests.exceptions_app.api.conftest import Api
from workbench.models import User

pytestmark = pytest.mark.django_db


def sent(client: Client, address: str, body: dict[str, Any]) -> Any:
    """As somebody signed in sends it, who has just proved who they are."""
    return client.post(f"/api/v1/{address}", body, content_type="application/json")


def test_round_from_opening_to_closing(cast: Cast, api: Callable[[User], Api], signed_in: Callable[[User], Client]):
    ada, abe = api(cast.administrator), api(person("abe", "Abe Administrator", is_staff=True))
    wanted = {"name": "Autumn", "scope": "all", "due_at": (now() + timedelta(days=7)).isoformat()}
    assert api(cast.auditor).post("access/reviews", wanted).status_code == 403
    assert ada.post("access/reviews", wanted | {"due_at": "2020-01-01T00:00:00Z"}).status_code == 422
    assert ada.post("access/reviews", wanted | {"scope": "queue:\x00"}).status_code in (400, 422)
    opened = ada.post("access/reviews", wanted).json()
    assert (opened["open"], opened["kept"], opened["opened_by"]["username"]) == (opened["count"], None, "ada")
    place = f"access/reviews/{opened['number']}"
    assert ada.get("access/reviews").json()["results"] == [opened]
    lines = ada.get(f"{place}/items", {"page_size": "200"}).json()["results"]
    assert [line["position"] for line in lines] == list(range(1, opened["count"] + 1))
    own = next(
        line["position"] for line in lines if line["kind"] == "workbench" and line["person"]["username"] == "ada"
    )
    clara = next(line for line in lines if line["kind"] == "role" and line["person"]["username"] == "clara")
    assert (clara["role"], clara["outcome"], clara["decided_by"]) == ("clerk", "open", None)
    assert ada.post(f"{place}/confirm", {"items": [own]}).status_code == 403
    assert ada.post(f"{place}/confirm", {"items": []}).status_code == 422
    assert ada.post(f"{place}/confirm", {"items": [9999]}).status_code == 422
    assert ada.post(f"{place}/items/9999/end", {"because": "x"}).status_code == 404
    assert ada.post(f"{place}/close", {}).status_code == 422
    ended = ada.post(f"{place}/items/{clara['position']}/end", {"because": "Works elsewhere."}).json()
    assert (ended["outcome"], ended["decided_by"]["username"], ended["because"]) == ("ended", "ada", "Works elsewhere.")
    assert not cast.clerk.groups.exists()
    assert ada.post(f"{place}/items/{clara['position']}/end", {"because": "Twice."}).status_code == 422
    rest = ada.get(f"{place}/items", {"outcome": "open", "page_size": "200"}).json()["results"]
    other = next(line["position"] for line in rest if line["kind"] == "workbench" and line["position"] != own)
    kept = [line["position"] for line in rest if line["position"] != other]
    # The rights of one person go by a token; those of several, of a role or of an administrator take a person.
    role = next(line["position"] for line in rest if line["person"] is None)
    for refused in (
        abe.post(f"{place}/confirm", {"items": kept}),
        abe.post(f"{place}/items/{role}/end", {"because": "No more."}),
        ada.post(f"{place}/confirm", {"items": [other]}),
        ada.post(f"{place}/cancel", {"because": "By a program."}),
    ):
        assert (refused.status_code, refused.json()["type"]) == (403, "/api/problems/#fresh-proof-needed")
    assert AuditEvent.objects.filter(action="person.refused", actor="abe").count() == 2
    second = signed_in(User.objects.get(username="abe"))
    assert sent(second, f"{place}/confirm", {"items": kept}).json() == {"kept": len(kept), "gone": 0}
    assert sent(signed_in(cast.administrator), f"{place}/confirm", {"items": [other]}).json() == {"kept": 1, "gone": 0}
    assert "close the review instead" in ada.post(f"{place}/cancel", {"because": "Late."}).json()["detail"]
    assert ada.get(f"{place}/items", {"outcome": "nonsense"}).status_code == 400
    closed = ada.post(f"{place}/close", {}).json()
    assert (closed["kept"], closed["ended"], closed["left"], closed["open"]) == (len(kept) + 1, 1, 0, 0)
    assert AccessReview.objects.get().closed_at is not None
    again = ada.post("access/reviews", wanted | {"scope": "role:clerk"}).json()
    one = ada.get(f"access/reviews/{again['number']}/items").json()["results"][0]["position"]
    assert ada.post(f"access/reviews/{again['number']}/confirm", {"items": [one]}).status_code == 200
    cancelled = sent(second, f"access/reviews/{again['number']}/cancel", {"because": "Not of that role."}).json()
    assert (cancelled["cancelled_because"], cancelled["kept"]) == ("Not of that role.", 1)
    assert (cancelled["open"], cancelled["closed_at"] is None) == (cancelled["count"] - 1, False)
    assert sent(second, f"access/reviews/{again['number']}/cancel", {"because": "Twice."}).status_code == 422
    for stranger in (cast.auditor, cast.outsider):
        assert api(stranger).get(place).status_code == 404
        assert api(stranger).get("access/reviews").status_code == 403
