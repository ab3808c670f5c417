"""The report on effects: what was decided in a period, and whether each of it is proven to stand at its target once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_safe
from django.views.decorators.vary import vary_on_headers

from exceptions_app.actions.effects_export import export_effects
from exceptions_app.queries import effects as reads
from exceptions_app.queries.comparisons import newest_comparisons, open_alarms
from exceptions_app.queries.connection_reach import connection_reach_of
from exceptions_app.queries.effects import WORDS, EffectRow, Period, Standing
from exceptions_app.queries.keyset import Direction, InvalidCursor
from exceptions_app.queries.reach import Reach
from exceptions_app.queries.transactions import Sight, sight_within
from exceptions_app.states import Verb
from exceptions_app.views.addresses import PLACE, address
from exceptions_app.views.errors import not_permitted
from exceptions_app.views.interrupted import signed_in
from exceptions_app.views.scope import person, reach_for
from exceptions_app.wording import Said, offered, say, shown, shown_later
from integrations.models import Connection, Delivery

USUAL_DAYS = 30
MISSING = say(
    "You may not see any effect. One is shown to whoever may see exceptions in the queue and for the legal entity to "
    "which its document belongs, and to whoever hands in for its connection."
)
PERMISSION = say("see on a queue and on a legal entity")
_EARLIEST, _LATEST = date(1970, 1, 2), date(9998, 12, 30)
# By which a reader tells where to look: what needs a person first.
TO_LOOK_AT = frozenset({Standing.SECOND_EFFECT, Standing.CONFLICT, Standing.UNPROVEN})


def _day(label: Said) -> forms.DateField:
    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    wrong = say("“{label}” is not a date. Write it as year-month-day, for example 2026-03-31.", label=label)
    return forms.DateField(
        label=shown_later(label), required=False, widget=widget, error_messages={"invalid": shown_later(wrong)}
    )


class PeriodForm(forms.Form):
    """Without a period in the address it is the last 30 days. Both days are part of it."""

    use_required_attribute = False
    since = _day(say("Decided from"))
    until = _day(say("To"))
    connection = forms.ChoiceField(label=gettext_lazy("Connection"), required=False)
    standing = forms.ChoiceField(
        label=gettext_lazy("Standing"),
        required=False,
        choices=[("", gettext_lazy("All")), *offered((standing.value, words) for standing, words in WORDS.items())],
    )

    def __init__(self, asked: Mapping[str, str], *, today: date, connections: list[Connection]) -> None:
        asked = {name: asked[name] for name in asked}
        if not asked.get("since"):
            asked["since"] = (today - timedelta(days=USUAL_DAYS)).isoformat()
        if not asked.get("until"):
            asked["until"] = today.isoformat()
        super().__init__(asked)
        field = self.fields["connection"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [("", gettext_lazy("All")), *((found.slug, found.name) for found in connections)]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        for name, day in (("since", since), ("until", until)):
            if day is not None and not _EARLIEST <= day <= _LATEST:
                self.add_error(
                    name,
                    shown(say("Use a day between {earliest} and {latest}.", earliest=_EARLIEST, latest=_LATEST)),
                )
        if since is not None and until is not None and until < since:
            self.add_error("until", gettext_lazy("The period ends before it begins."))
        return cleaned

    def period(self, *, standing: bool = True) -> Period:
        """What is asked for, in the reader's time zone; without the standing for the totals of all."""
        asked = self.cleaned_data
        return Period(
            since=_midnight(asked["since"]),
            until=_midnight(asked["until"] + timedelta(days=1)),
            connection=asked["connection"],
            standing=asked["standing"] if standing else "",
        )


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalRow:
    total: reads.Total
    url: str
    is_chosen: bool
    to_look_at: bool


