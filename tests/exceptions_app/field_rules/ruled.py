"""Field rules in force, as two people put them there."""

from datetime import timedelta
from typing import Any

from exceptions_app.actions.field_rules import Release, approve_field_rule, propose_field_end, propose_field_rule
from exceptions_app.models import FieldRule
from tests.cast import MORNING, Cast, person
from workbench.models import User

BEFORE = MORNING - timedelta(hours=1)
WHY = "The controller's list of January."


def second() -> User:
    found = User.objects.filter(username="adam").first()
    return found or person("adam", "Adam Administrator", is_staff=True)


def asked(position: int = 10, who: str = "nobody", **more: Any) -> Release:
    return Release(position=position, who="roles" if more.get("roles") else who, **more)


def in_force(cast: Cast, release: Release, **more: Any) -> FieldRule:
    rule = propose_field_rule(release, by=cast.administrator, at=BEFORE, because=WHY, **more)
    return approve_field_rule(rule.pk, by=second(), at=BEFORE, frozen_sha256=rule.frozen_sha256)


def ended(cast: Cast, rule: FieldRule) -> None:
    end = propose_field_end(rule.pk, by=cast.administrator, at=BEFORE, because="Gone.")
    approve_field_rule(end.pk, by=second(), at=BEFORE, frozen_sha256=end.frozen_sha256)
