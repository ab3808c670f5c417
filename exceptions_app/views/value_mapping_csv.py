"""Rows of a value mapping from and to CSV: imported as a proposal, exported as they hold."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from exceptions_app.actions.batch_propose import ItemsRefused, ListChanged
from exceptions_app.actions.mapping_propose import holding_rows, propose_mapping
from exceptions_app.actions.mover import Invalid
from exceptions_app.mapping_states import MOST_MENDS
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.mapping_effect import Effect
from exceptions_app.queries.mapping_standing import Places, places_to_propose
from exceptions_app.queries.value_mappings import find_mapping
from exceptions_app.value_csv import Lines, LinesInvalid, read_csv, written_csv
from exceptions_app.value_rows import RowsInvalid
from exceptions_app.views.errors import not_permitted
from exceptions_app.views.interrupted import forget, interrupted_at, signed_in
from exceptions_app.views.posted import posted_from
from exceptions_app.views.scope import person, reach_for
from exceptions_app.views.value_mapping_forms import ImportMappingForm
from exceptions_app.views.value_mapping_new import effect_for, offered, scope_of, unseen
from exceptions_app.views.value_mappings import visible_mapping
from exceptions_app.wording import say, shown, told_by

MOST_FAULTS = 100  # that are listed at once


@require_safe
@never_cache
@signed_in
def value_mapping_export(request: HttpRequest, ref: str) -> HttpResponse:
    """All rows that hold now."""
    mapping = visible_mapping(request, ref)
    return HttpResponse(
        b"".join(written_csv(holding_rows(mapping))),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{mapping.ref}-version-{mapping.version}.csv"',
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, no-store",
        },
    )


@require_safe
@never_cache
@signed_in
def value_mapping_import(request: HttpRequest) -> HttpResponse:
    initial: dict[str, str] = {}
    mapping = find_mapping(person(request), request.GET.get("mapping", ""))
    if mapping is not None:
        initial = {
            "kind": mapping.kind,
            "connection": mapping.connection.slug,
            "entity": mapping.entity.code if mapping.entity else "",
        }
    initial |= interrupted_at(request, request.path).typed
    return _page(request, _form(places_to_propose(reach_for(request)), initial=initial))


def _form(places: Places, **more: Any) -> ImportMappingForm:
    return ImportMappingForm(**offered(places), **more)


def _page(
    request: HttpRequest, form: ImportMappingForm, *, effect: Effect | None = None, rows: int = 0, status: int = 200
) -> HttpResponse:
    """`rows`: how many were read and can be used, once they were; the next sending proposes them."""
    context = {
        "form": form,
        "effect": effect,
        "rows": rows,
        "items": ImportMappingForm.written(effect.revisions) if effect else "",
        "most": MOST_MENDS,
        "trail": [{"label": gettext("Value mappings"), "url": reverse("exceptions:value_mappings")}],
    }
    return render(request, "exceptions/value_mapping_import.html", context, status=status)


def _page_of_import(request: HttpRequest, ref: str) -> str:  # noqa: ARG001 - as for the pages of one thing
    return reverse("exceptions:value_mapping_import")


@posted_from(_page_of_import)
def value_mapping_import_propose(request: HttpRequest, ref: str) -> HttpResponse:
    places = places_to_propose(reach_for(request))
    typed = request.POST.copy()
    unread = _take_file(request, typed)
    form = _form(places, data=typed)
    if not form.is_valid() or unread:
        if unread:
            form.add_error("file", unread)
        return _page(request, form, status=422)
    given = form.cleaned_data
    scope = scope_of(places, given)
    lines = Lines([], [])
    try:
        lines = read_csv(given["text"])
        mends = {} if given["only_mapping"] else given["items"]
        effect = None if given["only_mapping"] else unseen(request, scope, lines.rows, mends)
        if effect is not None:
            return _page(request, form, effect=effect, rows=len(lines.rows))
        proposal = propose_mapping(
            scope, lines.rows, by=person(request), at=now(), because=given["because"], mends=mends
        )
    except Invalid as error:
        form.add_error(error.field if error.field in form.fields else None, shown(error.problem))
        return _page(request, form, status=422)
    except RowsInvalid as error:
        _name(form, error, error.lines if isinstance(error, LinesInvalid) else lines)
        return _page(request, form, status=422)
    except (ListChanged, ItemsRefused) as error:
        form.add_error(None, told_by(error))
        return _page(request, form, effect=effect_for(request, scope, lines.rows), rows=len(lines.rows), status=409)
    except NotPermitted as error:
        return not_permitted(request, error.reason)
    forget(request, _page_of_import(request, ref))
    messages.success(
        request, shown(say("{ref} is proposed. {what_next}", ref=proposal.ref, what_next=proposal.what_next))
    )
    return HttpResponseRedirect(reverse("exceptions:mapping_proposal", args=[proposal.ref]))


def _take_file(request: HttpRequest, typed: Any) -> str:
    """Put what a file says in the place of the text, so that nothing of it is lost; why it cannot be read."""
    file = request.FILES.get("file")
    if file is None:
        return ""
    try:
        typed["text"] = file.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        return "The file is not written in UTF-8. Save it as “CSV UTF-8”, or paste its rows."
    return ""


def _name(form: ImportMappingForm, error: RowsInvalid, lines: Lines) -> None:
    for fault in error.faults[:MOST_FAULTS]:
        form.add_error("text", lines.in_words(fault))
    if len(error.faults) > MOST_FAULTS:
        form.add_error("text", f"And {len(error.faults) - MOST_FAULTS} more. Nothing was proposed.")
