"""The page of retention: policies by two people, legal holds that another one lifts, what the API says of them."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db import connection as database
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from audit.queries import timeline
from exceptions_app.actions.retention import Asked, propose_policy
from exceptions_app.models import LegalHold, RetentionDecision, RetentionPolicy
from exceptions_app.models.retention import RecordClass
from tests import factories
from tests.cast import Cast, person
from tests.concurrency import at_the_same_time
from tests.exceptions_app.api.conftest import Api, api
from workbench.models import User

__all__ = ["api"]
pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
TYPED = {"record_class": "documents", "entity": "NL01", "days": "3650", "because": "The law of the country."}
HELD = {"case": "", "entity": "", "counterparty": "", "because": "A claim."}


@pytest.mark.django_db(transaction=True)
def test_of_two_who_propose_at_once_the_second_is_told_at_the_field(cast: Cast, signed_in: SignIn):
    """There is no row yet for which one of them could wait, so the database refuses the second."""
    adam = signed_in(person("adam", "Adam Administrator", is_staff=True))
    first, second = threading.Event(), threading.Event()

    def propose() -> None:
        with transaction.atomic():
            asked = Asked(record_class=RecordClass.DOCUMENTS, days=365, entity=cast.netherlands)
            propose_policy(asked, by=cast.administrator, at=now(), because="The law.")
            first.set()
            second.wait(0.5)  # which waits for this to be committed

    def propose_as_well() -> Any:
        assert first.wait(60)
        try:
            return adam.post(reverse("exceptions:retention_propose"), TYPED)
        finally:
            second.set()

    _, answer = at_the_same_time([propose, propose_as_well])
    policy = RetentionPolicy.objects.get()
    assert answer.status_code == 422
    words = f"{policy.ref} is proposed for it already. It is decided or withdrawn first."
    assert answer.context["form"].errors == {"record_class": [words]}
    assert answer.context["form"]["days"].value() == "3650"


def test_policy_is_proposed_by_one_and_decided_on_by_another(
    cast: Cast, signed_in: Callable[[User], Client], api: Callable[[User], Api]
):
    adam = person("adam", "Adam Administrator", is_staff=True)
    page, new, move = (reverse(f"exceptions:retention{name}") for name in ("", "_propose", "_move"))
    ada = signed_in(cast.administrator)
    for wrong in ({"days": "29"}, {"days": "many"}, {"record_class": "cars"}, {"entity": "XX"}, {"because": ""}):
        refused = ada.post(new, TYPED | wrong)
        assert (refused.status_code, RetentionPolicy.objects.count()) == (422, 0), wrong
        assert set(refused.context["form"].errors) == set(wrong)
        assert refused.context["form"]["days"].value() == (TYPED | wrong)["days"]
    assert ada.post(new, TYPED).status_code == 302
    assert ada.post(new, TYPED | {"days": "31"}).status_code == 422  # one waits already
    policy = RetentionPolicy.objects.get()
    sent = {"policy": policy.pk, "frozen_sha256": policy.frozen_sha256, "because": ""}
    for who, wanted, status in (
        (cast.controller, {"move": "approve"}, 403),
        (cast.administrator, {"move": "approve"}, 403),
        (adam, {"move": "reject"}, 422),
        (adam, {"move": "withdraw"}, 403),
        (adam, {"move": "end", "because": "Gone."}, 422),
        (adam, {"move": "approve", "frozen_sha256": "0" * 64}, 409),
        (adam, {"move": "approve", "policy": 987_654_321}, 422),
        (adam, {"move": "approve"}, 302),
        (adam, {"move": "approve"}, 409),
    ):
        assert signed_in(who).post(move, sent | wanted).status_code == status, (who, wanted)
    assert [event.action for event in timeline(policy.subject)] == ["retention.proposed", "retention.approved"]
    assert ada.post(new, TYPED).status_code == 422  # it says so already
    assert ada.post(new, TYPED | {"days": "3000"}).status_code == 302
    shorter = RetentionPolicy.objects.get(days=3000)
    agreed = {"policy": shorter.pk, "frozen_sha256": shorter.frozen_sha256, "move": "approve", "because": ""}
    assert signed_in(adam).post(move, agreed).status_code == 302
    policy.refresh_from_db()
    assert (policy.state, shorter.replaces) == ("ended", policy)
    shown = signed_in(cast.controller).get(page)
    assert ([one.row for one in shown.context["in_force"]], shown.context["form"]) == ([shorter], None)
    assert "documents and comments in NL01: 3000 days after the end" in shown.content.decode()
    listed = api(cast.controller).get("retention-policies").json()["results"]
    assert [(row["ref"], row["state"]) for row in listed] == [(shorter.ref, "in_force"), (policy.ref, "ended")]
    assert api(cast.outsider).get("retention-policies").json()["results"] == []


def test_hold_is_placed_on_one_thing_and_lifted_by_another(
    cast: Cast, signed_in: Callable[[User], Client], api: Callable[[User], Api]
):
    adam, case = person("adam", "Adam Administrator", is_staff=True), factories.make_case(cast)
    page, place, lift = (reverse(f"exceptions:{name}") for name in ("retention", "hold_place", "hold_lift"))
    ada = signed_in(cast.administrator)
    for wrong in (
        {}, {"case": "EX-987654321"}, {"case": case.ref, "entity": "NL01"}, {"counterparty": "--"},
        {"case": case.ref, "because": " "},
    ):  # fmt: skip
        assert (ada.post(place, HELD | wrong).status_code, LegalHold.objects.count()) == (422, 0), wrong
    for named in ({"case": case.ref}, {"entity": "DE01"}, {"counterparty": "Van Loon Koeltechniek"}):
        assert ada.post(place, HELD | named).status_code == 302
    told = str(ada.get(page).content.decode())
    assert "No exception has this name or number so far" in told
    assert told.count("so far") == 1, "of what is named by its number everybody knows what it is"
    on_case, on_entity, on_party = LegalHold.objects.order_by("id")
    assert "Van Loon" not in str([event.summary for event in timeline(on_party.subject)])
    refused = [
        (cast.controller, {"hold": on_case.pk, "because": "Over."}, 403),
        (cast.administrator, {"hold": on_case.pk, "because": "Over."}, 403),
        (adam, {"hold": on_case.pk, "because": ""}, 422),
        (adam, {"hold": 987_654_321, "because": "Over."}, 422),
        (adam, {"hold": on_case.pk, "because": "Over."}, 302),
        (adam, {"hold": on_case.pk, "because": "Over."}, 409),
    ]
    for who, typed, status in refused:
        assert signed_in(who).post(lift, typed).status_code == status, (who, typed)
    on_case.refresh_from_db()
    assert (on_case.lifted_by, on_case.lifted_because) == (adam, "Over.")
    assert [event.action for event in timeline(on_case.subject)] == ["hold.placed", "hold.lifted"]
    shown = ada.get(page)
    assert [(one.row, one.form) for one in shown.context["holds"]] == [(on_party, None), (on_entity, None)]
    assert [one.form is not None for one in signed_in(adam).get(page).context["holds"]] == [True, True]
    seen = {who: api(who).get("legal-holds").json()["results"] for who in (cast.auditor, adam, cast.controller)}
    assert [row["ref"] for row in seen[cast.auditor]] == [on_entity.ref, on_case.ref]
    assert [len(seen[adam]), seen[cast.controller]] == [3, []]
    assert "at law" not in signed_in(cast.controller).get(page).content.decode()


def test_database_refuses_what_one_alone_does(cast: Cast):
    asked = Asked(record_class=RecordClass.FILES, days=30)
    policy = propose_policy(asked, by=cast.administrator, at=now(), because="Order.")
    hold = LegalHold(counterparty="X", folded="X", because="Y", placed_by=cast.administrator, placed_at=now())
    hold.save()
    said = {"verdict": "approved", "frozen_sha256": policy.frozen_sha256, "decided_at": now()}
    for words, statement in (
        ("begins as a proposal", lambda: RetentionPolicy.objects.create(
            state="in_force", record_class="files", days=30, proposer=cast.clerk, because="x", proposed_at=now(),
        )),
        ("nobody agreed", lambda: RetentionPolicy.objects.update(state="in_force")),
        ("days is never changed", lambda: RetentionPolicy.objects.update(days=31)),
        ("retention_days", lambda: propose_directly(cast, days=29)),
        ("no second person", lambda: RetentionDecision.objects.create(
            policy=policy, decider=cast.administrator, **said
        )),
        ("no second person", lambda: RetentionDecision.objects.create(policy=policy, decider=cast.controller, **said)),
        ("no second person", lambda: LegalHold.objects.update(
            lifted_by=cast.administrator, lifted_at=now(), lifted_because="Over."
        )),
        ("never changed", lambda: LegalHold.objects.update(folded="Z")),
        ("never deleted", lambda: LegalHold.objects.all().delete()),
        ("legal_hold_on_one_thing", lambda: LegalHold.objects.create(
            because="Y", placed_by=cast.clerk, placed_at=now()
        )),
    ):  # fmt: skip
        with pytest.raises(IntegrityError, match=words), transaction.atomic():
            statement()
    adam = person("adam", "Adam Administrator", is_staff=True)
    LegalHold.objects.update(lifted_by=adam, lifted_at=now(), lifted_because="Over.")
    with pytest.raises(IntegrityError, match="stays so"), transaction.atomic():
        LegalHold.objects.update(lifted_because="Still.")
    with database.cursor() as cursor, pytest.raises(IntegrityError, match="no audit event about hold"):
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def propose_directly(cast: Cast, *, days: int) -> RetentionPolicy:
    return RetentionPolicy.objects.create(
        record_class="documents", days=days, proposer=cast.clerk, because="x", proposed_at=now(), frozen_sha256="x"
    )
