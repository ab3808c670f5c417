"""Somebody more with access, and a round more in which it is reviewed."""

from datetime import timedelta

from django.utils.timezone import now

from exceptions_app.actions.access_review import open_review
from exceptions_app.models import AccessReview
from exceptions_app.states import Verb
from tests.cast import Cast, grant, person


def granted_and_reviewed(cast: Cast, number: int) -> AccessReview:
    grant(person(f"grantee{number}", f"Grantee {number}"), [Verb.SEE], cast.holds)
    return open_review(
        f"Round {number}", scope="queue:policy-holds", due_at=now() + timedelta(days=1), by=cast.administrator, at=now()
    )
