"""The demonstration has an emergency that was reviewed, and field rules: one in force, and one that waits."""

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.utils.timezone import now

from audit.models import AuditEvent
from exceptions_app.emergency_marks import emergency_of
from exceptions_app.models import Comment, Emergency, FieldRule, LegalEntityUserGrant, QueueUserGrant
from exceptions_app.queries.reach import own_reach_of
from exceptions_app.states import Verb


@pytest.mark.django_db
def test_emergency_and_field_rules_of_the_demonstration():
    call_command("seed_demo")

    taken = Emergency.objects.select_related("person", "reviewed_by").get()
    standby = get_user_model().objects.get(username="standby")
    assert (taken.person, str(taken.reviewed_by.username), taken.verdict) == (standby, "controller", "justified")
    assert taken.ended_at is not None
    assert taken.reviewed_at is not None
    assert taken.began_at < taken.ended_at < taken.reviewed_at < now()
    assert emergency_of(standby, at=now()) == ""
    assert not QueueUserGrant.objects.filter(user=standby).exists()
    assert not LegalEntityUserGrant.objects.filter(user=standby).exists()
    assert own_reach_of(standby).verbs_at(taken.queue_id, taken.entity_id) == {Verb.EMERGENCY}
    said = Comment.objects.get(author=standby)
    [event] = AuditEvent.objects.filter(subject=said.case.subject, action="case.commented", actor="standby")
    assert event.data["emergency"] == taken.ref

    rules = [(rule.position, rule.state, rule.object_type, rule.part, rule.field) for rule in FieldRule.objects.all()]
    assert sorted(rules) == [
        (10, "in_force", "payment", "Payer", ""),
        (20, "proposed", "journal", "", "Company code"),
    ]
