"""Legal holds: what one of those who may configure says is not to be erased, until another says that it may be."""

from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from audit import log
from exceptions_app.actions.connections import SCOPE
from exceptions_app.actions.decide import ApprovalNoLongerHolds
from exceptions_app.actions.decided_meanwhile import refused_in_words
from exceptions_app.actions.erasures import refuse_name_in
from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.retention import require_keeper
from exceptions_app.duties import kept_from_keeping
from exceptions_app.facts import fold
from exceptions_app.models import ExceptionCase, LegalEntity, LegalHold
from exceptions_app.policies import NotPermitted
from exceptions_app.wording import say


@transaction.atomic
def place_hold(
    *,
    by: AbstractUser,
    at: datetime,
    because: str,
    case: ExceptionCase | None = None,
    entity: LegalEntity | None = None,
    counterparty: str = "",
) -> LegalHold:
    """Keep from being erased what is named: one of the three. Who erases at this moment is waited for."""
    require_keeper(by)
    counterparty = counterparty.strip()
    if sum((case is not None, entity is not None, bool(counterparty))) != 1:
        raise Invalid("what", say("Name one exception, one legal entity or one counterparty."))
    folded = fold(counterparty)[:300]
    if counterparty and not folded:
        raise Invalid("what", say("Write the name or a number of the counterparty."))
    if not because.strip():
        raise Invalid("because", say("Say why; whoever lifts it will read it, and the auditor."))
    refuse_name_in(because, folded)
    hold = LegalHold.objects.create(
        case=case, entity=entity, counterparty=counterparty[:200], folded=folded, because=because.strip()[:500],
        placed_by_id=by.pk, placed_at=at,
    )  # fmt: skip
    _record("hold.placed", hold, f"{by} placed {hold.words_of_event}.", by=by, at=at, because=hold.because)
    return hold


@transaction.atomic
def lift_hold(hold_id: int, *, by: AbstractUser, at: datetime, because: str) -> LegalHold:
    """Let go what somebody else placed a hold on. Raises NotPermitted for who placed it."""
    require_keeper(by)
    hold = LegalHold.objects.select_for_update(of=("self",), no_key=True).select_related("entity").get(pk=hold_id)
    if not because.strip():
        raise Invalid("because", say("Say why it may be erased again; the auditor reads it."))
    if hold.lifted_at is not None:
        raise ApprovalNoLongerHolds(say("Somebody was faster: {ref} is lifted.", ref=hold.ref))
    if hold.placed_by_id == by.pk:
        raise NotPermitted(say("You placed this hold; someone else must lift it."))
    if kept := kept_from_keeping(by, hold):
        raise NotPermitted(kept)
    refuse_name_in(because, hold.folded)
    hold.lifted_by_id, hold.lifted_at, hold.lifted_because = by.pk, at, because.strip()[:500]
    with refused_in_words():
        hold.save(update_fields=["lifted_by", "lifted_at", "lifted_because"])
    _record("hold.lifted", hold, f"{by} lifted {hold.words_of_event}.", by=by, at=at, because=hold.lifted_because)
    return hold


def _record(name: str, hold: LegalHold, words: str, *, by: AbstractUser, at: datetime, because: str) -> None:
    data = {
        "hold": hold.ref,
        "exception": hold.case.ref if hold.case else "",
        "entity": hold.entity.code if hold.entity else "",
        "is_counterparty": bool(hold.counterparty),
    }
    log.record(
        name, subject=hold.subject, scope=SCOPE, actor=by.get_username(), at=at, summary=words, because=because,
        data=data,
    )  # fmt: skip
