"""Somebody more with access, a round more in which it is reviewed, and a rule more of who approves."""

from datetime import timedelta
from decimal import Decimal

from django.utils.timezone import now

from exceptions_app.actions.access_review import open_review
from exceptions_app.actions.approval_rules import Asked, propose_rule
from exceptions_app.models import AccessReview
from exceptions_app.states import Verb
from tests.cast import MORNING, Cast, grant, person


def granted_and_reviewed(cast: Cast, number: int) -> AccessReview:
    grant(person(f"grantee{number}", f"Grantee {number}"), [Verb.SEE], cast.holds)
    return open_review(
        f"Round {number}", scope="queue:policy-holds", due_at=now() + timedelta(days=1), by=cast.administrator, at=now()
    )


def ruled(cast: Cast, number: int) -> None:
    asked = Asked(above=Decimal(number), currency="EUR", approvers=2, entity=cast.netherlands)
    propose_rule(asked, by=cast.administrator, at=MORNING, because="The group's policy.")
