"""What a person has typed and not yet saved. It changes nothing about the exception; only its author sees it."""

from collections.abc import Collection, Mapping
from datetime import datetime
from enum import Enum, auto

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from exceptions_app import policies
from exceptions_app.models import Draft, ExceptionCase, PayloadVersion
from exceptions_app.states import Action


class Kept(Enum):
    FOR_THE_LATEST = auto()
    FOR_AN_OLDER = auto()
    """For a version that is no longer the latest: the person compares it when they save."""
    NOT = auto()
    """The same person has a draft of a newer version, which an older page does not replace."""


@transaction.atomic
def save_draft(
    case_id: int,
    *,
    by: AbstractUser,
    at: datetime,
    base_version: int,
    typed: Mapping[str, str],
    without: Collection[str] = (),
) -> Kept:
    """Keep what is typed, beside what was kept before.

    Kept as well when a colleague has the exception by now, or when it is closed: whoever began to type may still want
    the words. Of the names in `without` nothing is kept, whatever was. Raises policies.NotPermitted for those who
    could not correct it in any state.
    """
    case = ExceptionCase.objects.select_related("queue", "entity", "assignee").get(pk=case_id)
    policies.require_verb(Action.CORRECT, case, by)
    latest = PayloadVersion.objects.filter(case=case).order_by("-number").values_list("number", flat=True)[0]
    base_version = min(base_version, latest)
    draft, created = Draft.objects.select_for_update().get_or_create(
        case=case, author_id=by.pk, defaults={"base_version": base_version, "typed": dict(typed), "saved_at": at}
    )
    if not created and draft.base_version > base_version:
        return Kept.NOT
    if not created:
        before = draft.typed if draft.base_version == base_version else {}
        draft.typed = {name: text for name, text in {**before, **typed}.items() if name not in without}
        draft.base_version = base_version
        draft.saved_at = at
        draft.save(update_fields=["typed", "base_version", "saved_at"])
    return Kept.FOR_THE_LATEST if latest == base_version else Kept.FOR_AN_OLDER


def discard_draft(case_id: int, *, by: AbstractUser) -> None:
    """Throw one's own draft away."""
    Draft.objects.filter(case=case_id, author_id=by.pk).delete()
