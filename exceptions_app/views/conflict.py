"""Two people corrected the same exception: theirs beside mine, field by field, and the choice is the person's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

from django.contrib.auth.models import AbstractUser
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext

from exceptions_app import policies
from exceptions_app.actions.correct import business_changes
from exceptions_app.form_names import field_name
from exceptions_app.forms import CorrectionForm, RawForm, choice_name, full_name
from exceptions_app.models import ExceptionCase, PayloadVersion
from exceptions_app.notation import as_written, stands
from exceptions_app.queries.case_page import content_of, read_case_page
from exceptions_app.states import Action
from exceptions_app.typed_values import one_line_ending
from exceptions_app.veiling import has_own_words
from exceptions_app.views.case_context import record_of
from exceptions_app.views.changes import for_the_table
from exceptions_app.views.replies import fragment_or_page
from exceptions_app.views.scope import person, visible_case
from exceptions_app.wording import shown
from integrations.records.record import Record, RecordField, label_with_term

MOST_SAVED = 5
MOST_LABELS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One field that I typed in. `theirs_changed` when a colleague changed it as well, to something else."""

    name: str
    choice_name: str
    label: str
    base: str
    theirs: str
    mine: str
    theirs_changed: bool
    is_gone: bool  # the colleague's version has no such place any more


def show_conflict(
    request: HttpRequest,
    case: ExceptionCase,
    typed: Mapping[str, str],
    *,
    base_version: int,
    status: int = 409,
    kept: bool = True,
) -> HttpResponse:
    """What was typed for an old version, beside the latest one; sending it saves on top of the latest.

    `kept` says whether it is the person's draft; it is not when they have one of a newer version.
    """
    has_own_words(request, typed.values())
    page = read_case_page(visible_case(request, case.ref), person(request))
    base = content_of(case, base_version)
    base_record = record_of(page, bytes(base.content)) if base is not None else None
    latest_record = record_of(page, page.latest_content)
    ruling = policies.may(Action.CORRECT, page.case, page.standing)
    context: dict[str, Any] = {
        "case": page.case,
        "page": page,
        "url": reverse("exceptions:case", kwargs={"ref": case.ref}),
        "correct_url": reverse("exceptions:correct", kwargs={"ref": case.ref}),
        "discard_url": reverse("exceptions:discard", kwargs={"ref": case.ref}),
        "draft_url": reverse("exceptions:draft", kwargs={"ref": case.ref}),
        "saved": _saved_since(case, base_version),
        "now": now(),
        "why_not": ruling.reason,
        "may_take_over": policies.may(Action.ASSIGN, page.case, page.standing).allowed,
        "assign_url": reverse("exceptions:assign", kwargs={"ref": case.ref}),
        "base_version": base_version,
        "kept": kept,
        "because": typed.get("because", ""),
    }
    if "payload" in typed or base_record is None or latest_record is None:
        initial = {"payload": typed.get("payload", ""), "because": context["because"]}
        context["raw_form"] = RawForm(initial={**initial, "base_version": page.latest.number}, auto_id="correct-%s")
        context["theirs"] = _theirs(base_record, latest_record, set())
    else:
        choices = _choices(base_record, latest_record, typed)
        context["choices"] = choices
        context["theirs"] = _theirs(base_record, latest_record, {choice.name for choice in choices})
        context["form"] = CorrectionForm(
            record=latest_record, typed=typed, initial={"base_version": page.latest.number}, auto_id="correct-%s"
        )
    return fragment_or_page(request, "case_conflict", context, status=status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A version that somebody saved meanwhile, with the names of the fields that it changed."""

    number: int
    who: str
    at: datetime
    because: str
    labels: Sequence[str]
    further: int


def _saved_since(case: ExceptionCase, base_version: int) -> list[Saved]:
    """The newest first."""
    later = PayloadVersion.objects.filter(case=case, number__gt=base_version).select_related("author")
    return [_saved(version) for version in later.defer("content", "operations").order_by("-number")[:MOST_SAVED]]


def _saved(version: PayloadVersion) -> Saved:
    labels = list(dict.fromkeys(shown(change["label"]) for change in version.changes))
    who = full_name(cast("AbstractUser", version.author)) if version.author is not None else gettext("The source")
    return Saved(
        number=version.number,
        who=who,
        at=version.created_at,
        because=version.reason,
        labels=labels[:MOST_LABELS],
        further=max(0, len(labels) - MOST_LABELS),
    )


def _choices(base: Record, latest: Record, typed: Mapping[str, str]) -> list[Choice]:
    """The fields in which I typed something else than the version had that I began with."""
    form = CorrectionForm(record=base, typed=typed)
    found = []
    for name, field in form.record_fields.items():
        if name not in typed or not form.differs(name):
            continue
        now_there = _counterpart(latest, field)
        theirs = now_there or replace(field, value=None)
        was, is_there = as_written(field), as_written(theirs)
        found.append(
            Choice(
                name=field_name(now_there.path) if now_there is not None else name,
                choice_name=choice_name(field_name(now_there.path) if now_there is not None else name),
                label=label_with_term(shown(field.label), field.term),
                base=was,
                theirs=is_there,
                mine=typed[name].strip(),
                theirs_changed=is_there != was and not stands(one_line_ending(typed[name]), theirs),
                is_gone=now_there is None,
            )
        )
    return found


def _counterpart(latest: Record, field: RecordField) -> RecordField | None:
    """The same field in another version: at the same path, or where it stands now that it is no longer missing."""
    found = latest.field_at(field.path)
    if found is not None:
        return found
    same = [
        other
        for other in latest.fields
        if (other.term, other.group, other.label) == (field.term, field.group, field.label)
    ]
    return same[0] if len(same) == 1 else None


def _theirs(base: Record | None, latest: Record | None, chosen: set[str]) -> list[dict[str, str]]:
    """What the colleague changed beside that, as the table of changes wants it."""
    if base is None or latest is None:
        return []
    form = CorrectionForm(record=latest)
    other = [found for found in business_changes(base, latest) if form.name_at(found["path"]) not in chosen]
    return for_the_table(other, base, latest)