@require_safe
@never_cache
@vary_on_headers("HX-Request")
@signed_in
def effects(request: HttpRequest) -> HttpResponse:
    reach, sight = _seen(request)
    if _sees_nothing(reach, sight):
        return not_permitted(request, MISSING, permission=PERMISSION)
    form = _form(request)
    context: dict[str, Any] = {"form": form}
    if form.is_valid():
        try:
            context |= _report(request, form, reach, sight)
        except InvalidCursor:
            return redirect(address(request))
    fragment = request.htmx and not request.htmx.boosted  # type: ignore[attr-defined]
    template = "_effects_report.html" if fragment else "effects.html"
    if not fragment:
        seen = connection_reach_of(person(request)).seen
        context |= {"alarms": open_alarms(reach), "runs": newest_comparisons(seen)}
    return render(request, f"exceptions/{template}", context, status=200 if form.is_valid() else 422)


@require_GET
@never_cache
@login_required
def effects_export(request: HttpRequest) -> HttpResponseBase:
    """The rows of the report in the address, as CSV. That it was taken is an event."""
    reach, sight = _seen(request)
    if _sees_nothing(reach, sight):
        return not_permitted(request, MISSING, permission=PERMISSION)
    form = _form(request)
    if not form.is_valid():
        return render(request, "exceptions/effects.html", {"form": form}, status=422)
    period = form.period()
    found = reads.deliveries_within(period, reach=reach, sight=sight)
    chunks = export_effects(period, found, by=person(request), at=timezone.now())
    response = StreamingHttpResponse(chunks, content_type="text/csv; charset=utf-8")
    name = f"effects-{form.cleaned_data['since']}-to-{form.cleaned_data['until']}.csv"
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
    return response


def _seen(request: HttpRequest) -> tuple[Reach, Sight]:
    reach = reach_for(request)
    return reach, sight_within(reach, person(request))


def _sees_nothing(reach: Reach, sight: Sight) -> bool:
    return not (reach.has(Verb.SEE) or sight.ingesting)


def _form(request: HttpRequest) -> PeriodForm:
    seen = connection_reach_of(person(request)).seen
    connections = list(Connection.objects.filter(pk__in=seen).only("slug", "name").order_by("name", "pk"))
    return PeriodForm(request.GET, today=timezone.localdate(), connections=connections)


def _report(request: HttpRequest, form: PeriodForm, reach: Reach, sight: Sight) -> dict[str, Any]:
    everything = reads.deliveries_within(form.period(standing=False), reach=reach, sight=sight)
    chosen = form.cleaned_data["standing"]
    found = reads.deliveries_within(form.period(), reach=reach, sight=sight) if chosen else everything
    direction: Direction = "before" if request.GET.get("before") else "after"
    page, rows = reads.effect_page(found, cursor=request.GET.get(direction, ""), direction=direction)
    totals = reads.totals_of(everything)
    query = {name: text for name, text in request.GET.items() if text and name not in PLACE}
    return {
        "totals": [_total_row(request, total, chosen) for total in totals],
        "number": sum(total.count for total in totals),
        "chosen": WORDS[Standing(chosen)] if chosen else "",
        "all_url": address(request, standing=""),
        "rows": [(row, evidence_of(row)) for row in rows],
        "csv_url": f"{reverse('exceptions:effects_export')}{'?' if query else ''}{urlencode(query)}",
        "next_url": address(request, after=page.next_cursor) if page.next_cursor else "",
        "previous_url": address(request, before=page.previous_cursor) if page.previous_cursor else "",
    }


def _total_row(request: HttpRequest, total: reads.Total, chosen: str) -> TotalRow:
    return TotalRow(
        total=total,
        url=address(request, standing=total.standing.value),
        is_chosen=chosen == total.standing,
        to_look_at=total.standing in TO_LOOK_AT and total.count > 0,
    )


def evidence_of(row: EffectRow) -> str:
    """Where what was asked, sent and answered can be read."""
    case = row.exception
    if case is not None:
        in_conflict = row.standing is Standing.CONFLICT and row.delivery.state == Delivery.State.CONFLICT
        place = "case-held" if in_conflict else "case-history"
        return f"{reverse('exceptions:case', args=[case.ref])}?tab=attempts#{place}"
    if row.transaction is not None:
        return reverse("exceptions:transaction", args=[row.transaction.ref])
    return ""
