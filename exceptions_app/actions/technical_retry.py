"""What came in refused for a technical reason alone is sent again by a named policy, where its connection asks for it.

The same bytes, the same wall: a proposal and a decision of two accounts of the machine, bound to the same hash as those
of people, so that nothing leaves that nobody decided on. Never for a refusal that says something about the document,
never for what a person has touched, and no more often than the terms say.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, Q
from django.db.models.functions import Now

from exceptions_app.actions.correct import latest_version
from exceptions_app.actions.decide import approve_by_policy
from exceptions_app.actions.mover import lock
from exceptions_app.actions.propose import propose_by_policy
from exceptions_app.machines import POLICY, RETRY, machine
from exceptions_app.models import ExceptionCase, Proposal
from exceptions_app.states import Kind, State
from integrations.delivery.retries import Terms, of_policy
from integrations.models import Delivery, RetryPolicy
from integrations.refusals import Category

POLICY_VERSION = "retry/1"
MOST_AT_ONCE = 200
_NOT_BY_WAITING = ("auth",)  # technical too, but no time mends it
_SAID_NO = (Delivery.State.REFUSED, Delivery.State.CONFLICT)


def due() -> list[int]:
    """Exceptions that may be tried again, the longest untouched first: for the sweep. One query where none opted in."""
    opted_in = list(RetryPolicy.objects.filter(about=RetryPolicy.About.REFUSED).values_list("connection", flat=True))
    if not opted_in:
        return []
    rows = ExceptionCase.objects.filter(_CANDIDATES, connection__in=opted_in).exclude(sub__in=_NOT_BY_WAITING)
    return list(rows.order_by("changed_at", "pk").values_list("pk", flat=True)[:MOST_AT_ONCE])


_CANDIDATES = Q(kind=Kind.FAILED, category=Category.TRANSPORT, assignee=None, state__in=(State.NEW, State.IN_PROGRESS))


@transaction.atomic
def retry(case_id: int, *, at: datetime) -> bool:
    """Send it again when the policy of its connection says so now; True when it is on its way.

    Raises AlreadyUnderWay, with nothing written, while another delivery of the document is.
    """
    case = lock(case_id)
    terms = _terms_of(case)
    if terms is None or not _is_untouched(case):
        return False
    tried = Proposal.objects.filter(case=case, policy_version=POLICY_VERSION).count()
    if terms.tries is None or tried >= terms.tries or not _is_time(case, terms, tried=tried):
        return False
    because = f"{POLICY_VERSION}: refused for a technical reason alone; try {tried + 1} of {terms.tries}."
    proposal = propose_by_policy(case, policy_version=POLICY_VERSION, by=machine(RETRY), at=at, because=because)
    approve_by_policy(case, proposal, by=machine(POLICY), at=at, because=because)
    return True


def _terms_of(case: ExceptionCase) -> Terms | None:
    policy = RetryPolicy.objects.filter(connection=case.connection_id, about=RetryPolicy.About.REFUSED).first()
    return of_policy(policy) if policy is not None else None


def _is_untouched(case: ExceptionCase) -> bool:
    """Technical, and no person or target has said anything since; on the locked row."""
    candidates = ExceptionCase.objects.filter(_CANDIDATES, pk=case.pk).exclude(sub__in=_NOT_BY_WAITING)
    return (
        candidates.exists()
        and latest_version(case).number == 1
        and not Proposal.objects.filter(case=case).exclude(policy_version=POLICY_VERSION).exists()
        and not Delivery.objects.filter(subject=case.subject, state__in=_SAID_NO).exists()
    )


def _is_time(case: ExceptionCase, terms: Terms, *, tried: int) -> bool:
    """By the database's clock, from the last change and from the opening."""
    wait = terms.wait(tried, spread=(case.pk % 100) / 100)
    waited = ExceptionCase.objects.filter(pk=case.pk, changed_at__lte=Now() - wait)
    if terms.deadline is not None:
        ends_at = ExpressionWrapper(F("opened_at") + terms.deadline, output_field=DateTimeField())
        waited = waited.alias(ends_at=ends_at).filter(ends_at__gt=Now())
    return waited.exists()
