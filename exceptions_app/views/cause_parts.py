"""The part of a cause's page where two are said to be one, and one to be two; each is shown before it is done."""

from collections.abc import Mapping
from typing import Any

from django.forms import Form
from django.http import HttpRequest
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext

from exceptions_app.actions.cause_joins import MOST_SPLIT, frozen_split
from exceptions_app.models import Cause
from exceptions_app.models.case import ExceptionCaseQuerySet
from exceptions_app.queries import cause_joins as reads
from exceptions_app.queries.cause_page import find_cause
from exceptions_app.queries.causes import CauseLine
from exceptions_app.queries.picks import picked_cases
from exceptions_app.queries.reach import cases_within
from exceptions_app.views.cause_forms import IntoForm, JoinForm, SplitForm, TakeBackForm
from exceptions_app.views.scope import person, reach_for
from exceptions_app.wording import say, shown

JOIN, TAKE_BACK, SPLIT = "join", "take_back", "split"


def ticked_of(request: HttpRequest, cause: Cause) -> ExceptionCaseQuerySet:
    """The exceptions of a cause that the person has ticked in the lists."""
    found: ExceptionCaseQuerySet = picked_cases(person(request), reach_for(request)).filter(
        cause__in=Cause.objects.one_with(cause).values("pk")
    )
    return found


def one_or_two(
    request: HttpRequest, line: CauseLine, *, bound: Mapping[str, Form], typed: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """For who may say it. `bound` are forms with errors, `typed` values to begin with."""
    found = line.cause
    asked = request.GET.get("into") or typed[JOIN].get("into", "") or _sent(bound.get(JOIN), "into")
    offered = reads.others_like(found, reach_for(request))
    return {
        "ask": IntoForm(initial={"into": asked}, offered=offered, auto_id="ask-%s"),
        "joined": line.joined,
        JOIN: _joining(request, line, asked, bound=bound.get(JOIN), typed=typed[JOIN]) if asked else None,
        TAKE_BACK: _taking_back(request, line, bound=bound.get(TAKE_BACK)),
        SPLIT: _splitting(request, found, bound=bound.get(SPLIT), typed=typed[SPLIT]),
    }


def _sent(form: Form | None, name: str) -> str:
    return str(form.data.get(name, "")) if form is not None else ""


def _joining(
    request: HttpRequest, line: CauseLine, asked: str, *, bound: Form | None, typed: Mapping[str, str]
) -> dict[str, Any]:
    url = reverse("exceptions:cause_join", args=[line.cause.ref])
    form = bound or (JoinForm(initial={**typed, "into": asked}, auto_id="join-%s") if typed else None)
    other = find_cause(reach_for(request), asked.strip().upper(), at=now())
    if other is None or other.cause.pk == line.cause.pk or other.cause.connector != line.cause.connector:
        why = gettext("There is no such cause of this kind of connection beside this one.")
        told = say("“{asked}”: {why} Write its number, such as CA-12.", asked=asked[:60], why=why)
        return {"problem": shown(told), "form": form, "url": url}
    money = {**line.money}
    for currency, amount in other.money.items():
        money[currency] = money.get(currency, 0) + amount
    return {
        "other": other,
        "open": line.open + other.open,
        "money": dict(sorted(money.items())),
        "first_seen_at": min(line.first_seen_at, other.first_seen_at),
        "last_seen_at": max(line.last_seen_at, other.last_seen_at),
        "form": form or JoinForm(initial={"into": other.cause.ref}, auto_id="join-%s"),
        "url": url,
    }


def _taking_back(request: HttpRequest, line: CauseLine, *, bound: Form | None) -> dict[str, Any] | None:
    asked = request.GET.get("take_back", "") or getattr(bound, "ref", "")
    member = next((cause for cause in line.joined if cause.ref == asked), None)
    if member is None:
        return None
    cases = cases_within(reach_for(request)).filter(cause__in=reads.going_with(member))
    return {
        "member": member,
        "moving": reads.moving(cases),
        "form": bound or TakeBackForm(ref=member.ref, auto_id="take-back-%s"),
        "url": reverse("exceptions:cause_take_back", args=[member.ref]),
    }


def _splitting(request: HttpRequest, found: Cause, *, bound: Form | None, typed: Mapping[str, str]) -> dict[str, Any]:
    """Without ticked exceptions only for who has typed something: it is lost otherwise."""
    numbers = list(ticked_of(request, found).order_by("pk").values_list("pk", flat=True)[: MOST_SPLIT + 1])
    if not (numbers or bound or typed):
        return {"moving": None}
    cases: ExceptionCaseQuerySet = cases_within(reach_for(request)).filter(pk__in=numbers)
    start = {**typed, "frozen_sha256": frozen_split(numbers)}
    return {
        "moving": reads.moving(cases) if numbers else None,
        "form": bound or SplitForm(initial=start, auto_id="split-%s"),
        "url": reverse("exceptions:cause_split", args=[found.ref]),
        "is_open": bool(bound or typed),
        "most": MOST_SPLIT,
    }
