"""Two causes that are one, and one that is two: what follows, who may say so, and that nothing is lost by it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils.timezone import now

from audit.models import AuditEvent
from audit.queries import timeline
from exceptions_app.actions.cause_joins import CausesChanged, frozen_split, join_causes, split_cause, take_back
from exceptions_app.actions.causes import OwnerChanged, note_cause, set_cause_owner
from exceptions_app.actions.mover import ChangedMeanwhile, Invalid
from exceptions_app.actions.open_case import _cause_of_repeat
from exceptions_app.models import Cause, CauseJoin, CauseNote, ExceptionCase, Pick, SavedView
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.cause_page import find_cause, notes_of, ownership_of, resolution_of
from exceptions_app.queries.causes import cause_page, owners_of
from exceptions_app.queries.reach import reach_of
from exceptions_app.queries.saved_views import counts_of
from tests import factories
from tests.cast import MORNING, Cast, make_cast
from tests.concurrency import at_the_same_time
from tests.exceptions_app.api.conftest import api
from tests.exceptions_app.api.test_problems import kind_of
from tests.exceptions_app.views.repair import text_of

__all__ = ["api"]
pytestmark = pytest.mark.django_db

WHY = "The same field in two releases."
NOON = MORNING + timedelta(hours=3)


def lines(cast: Cast, who: str = "clerk", **asked):
    found = cause_page(reach_of(getattr(cast, who)), at=NOON, **asked).rows
    return {line.cause.code: (line.open, dict(line.money), line.arrived, line.first_seen_at) for line in found}


@pytest.fixture
def three(cast: Cast) -> tuple[Cause, Cause, Cause]:
    """Each with an open exception; the first also with one that is closed."""
    causes = [factories.make_cause(code, f"{code} is missing.") for code in ("BR-03", "BR-05", "BR-07")]
    for number, cause in enumerate(causes, start=1):
        opened_at = MORNING - timedelta(minutes=number)
        factories.make_case(cast, cause=cause, amount=str(number), opened_at=opened_at)
    factories.dismiss(factories.make_case(cast, cause=causes[0]), cast.clerk, approver=cast.controller)
    first, second, third = causes
    return first, second, third


def join(cause: Cause, into: Cause, by, *, because: str = WHY) -> CauseJoin:
    return join_causes(cause.pk, into=into.ref, because=because, by=by, at=NOON)


def test_joined_causes_are_told_of_as_one_and_taken_back_as_they_were(cast: Cast, three):
    first, second, third = three
    before, reach = lines(cast), reach_of(cast.clerk)
    note_cause(first.pk, text="Of the first.", by=cast.clerk, at=MORNING)
    note_cause(second.pk, text="Of the second.", by=cast.clerk, at=MORNING)
    old = set_cause_owner(second.pk, person=None, team="Old team", seen=0, by=cast.clerk, at=MORNING)
    set_cause_owner(first.pk, person=None, team="New team", seen=0, by=cast.clerk, at=MORNING)
    view = SavedView.objects.create(
        owner=cast.clerk, name="It", query=f"cause={second.pk}", created_at=MORNING, changed_at=MORNING
    )  # fmt: skip

    join(first, second, cast.clerk)
    assert lines(cast)["BR-05"] == (2, {"EUR": Decimal(3)}, 3, MORNING - timedelta(minutes=2))
    assert set(lines(cast)) == {"BR-05", "BR-07"}
    assert set(lines(cast, search="BR-03")) == {"BR-05"}  # by what one of them is called
    assert find_cause(reach, first.ref, at=NOON).cause == second
    second.refresh_from_db()
    assert [note.text for note in notes_of(second)] == ["Of the second.", "Of the first."]
    assert str(ownership_of(second)[0]) == "New team"
    assert str(owners_of([second])[second.pk]) == "New team"
    assert resolution_of(second, reach).number == 1
    assert counts_of([view], cast.clerk, reach)[view.pk].value == 2
    # What arrives with the fingerprint of the first is of the second now, by itself.
    factories.make_case(cast, cause=first, amount="10", opened_at=NOON)
    assert lines(cast)["BR-05"][:2] == (3, {"EUR": Decimal(13)})
    event = AuditEvent.objects.get(action="cause.joined")
    assert (event.subject, event.scope, event.because) == (first.subject, "configuration", WHY)
    assert event.data["with"] == second.ref

    # The second goes on to the third, and the first with it; then back again, step by step.
    join(second, third, cast.second_clerk)
    assert lines(cast)["BR-07"][:2] == (4, {"EUR": Decimal(16)})
    assert find_cause(reach, first.ref, at=NOON).cause == third
    take_back(second.pk, because="They differ after all.", by=cast.clerk, at=NOON)
    assert {code: found[0] for code, found in lines(cast).items()} == {"BR-05": 3, "BR-07": 1}
    take_back(first.pk, because="They differ after all.", by=cast.clerk, at=NOON)
    ExceptionCase.objects.filter(opened_at=NOON).update(opened_at=NOON)
    after = lines(cast)
    assert {code: after[code][0] for code in after} == {"BR-03": 2, "BR-05": 1, "BR-07": 1}
    assert {code: after[code] for code in ("BR-05", "BR-07")} == {code: before[code] for code in ("BR-05", "BR-07")}
    second.refresh_from_db()
    assert [note.text for note in notes_of(second)] == ["Of the second."]
    assert ownership_of(second) == [old]
    assert CauseJoin.objects.count() == 4
    connection.check_constraints()


def test_owner_of_joined_causes_is_changed_by_who_saw_the_one_that_holds(cast: Cast, three):
    first, second, _ = three
    given: dict[str, Any] = {"person": None, "by": cast.clerk, "at": NOON}
    set_cause_owner(second.pk, team="Old team", seen=0, **given)
    holds = set_cause_owner(first.pk, team="New team", seen=0, **given)
    join(first, second, cast.clerk)
    second.refresh_from_db()
    assert ownership_of(second)[0] == holds
    with pytest.raises(Invalid, match="this owner already: New team"):
        set_cause_owner(second.pk, team="New team", seen=holds.pk, **given)
    with pytest.raises(OwnerChanged, match="New team"):
        set_cause_owner(second.pk, team="Third team", seen=0, **given)
    said = set_cause_owner(second.pk, team="Third team", seen=holds.pk, **given)
    assert ownership_of(second)[0] == said


def test_what_makes_no_sense_or_is_not_theirs_is_refused(cast: Cast, three):
    first, second, third = three
    german = factories.make_case(cast, entity=cast.germany, cause=factories.make_cause("DE-1", "German.")).cause
    bank = Cause.objects.create(
        fingerprint="bank", connector="iso20022", code="AC01", title="Account.", first_seen_at=MORNING
    )
    factories.make_case(cast, cause=bank)
    for into in (first.ref, "CA-0", "EX-1", "", "second", bank.ref):
        with pytest.raises(Invalid) as refused:
            join_causes(first.pk, into=into, because=WHY, by=cast.clerk, at=NOON)
        assert refused.value.field == "into"
    for because in ("", "  ", "x" * 501):
        with pytest.raises(Invalid) as refused:
            join(first, second, cast.clerk, because=because)
        assert refused.value.field == "because"
    with pytest.raises(Invalid, match="no such cause"):  # as one that does not exist
        join(first, german, cast.local_clerk)
    for who in (cast.support, cast.controller, cast.outsider, cast.administrator):
        with pytest.raises(NotPermitted):
            join(first, second, who)
    with pytest.raises(CausesChanged, match="stands by itself"):
        take_back(first.pk, because=WHY, by=cast.clerk, at=NOON)
    join(first, second, cast.clerk)
    for cause, into in ((first, second), (first, third)):
        with pytest.raises(CausesChanged, match="already"):
            join(cause, into, cast.clerk)
    with pytest.raises(Invalid, match="or one with it"):  # which would be a ring
        join(second, first, cast.clerk)
    with pytest.raises(NotPermitted):
        take_back(first.pk, because=WHY, by=cast.support, at=NOON)
    assert CauseJoin.objects.count() == 1


@transaction.atomic
def at_once(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.check_constraints()


def test_database_holds_that_no_head_has_a_head_and_that_nothing_said_changes(cast: Cast, three):
    first, second, third = three
    join(first, second, cast.clerk)
    for statement in (
        f"UPDATE exceptions_app_cause SET head_id = {third.pk} WHERE id = {second.pk}",  # noqa: S608
        f"UPDATE exceptions_app_cause SET head_id = {first.pk} WHERE id = {third.pk}",  # noqa: S608
        f"UPDATE exceptions_app_cause SET head_id = id WHERE id = {third.pk}",  # noqa: S608
        f"UPDATE exceptions_app_cause SET title = 'x' WHERE id = {third.pk}",  # noqa: S608 - without an event
        "UPDATE exceptions_app_causejoin SET because = 'x'",
        "DELETE FROM exceptions_app_causejoin",
    ):
        with pytest.raises(IntegrityError):
            at_once(statement)


def test_exceptions_are_taken_out_into_a_cause_of_their_own(cast: Cast, three):
    first, second, _ = three
    case = ExceptionCase.objects.open().get(cause=first)
    closed = ExceptionCase.objects.get(cause=first, state="dismissed")
    other = ExceptionCase.objects.get(cause=second)
    given: dict[str, Any] = {
        "title": "Dates of the cash desk",
        "because": "Another team's.",
        "by": cast.clerk,
        "at": NOON,
    }
    for numbers, more, field in (
        ([], {}, "exceptions"), ([case.pk], {"title": " "}, "title"), ([case.pk], {"because": ""}, "because"),
        ([case.pk, 0], {}, "exceptions"), (range(501), {}, "exceptions"),
    ):  # fmt: skip
        with pytest.raises(Invalid) as refused:
            split_cause(first.pk, numbers, **given | more)
        assert refused.value.field == field
    with pytest.raises(CausesChanged):
        split_cause(first.pk, [case.pk], **given, frozen_sha256=frozen_split([closed.pk]))
    with pytest.raises(ChangedMeanwhile, match="another cause"), transaction.atomic():
        split_cause(first.pk, [case.pk, other.pk], **given)
    with pytest.raises(NotPermitted):
        split_cause(first.pk, [case.pk], **given | {"by": cast.support})
    assert Cause.objects.filter(split_from__isnull=False).count() == 0

    own = split_cause(first.pk, [closed.pk, case.pk], **given)
    assert (own.split_from, own.code, own.title) == (first, "BR-03", "Dates of the cash desk")
    case.refresh_from_db()
    assert (case.cause, case.revision) == (own, 1)  # nothing that a colleague looks at has changed
    last = timeline(case.subject)[-1]
    assert (last.action, last.because, last.data["was"]) == ("case.cause_changed", "Another team's.", first.ref)
    assert {event.subject for event in AuditEvent.objects.filter(action="cause.split")} == {first.subject, own.subject}
    assert CauseNote.objects.get(cause=own).text == f"Taken out of {first.ref}: Another team's."
    assert find_cause(reach_of(cast.clerk), first.ref, at=NOON) is None
    # The same reason again stays where it was put; another one moves on, as ever.
    assert _cause_of_repeat(case, first) == own
    assert _cause_of_repeat(case, second) == second
    # Also what was taken out twice, and what came in with one of two that were joined.
    again = split_cause(own.pk, [case.pk], **given)
    case.refresh_from_db()
    assert _cause_of_repeat(case, first) == again
    join(own, second, cast.clerk)
    assert lines(cast)["BR-05"][0] == 1
    connection.check_constraints()


def test_what_is_taken_out_of_joined_causes_keeps_its_code_and_stays_out(cast: Cast, three):
    first, second, third = three
    case, other = (ExceptionCase.objects.open().get(cause=cause) for cause in (first, second))
    join(first, second, cast.clerk)
    given: dict[str, Any] = {"title": "Of the cash desk", "because": "Another team's.", "by": cast.clerk, "at": NOON}
    with pytest.raises(Invalid, match="several error codes: BR-03, BR-05") as refused:
        split_cause(second.pk, [case.pk, other.pk], **given)
    assert refused.value.field == "exceptions"
    own = split_cause(second.pk, [case.pk], **given)
    assert (own.code, own.split_from) == ("BR-03", first)
    case.refresh_from_db()
    join(second, third, cast.clerk)
    first.refresh_from_db()
    assert (first.head, _cause_of_repeat(case, first)) == (third, own)
    take_back(first.pk, because="They differ.", by=cast.clerk, at=NOON)
    case, first = ExceptionCase.objects.get(pk=case.pk), Cause.objects.get(pk=first.pk)
    assert (first.head, _cause_of_repeat(case, first)) == (None, own)
    assert _cause_of_repeat(case, Cause.objects.get(pk=second.pk)).pk == second.pk


def test_page_shows_what_moves_before_it_moves_and_leads_on(cast: Cast, signed_in):
    first, second = (factories.make_cause(code, f"{code} is missing.") for code in ("BR-03", "BR-05"))
    cases = [factories.make_case(cast, cause=cause, opened_at=now()) for cause in (first, first, second)]
    client, url = signed_in(cast.clerk), f"/causes/{first.ref}/"
    page = client.get(url).content.decode()
    assert f'<option value="{second.ref}">BR-05 · BR-05 is missing.</option>' in page
    shown = text_of(client.get(f"{url}?into={second.ref.lower()}").content.decode())
    assert f"{first.ref} becomes one with {second.ref}" in shown
    assert "2 open exceptions 2,500.00 EUR" in shown
    assert "3,750.00 EUR" in shown
    assert "There is no such cause" in text_of(client.get(f"{url}?into=CA-0").content.decode())
    refused = client.post(f"{url}join/", {"into": second.ref, "because": " "})
    assert refused.status_code == 422
    assert "Say why" in text_of(refused.content.decode())
    done = client.post(f"{url}join/", {"into": second.ref, "because": WHY}, follow=True)
    assert done.redirect_chain == [(f"/causes/{second.ref}/", 302)]
    assert f"{first.ref} is one with {second.ref} now." in text_of(done.content.decode())
    assert client.get(url).headers["Location"] == f"/causes/{second.ref}/"
    found = client.get(f"/queue/?cause={first.pk}")
    assert {row.case for row in found.context["rows"]} == set(cases)
    # From a page of before, which joins nothing else than it spoke of.
    third = factories.make_case(cast, cause=factories.make_cause("BR-07", "BR-07"), opened_at=now()).cause
    for into in (second, third):
        late = client.post(f"{url}join/", {"into": into.ref, "because": WHY})
        assert late.status_code == 409
        assert f"{first.ref} is one with" in text_of(late.content.decode())
    assert CauseJoin.objects.count() == 1

    back = text_of(client.get(f"/causes/{second.ref}/?take_back={first.ref}").content.decode())
    assert f"Take {first.ref} back" in back
    assert "2 exceptions Of them open 2 2,500.00 EUR" in back
    assert client.post(f"{url}take_back/", {"because": ""}).status_code == 422
    assert client.post(f"{url}take_back/", {"because": "They differ."}).headers["Location"] == url
    assert client.post(f"{url}take_back/", {"because": "They differ."}).status_code == 409

    assert "Tick exceptions in its list" in client.get(url).content.decode()
    nothing = client.post(f"{url}split/", {"title": "Of the desk", "because": "Theirs.", "frozen_sha256": "0" * 64})
    unknown = client.post(f"{url}join/", {"into": "CA-0", "because": "The same field."})
    for refused, typed in ((nothing, ('value="Of the desk"', "Theirs.</textarea>")), (unknown, ("same field.</text",))):
        assert refused.status_code == 422
        assert all(words in refused.content.decode() for words in typed)
    assert "Tick exceptions in its list" in nothing.content.decode()
    Pick.objects.create(person=cast.clerk, case=cases[0], picked_at=NOON)
    ticked = client.get(url)
    frozen = ticked.context["forms"]["one_or_two"]["split"]["form"].initial["frozen_sha256"]
    sent = {"title": "Of the cash desk", "because": "Another team's.", "frozen_sha256": frozen}
    assert client.post(f"{url}split/", {**sent, "frozen_sha256": "0" * 64}).status_code == 409
    assert client.post(f"{url}split/", {**sent, "title": ""}).status_code == 422
    assert client.post(f"{url}split/", sent).status_code == 302
    own = Cause.objects.get(split_from=first)
    assert list(own.cases.all()) == [cases[0]]
    assert f"taken out of {first.ref}" in text_of(client.get(f"/causes/{own.ref}/").content.decode())
    looking = signed_in(cast.support)
    assert "One cause or two" not in looking.get(url).content.decode()
    assert looking.post(f"{url}join/", {"into": second.ref, "because": WHY}).status_code == 403
    assert signed_in(cast.outsider).post(f"{url}join/", {"into": second.ref, "because": WHY}).status_code == 404


def test_api_joins_takes_back_and_takes_out(cast: Cast, three, api: Any):
    first, second, third = three
    account, because = api(cast.clerk), {"because": WHY}
    joined = account.post(f"causes/{first.ref}/join", {"into": second.ref, **because}).json()
    assert (joined["ref"], joined["joined"], joined["open"]) == (second.ref, [first.ref], 2)
    assert kind_of(account.post(f"causes/{first.ref}/join", {"into": third.ref, **because})) == (
        409,
        "changed-meanwhile",
    )
    assert account.post(f"causes/{second.ref}/join", {"into": first.ref, **because}).status_code == 422
    cases = ExceptionCase.objects.open().filter(cause__in=[first, second])
    out = {"exceptions": [case.ref for case in cases], "title": "Of the cash desk", **because}
    assert kind_of(account.post(f"causes/{second.ref}/split", out))[0] == 422  # of two codes
    own = account.post(f"causes/{second.ref}/split", {**out, "exceptions": [cases.get(cause=first).ref]}).json()
    assert (own["code"], own["split_from"], own["open"]) == ("BR-03", first.ref, 1)
    back = account.post(f"causes/{first.ref}/take-back", because).json()
    assert (back["ref"], back["joined"], back["open"]) == (first.ref, [], 0)
    assert api(cast.support).post(f"causes/{first.ref}/take-back", because).status_code == 403
    assert api(cast.outsider).post(f"causes/{first.ref}/take-back", because).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_two_who_join_at_the_same_time_make_no_ring():
    cast = make_cast()
    first, second = (factories.make_case(cast, cause=factories.make_cause(code, code)).cause for code in "AB")
    outcomes = at_the_same_time(
        [lambda: join(first, second, cast.clerk), lambda: join(second, first, cast.second_clerk)]
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["CauseJoin", "Invalid"]
    assert Cause.objects.filter(head__isnull=False).count() == CauseJoin.objects.count() == 1
