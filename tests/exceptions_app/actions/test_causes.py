"""Notes on a cause and its owner: written by whoever works on its exceptions, kept for ever."""

import pytest
from django.db import IntegrityError, transaction

from audit.models import AuditEvent
from exceptions_app.actions.causes import LONGEST_NOTE, OwnerChanged, note_cause, set_cause_owner
from exceptions_app.actions.mover import Invalid
from exceptions_app.models import CauseNote, CauseOwner
from exceptions_app.policies import NotPermitted
from tests import factories
from tests.cast import MORNING


@pytest.fixture
def cause(cast):
    return factories.make_case(cast).cause


def owned(cause, by, *, person=None, team="", seen=0, because=""):
    return set_cause_owner(cause.pk, person=person, team=team, seen=seen, by=by, at=MORNING, because=because)


def test_note_is_kept_with_who_and_when_and_its_words_stay_out_of_the_trail(cast, cause):
    note = note_cause(cause.pk, text="  Billing sends no date since release 12. ", by=cast.clerk, at=MORNING)
    assert (note.text, note.author, note.written_at) == (
        "Billing sends no date since release 12.", cast.clerk, MORNING
    )  # fmt: skip
    event = AuditEvent.objects.get(action="cause.noted")
    assert (event.subject, event.scope, event.actor) == (cause.subject, "configuration", "clara")
    assert "Billing" not in str(event.data)


@pytest.mark.parametrize("text", ["", "   ", "x" * (LONGEST_NOTE + 1)])
def test_note_that_says_nothing_or_too_much_is_refused(cast, cause, text):
    with pytest.raises(Invalid, match="note") as refused:
        note_cause(cause.pk, text=text, by=cast.clerk, at=MORNING)
    assert refused.value.field == "text"
    assert not CauseNote.objects.exists()


def test_note_and_owner_are_for_whoever_works_on_its_exceptions(cast, cause):
    for who in (cast.outsider, cast.administrator, cast.support):
        with pytest.raises(NotPermitted):
            note_cause(cause.pk, text="Mine.", by=who, at=MORNING)
    note_cause(cause.pk, text="Decided so in March.", by=cast.controller, at=MORNING)
    with pytest.raises(NotPermitted, match="work on exceptions"):
        owned(cause, cast.controller, team="Billing")


def test_note_needs_an_exception_within_reach(cast):
    german = factories.make_case(cast, entity=cast.germany).cause
    with pytest.raises(NotPermitted):
        note_cause(german.pk, text="Seen elsewhere.", by=cast.local_clerk, at=MORNING)


def test_owner_is_a_person_or_a_team_and_the_newest_holds(cast, cause):
    first = owned(cause, cast.clerk, team="Billing master data", because="Their field.")
    second = owned(cause, cast.second_clerk, person=cast.controller, seen=first.pk)
    third = owned(cause, cast.clerk, seen=second.pk)
    assert [str(owner) for owner in (first, second, third)] == ["Billing master data", str(cast.controller), ""]
    events = AuditEvent.objects.filter(action="cause.owner_set").order_by("id")
    assert [(event.data["person"], event.data["team"], event.because) for event in events] == [
        ("", "Billing master data", "Their field."), ("conrad", "", ""), ("", "", "")
    ]  # fmt: skip


def test_owner_that_is_two_or_the_same_is_refused(cast, cause):
    with pytest.raises(Invalid, match="not both"):
        owned(cause, cast.clerk, person=cast.controller, team="Billing")
    with pytest.raises(Invalid, match="no owner"):
        owned(cause, cast.clerk)
    first = owned(cause, cast.clerk, team="Billing")
    with pytest.raises(Invalid, match="already"):
        owned(cause, cast.clerk, team="Billing ", seen=first.pk)


def test_team_that_is_called_like_a_person_is_another_owner(cast, cause):
    first = owned(cause, cast.clerk, person=cast.controller)
    second = owned(cause, cast.clerk, team=str(cast.controller), seen=first.pk)
    assert (second.person, second.team) == (None, str(cast.controller))


def test_owner_set_by_somebody_else_meanwhile_is_not_overwritten(cast, cause):
    owned(cause, cast.clerk, team="Billing")
    with pytest.raises(OwnerChanged, match="Billing"):
        owned(cause, cast.second_clerk, team="Sales")
    assert CauseOwner.objects.count() == 1


@pytest.mark.parametrize("model", [CauseNote, CauseOwner])
def test_database_refuses_to_change_or_take_away_what_was_written(cast, cause, model):
    note_cause(cause.pk, text="A note.", by=cast.clerk, at=MORNING)
    owned(cause, cast.clerk, team="Billing")
    for write in (lambda: model.objects.update(cause=cause), lambda: model.objects.all().delete()):
        with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
            write()


@pytest.mark.django_db(transaction=True)
def test_database_refuses_a_note_without_its_event(cast):
    cause = factories.make_case(cast).cause
    with pytest.raises(IntegrityError, match="no audit event about cause:CA-"), transaction.atomic():
        CauseNote.objects.create(cause=cause, author=cast.clerk, text="Secretly.", written_at=MORNING)
