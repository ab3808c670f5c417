"""Each refused attempt leaves one event: who, what, of what, why and by which way. Nobody fills the log by asking.

That every address does is seen in `test_access_matrix`; here is what stands in the event, and how many there are.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.timezone import now

from audit.models import AuditEvent
from exceptions_app.actions.grants import remove_from_role
from exceptions_app.actions.refused import MOST_A_MINUTE, Refused, record_refused, tell_left_out
from exceptions_app.actions.work import hold
from exceptions_app.bulk_states import BulkKind
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import ExceptionCase, RefusedMinute
from exceptions_app.policies import NotPermitted
from exceptions_app.tasks import tell_refused
from tests import factories
from tests.cast import MORNING, Cast
from tests.concurrency import at_the_same_time
from tests.exceptions_app.api.conftest import Api, api
from tests.exceptions_app.bulk_runs.runs import carry_on, start
from workbench.models import User

__all__ = ["api"]
pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]
NOT_HERE = "Nothing that they may see is at this address."
WHY = {"because": "A reason."}
IBAN = "NL91ABNA0417164300"


def events(user: User) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(actor=user.username, action="person.refused").order_by("id"))


def told(user: User) -> tuple[Any, ...]:
    """The only event of one person, in short."""
    [event] = events(user)
    data = event.data
    return data["via"], data["what"], data["about"], data.get("status"), event.scope


def test_what_is_told_of_a_refusal_by_each_way(cast: Cast, signed_in: SignIn, api: Callable[[User], Api]):
    case = factories.make_case(cast, document_number="INV-SECRET-1")
    factories.make_proposal(case, cast.clerk)
    shown = {"frozen_sha256": case.proposals.get().frozen_sha256}
    here, anywhere = "NL01/e-invoicing", "configuration"
    page, name = signed_in, lambda move: reverse(f"exceptions:{move}", args=[case.ref])
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(cast.auditor)
    many = {
        "action": "claim",
        "items": [{"ref": ref, "if_match": "*"} for ref in (case.ref, "EX-999999")],
    }
    support, clerk, outsider = cast.support, cast.clerk, cast.outsider
    tried: list[tuple[User, Callable[[], Any], tuple[Any, ...], str]] = [
        # A page, a fragment and an address of the API, for want of the verb.
        (support, lambda: page(support).post(name("assign")),
         ("page", "POST exceptions:assign", case.ref, 403, here), "You may not work on exceptions in E-invoicing"),
        (support, lambda: page(support).post(name("claim"), headers={"hx-request": "true"}),
         ("page", "POST exceptions:claim", case.ref, 403, here), "You may not work on exceptions in E-invoicing"),
        (support, lambda: api(support).post(f"exceptions/{case.ref}/claim", if_match="*"),
         ("API", "POST api:claim", case.ref, 403, here), "You may not work on exceptions in E-invoicing"),
        (outsider, lambda: page(outsider).get(reverse("exceptions:audit")),
         ("page", "GET exceptions:audit", "", 403, anywhere), "You may"),
        # By their own hand in it.
        (clerk, lambda: page(clerk).post(name("approve"), {**shown, "agreed": "on"}),
         ("page", "POST exceptions:approve", case.ref, 403, here), "You proposed this; someone else must decide."),
        (clerk, lambda: api(clerk).post(f"exceptions/{case.ref}/approve", shown),
         ("API", "POST api:approve", case.ref, 403, here), "You proposed this; someone else must decide."),
        # Out of their scope: as it was asked for, and nothing of what is there.
        (outsider, lambda: page(outsider).get(name("case").lower()),
         ("page", "GET exceptions:case", case.ref.lower(), 404, anywhere), NOT_HERE),
        (outsider, lambda: page(outsider).get(reverse("exceptions:status", args=["EX-999999"])),
         ("page", "GET exceptions:status", "EX-999999", 404, anywhere), NOT_HERE),
        (outsider, lambda: api(outsider).post(f"exceptions/{case.ref}/approve", shown),
         ("API", "POST api:approve", case.ref, 404, anywhere), NOT_HERE),
        # A form that was made elsewhere, and the same of the API.
        (cast.auditor, lambda: strict.post(name("comment"), {"text": "Forged."}),
         ("page", "POST exceptions:comment", case.ref, 403, anywhere), "It came without the token of the page"),
        (cast.auditor, lambda: strict.post(f"/api/v1/exceptions/{case.ref}/comment", "{}", "application/json"),
         ("API", "POST api:comment", case.ref, 403, anywhere), "CSRF Failed"),
    ]  # fmt: skip
    for who, attempt, expected, because in tried:
        with transaction.atomic():
            attempt()
            assert told(who) == expected
            assert events(who)[0].data["reason"].startswith(because)
            assert "INV-SECRET-1" not in bytes(events(who)[0].body).decode()
            assert events(who)[0].correlation_id
            attempt()
            # Refused twice; what is only read again is counted.
            assert len(events(who)) == (1 if expected[1].startswith("GET ") else 2)
            transaction.set_rollback(True)
    # Two things of one request, each refused for another reason.
    answer = api(support).post("exceptions/bulk", many)
    assert [one["status"] for one in answer.json()["outcomes"]] == [403, 404]
    assert [(event.data["what"], event.data["about"], event.scope) for event in events(support)] == [
        ("POST api:bulk claim", case.ref, here), ("POST api:bulk claim", "EX-999999", anywhere),
    ]  # fmt: skip
    assert {event.correlation_id for event in events(support)} == {answer["X-Request-ID"]}
    assert [event.data["token"] for event in events(support)] == ["test 0", "test 0"]


def test_nothing_is_told_of_what_is_allowed_and_it_costs_nothing(cast: Cast, signed_in: SignIn):
    case = factories.make_case(cast)
    before = AuditEvent.objects.count()
    with CaptureQueriesContext(database) as asked:
        assert signed_in(cast.clerk).get(reverse("exceptions:case", args=[case.ref])).status_code == 200
        assert Client().get(reverse("exceptions:case", args=["EX-1"])).status_code == 302
        assert Client().get("/nowhere/").status_code == signed_in(cast.clerk).get("/nowhere/").status_code == 404
    said = [query["sql"] for query in asked]
    assert len(said) > 10
    assert [one for one in said if "refusedminute" in one or 'INSERT INTO "audit_event"' in one] == []
    assert (AuditEvent.objects.count(), RefusedMinute.objects.count()) == (before, 0)


def test_what_was_typed_into_an_address_is_cut_and_masked(cast: Cast, signed_in: SignIn):
    browser = signed_in(cast.outsider)
    for written in ("EX-" + "9" * 5_000, f"{IBAN}", "a\x00b\nc"):
        assert browser.get(reverse("exceptions:case", args=[written])).status_code in (400, 404)
    kept = [event.data["about"] for event in events(cast.outsider)]
    assert (len(kept[0]), kept[0][-1]) == (80, "…")
    assert IBAN not in "".join(bytes(event.body).decode() for event in events(cast.outsider))
    assert kept[2:] == ["a b c"]


def test_refusals_of_a_command_and_of_a_worker(cast: Cast):
    with pytest.raises(CommandError, match="is no administrator"):
        call_command("grant_role", "support", "--to", "otto", "--by", "cem", "--because", "I want it.")
    assert told(cast.second_clerk) == ("command", "command grant_role", "", None, "configuration")
    assert not cast.outsider.groups.exists()
    case = factories.make_case(cast)
    run = start([case], by=cast.clerk, kind=BulkKind.COMMENT)
    remove_from_role("clerk", cast.clerk, by=machine(SETUP), at=now())
    carry_on(run)
    assert told(cast.clerk) == ("task", "bulk run comment", f"{run.ref} {case.ref}", None, "NL01/e-invoicing")


def test_the_rest_of_a_minute_is_counted_and_told_when_it_is_over(cast: Cast, signed_in: SignIn):
    browser, address = signed_in(cast.outsider), reverse("exceptions:case", args=["EX-1"])
    at = now().replace(second=5)
    others = [
        Refused(what="GET exceptions:case", via="page", reason=NOT_HERE, about=f"EX-9{number}")
        for number in range(MOST_A_MINUTE + 1)
    ]
    attempt = others[-1]
    record_refused(others[: MOST_A_MINUTE - 1], by=cast.outsider, at=at)
    more = [*others[MOST_A_MINUTE - 1 :], Refused(what="POST exceptions:approve", via="page", reason="No.")]
    record_refused(more, by=cast.outsider, at=at)
    assert len(events(cast.outsider)) == MOST_A_MINUTE
    assert browser.get(address).status_code == 404
    record_refused([attempt], by=cast.support, at=at)
    assert len(events(cast.support)) == 1, "others are not counted with them"
    assert tell_left_out(at=at + timedelta(minutes=1)) == 0, "a request of that minute may still be under way"
    minute = RefusedMinute.objects.get(person=cast.outsider, minute=at.replace(second=0, microsecond=0))
    with pytest.raises(IntegrityError, match="what was counted stays counted"), transaction.atomic():
        RefusedMinute.objects.filter(pk=minute.pk).update(beyond=0)
    assert tell_left_out(at=at + timedelta(minutes=4)) >= 2
    [counted] = AuditEvent.objects.filter(action="person.refused_more")
    assert (counted.actor, counted.subject, counted.scope) == ("otto", "person:otto", "configuration")
    assert counted.data["what"]["POST exceptions:approve"] == 1
    assert counted.data["count"] == sum(counted.data["what"].values())
    database.check_constraints()
    tell_refused()
    assert AuditEvent.objects.filter(action="person.refused_more").count() == 1
    assert not RefusedMinute.objects.exists()


def test_same_again_is_counted_and_something_else_is_told(cast: Cast):
    """As of a page that was left open and asks every few seconds for what its reader may not see any more."""
    at = now().replace(second=5)
    asked = Refused(what="GET exceptions:status", via="page", reason=NOT_HERE, about="EX-1")
    for seconds in (0, 2, 4):
        record_refused([asked], by=cast.outsider, at=at + timedelta(seconds=seconds))
    record_refused([replace(asked, about="EX-2")], by=cast.outsider, at=at)
    assert sorted(event.data["about"] for event in events(cast.outsider)) == ["EX-1", "EX-2"]
    assert RefusedMinute.objects.get(person=cast.outsider).left_out == {"GET exceptions:status": 2}
    record_refused([asked], by=cast.outsider, at=at + timedelta(minutes=11))
    assert len(events(cast.outsider)) == 3


def test_event_outlives_what_was_undone(cast: Cast, signed_in: SignIn):
    """The action and all that it wrote is undone by its refusal; the event comes after it."""
    case = factories.make_case(cast)
    with pytest.raises(NotPermitted):
        hold(case.pk, by=cast.support, at=MORNING, waiting_for="An answer.")
    assert not events(cast.support)
    signed_in(cast.support).post(
        reverse("exceptions:hold", args=[case.ref]), {"waiting_for": "An answer.", "revision": 1}
    )
    assert len(events(cast.support)) == 1
    assert ExceptionCase.objects.get(pk=case.pk).revision == case.revision


def test_it_stays_refused_when_the_event_cannot_be_written(
    cast: Cast, signed_in: SignIn, caplog: pytest.LogCaptureFixture
):
    browser = signed_in(cast.outsider)
    with transaction.atomic():
        with database.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
        assert browser.get(reverse("exceptions:case", args=["EX-1"])).status_code == 404
        transaction.set_rollback(True)
    assert "otto was refused without an event" in caplog.text
    assert "GET exceptions:case" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_refusals_at_the_same_time_are_all_counted(new_cast: Callable[[], Cast]):
    cast, at = new_cast(), now()
    attempt = Refused(what="POST exceptions:claim", via="page", reason=NOT_HERE)
    calls = [lambda: record_refused([attempt] * 5, by=cast.outsider, at=at)] * 8
    assert at_the_same_time(calls) == [None] * 8
    minute = RefusedMinute.objects.get()
    assert (minute.told, minute.beyond, minute.left_out) == (30, 10, {"POST exceptions:claim": 10})
    assert len(events(cast.outsider)) == 30
    with pytest.raises(IntegrityError, match="no audit event about person:otto"):
        minute.delete()
    assert tell_left_out(at=at + timedelta(minutes=3)) == 1
