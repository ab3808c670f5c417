"""Messages as the API shows them: to who hands them in, and to who works on what they became."""

from collections.abc import Sequence

from django.contrib.auth.models import AbstractUser
from django.db.models import Exists, OuterRef, Q, QuerySet

from exceptions_app.models import ExceptionCase, Occurrence
from exceptions_app.models.case import REF_PREFIX
from exceptions_app.queries.connection_reach import ConnectionReach
from integrations.models import InboxMessage

Status = InboxMessage.Status

# A failure, or one that is being read again after it was one; before that nobody knows whose document it is.
WAS_A_FAILURE = Q(status__in=[Status.FAILED, Status.SET_ASIDE]) | Q(status=Status.PENDING, processed_at__isnull=False)


def messages_for(user: AbstractUser, reach: ConnectionReach) -> QuerySet[InboxMessage]:
    """All of a connection for who hands in or configures; for who works there, failures, what became visible, and
    batches of which nothing was refused.
    """
    became_visible = Occurrence.objects.filter(
        inbox_message=OuterRef("pk"), case__in=ExceptionCase.objects.visible_to(user).values("pk")
    )
    refused_nothing = Q(batch__isnull=False) & ~Exists(Occurrence.objects.filter(inbox_message=OuterRef("pk")))
    read = Q(status=Status.PROCESSED) & (Exists(became_visible) | refused_nothing)
    worked = Q(connection__in=reach.worked) & (WAS_A_FAILURE | read)
    return InboxMessage.objects.filter(Q(connection__in=reach.ingesting | reach.configured) | worked)


def refs_of(messages: Sequence[InboxMessage], user: AbstractUser, reach: ConnectionReach) -> dict[int, list[str]]:
    """Message → references of its exceptions; who did not hand it in is told those that they may see. One query."""
    refs: dict[int, list[str]] = {message.pk: [] for message in messages}
    handed_in = Q(inbox_message__connection__in=reach.ingesting)
    visible = Q(case__in=ExceptionCase.objects.visible_to(user).values("pk"))
    arrivals = Occurrence.objects.filter(handed_in | visible, inbox_message__in=refs).order_by("id")
    for message_id, case_id in arrivals.values_list("inbox_message_id", "case_id"):
        refs[message_id].append(f"{REF_PREFIX}{case_id}")
    return refs
