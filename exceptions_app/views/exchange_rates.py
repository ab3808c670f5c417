"""Exchange rates: which are in force, and the import of more, shown before it is done."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import localdate, now
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from audit.queries import timeline
from exceptions_app.actions.exchange_rates import (
    NOT_PERMITTED,
    STRIKING,
    Preview,
    import_rates,
    may_import_rates,
    preview_of_rates,
)
from exceptions_app.actions.mover import Invalid
from exceptions_app.models.exchange_rate import RATES_SUBJECT
from exceptions_app.queries.case_page import full_names
from exceptions_app.queries.exchange_rates import all_rates, rate_page, rates_in_force
from exceptions_app.states import Verb
from exceptions_app.triage.weights import RATE_HOLDS
from exceptions_app.views.addresses import address
from exceptions_app.views.errors import not_permitted
from exceptions_app.views.exchange_rate_forms import ImportRatesForm, RatesFilterForm
from exceptions_app.views.interrupted import forget, interrupted_at, signed_in
from exceptions_app.views.listing import page_of, unknown_names
from exceptions_app.views.posted import posted_from
from exceptions_app.views.scope import person, reach_for
from exceptions_app.wording import say
from exceptions_app.wording import shown as in_words

MOST_CHANGES = 60
"""Currencies whose change is shown; the ECB publishes thirty."""


@require_safe
@never_cache
@signed_in
def exchange_rates(request: HttpRequest) -> HttpResponse:
    return _show(request)


def _page(_request: HttpRequest, _ref: object) -> str:
    return reverse("exceptions:exchange_rates")


@posted_from(_page)
def exchange_rates_import(request: HttpRequest, ref: str) -> HttpResponse:
    """A file is shown with what it changes; what was shown is imported when it is sent again."""
    reader = person(request)
    if not may_import_rates(reader):
        return not_permitted(request, NOT_PERMITTED)
    form = ImportRatesForm(request.POST, request.FILES, reader=reader)
    is_complete = form.is_valid()
    try:
        name, content = form.content()
        preview = preview_of_rates(content)
        if form.has_file or not is_complete:
            shown = form.token(name, content)
            return _show(request, form=form, preview=preview, shown=shown, status=200 if is_complete else 422)
        imported = import_rates(content, by=reader, at=now(), because=form.cleaned_data["because"], source=name)
    except Invalid as error:
        form.add_error("file", in_words(error.problem))
        return _show(request, form=form, status=422)
    forget(request, _page(request, ref))
    told = say(
        "{new} rates imported; {known} were known already.", new=f"{imported.new:,}", known=f"{imported.known:,}"
    )
    messages.success(request, in_words(told))
    return HttpResponseRedirect(_page(request, ref))


def _show(
    request: HttpRequest,
    *,
    form: ImportRatesForm | None = None,
    preview: Preview | None = None,
    shown: str = "",
    status: int = 200,
) -> HttpResponse:
    """`shown` is what the form sends again; empty before a file was understood."""
    chosen = RatesFilterForm(request.GET)
    notices = unknown_names(request, {*chosen.fields, "show"})
    currency = chosen.cleaned_data["currency"].strip().upper() if chosen.is_valid() else ""
    shows_all, today = request.GET.get("show") == "all", localdate()
    rates = all_rates(currency) if shows_all else rates_in_force(currency, on=today, at_most=timedelta(days=RATE_HOLDS))
    page = page_of(request, lambda cursor, direction: rate_page(rates, cursor=cursor, direction=direction), notices)
    context: dict[str, Any] = {
        "filter": chosen,
        "rates": page.rows,
        "is_narrowed": bool(request.GET.get("currency")),
        "shows_all": shows_all,
        "tabs": [
            {"label": gettext("In force"), "url": address(request, show=""), "current": not shows_all},
            {"label": gettext("All"), "url": address(request, show="all"), "current": shows_all},
        ],
        "holds_for": RATE_HOLDS,
        "group_currency": settings.GROUP_CURRENCY,
        "form": form or _empty_form(request),
        "preview": preview,
        "changes": preview.changes[:MOST_CHANGES] if preview else [],
        "more": max(0, len(preview.changes) - MOST_CHANGES) if preview else 0,
        "striking": STRIKING,
        "shown": shown,
        **_last_import(request),
        "notices": notices,
        "next_url": address(request, after=page.next_cursor) if page.next_cursor else "",
        "previous_url": address(request, before=page.previous_cursor) if page.previous_cursor else "",
    }
    return render(request, "exceptions/exchange_rates.html", context, status=status)


def _empty_form(request: HttpRequest) -> ImportRatesForm | None:
    """For an administrator; with the reason that they typed before their sign-in ended."""
    reader = person(request)
    if not may_import_rates(reader):
        return None
    typed = interrupted_at(request, _page(request, None)).typed
    return ImportRatesForm(reader=reader, initial={"because": typed.get("because", "")})


def _last_import(request: HttpRequest) -> dict[str, Any]:
    """Who did it last, when and why, for administrators and for whoever audits; these read on in the trail."""
    audits = reach_for(request).has(Verb.EXPORT)
    last = timeline(RATES_SUBJECT, limit=1) if audits or may_import_rates(person(request)) else []
    if not last:
        return {}
    actor = full_names({last[0].actor}).get(last[0].actor, last[0].actor)
    trail_url = f"{reverse('exceptions:audit')}?about={RATES_SUBJECT}" if audits else ""
    return {"last": last[0], "last_by": actor, "trail_url": trail_url}
