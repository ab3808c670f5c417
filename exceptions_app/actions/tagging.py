"""Tags: words that people put on exceptions to find them again. They decide nothing and change nothing else."""

from collections.abc import Collection
from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from exceptions_app import policies
from exceptions_app.actions.mover import Invalid, lock, move
from exceptions_app.models import ExceptionCase
from exceptions_app.states import Action
from exceptions_app.tags import NotATag, changed, tag_of
from exceptions_app.wording import say

NOTHING_TO_TAG = say("Write a tag to put on, or choose one to take off.")


@transaction.atomic
def tag(
    case_id: int,
    *,
    add: Collection[str] = (),
    remove: Collection[str] = (),
    by: AbstractUser,
    at: datetime,
    because: str = "",
    revision: int | None = None,
) -> ExceptionCase:
    """Put tags on an exception and take others off. Raises Invalid when that would change nothing."""
    case = lock(case_id, revision=revision)
    policies.require(Action.TAG, case, by)
    put_on, taken_off = _tags("add", add), _tags("remove", remove)
    if put_on & taken_off:
        raise Invalid("add", say("“{min}” is both put on and taken off. Choose one.", min=min(put_on & taken_off)))
    try:
        wanted = changed(case.tags, add=put_on, remove=taken_off)
    except NotATag as error:
        raise Invalid("add", str(error)) from error
    added, removed = sorted(set(wanted) - set(case.tags)), sorted(set(case.tags) - set(wanted))
    if not added and not removed:
        raise Invalid("add", _unchanged(case, put_on, taken_off))
    return move(
        case,
        Action.TAG,
        by=by,
        at=at,
        because=because,
        summary=f"{by} {_in_words(case, added, removed)}.",
        data={"added": added, "removed": removed},
        tags=list(wanted),
    )


def _tags(field: str, texts: Collection[str]) -> frozenset[str]:
    try:
        return frozenset(tag_of(text) for text in texts)
    except NotATag as error:
        raise Invalid(field, str(error)) from error


def _unchanged(case: ExceptionCase, put_on: Collection[str], taken_off: Collection[str]) -> str:
    if put_on:
        return f"{case.ref} is tagged {', '.join(sorted(put_on))} already."
    if taken_off:
        return f"{case.ref} does not have {', '.join(sorted(taken_off))}."
    return NOTHING_TO_TAG


def _in_words(case: ExceptionCase, added: list[str], removed: list[str]) -> str:
    """“tagged EX-7 vat and took off audit”"""
    off = f"took off {', '.join(removed)}"
    if not added:
        return f"{off} from {case.ref}"
    return f"tagged {case.ref} {', '.join(added)}" + (f" and {off}" if removed else "")
