"""What sources handed over for delivery: how far each is, and which exception took it up."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from exceptions_app.handover_states import STATE_WORDS, UNDER_WAY
from exceptions_app.models import Transaction
from exceptions_app.queries import transactions as reads
from exceptions_app.queries.keyset import Direction, InvalidCursor
from exceptions_app.queries.transactions import Sight, sight_within
from exceptions_app.views.addresses import address
from exceptions_app.views.errors import not_permitted
from exceptions_app.views.interrupted import signed_in
from exceptions_app.views.scope import person, reach_for
from exceptions_app.wording import say
from integrations import delivery as engine
from integrations.models import Connection

MISSING_SIGHT = say(
    "You may not see any transaction. One is shown to whoever may see exceptions in the queue and for the legal entity "
    "to which it belongs, and to whoever hands in for its connection or configures it."
)
_PERMISSION = say("see on a queue and on a legal entity")


class TransactionFilterForm(forms.Form):
    use_required_attribute = False
    state = forms.ChoiceField(
        label=gettext_lazy("State"),
        required=False,
        choices=[
            ("", gettext_lazy("All")),
            *((state.value, words[:1].upper() + words[1:]) for state, words in STATE_WORDS.items()),
        ],
    )
    connection = forms.ChoiceField(label=gettext_lazy("Connection"), required=False)
    contains = forms.CharField(
        label=gettext_lazy("Reference, identifier or number contains"), required=False, max_length=200
    )

    def __init__(self, *args: Any, connections: list[Connection], **more: Any) -> None:
        super().__init__(*args, **more)
        field = self.fields["connection"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [("", gettext_lazy("All")), *((found.slug, found.name) for found in connections)]


@dataclass(frozen=True, slots=True)
class Row:
    """One transaction as a list shows it. `known`: its number, amount and exception may be shown."""

    transaction: Transaction
    known: bool
    hold: engine.Hold | None = None  # why nothing is sent for it now, of one that is on its way

    @property
    def title(self) -> str:
        return (self.known and self.transaction.document_number) or self.transaction.external_id

    @property
    def reference(self) -> str:
        first = self.transaction.duplicate_of
        return first.reference if first is not None else self.transaction.reference


def rows_of(transactions: Iterable[Transaction], sight: Sight) -> list[Row]:
    """One query, and none while nothing is on its way."""
    shown = list(transactions)
    on_their_way = {one.connection_id for one in shown if one.state in UNDER_WAY}
    holds = engine.holds_on(on_their_way) if on_their_way else {}
    return [
        Row(one, sight.knows_the_document(one), holds.get(one.connection_id) if one.state in UNDER_WAY else None)
        for one in shown
    ]


@require_safe
@never_cache
@vary_on_headers("HX-Request")
@signed_in
def transactions(request: HttpRequest) -> HttpResponse:
    sight = sight_within(reach_for(request), person(request))
    if sight.is_empty:
        return not_permitted(request, MISSING_SIGHT, permission=_PERMISSION)
    form = TransactionFilterForm(request.GET, connections=reads.connections_of(sight))
    try:
        context = _list(request, form, sight)
    except InvalidCursor:
        return redirect(address(request))
    fragment = request.htmx and not request.htmx.boosted  # type: ignore[attr-defined]
    template = "_transaction_list.html" if fragment else "transactions.html"
    return render(request, f"exceptions/{template}", context, status=200 if form.is_valid() else 422)


def _list(request: HttpRequest, form: TransactionFilterForm, sight: Sight) -> dict[str, Any]:
    chosen = form.cleaned_data if form.is_valid() else {}
    contains = chosen.get("contains", "").strip()
    wanted = reads.TransactionFilter(
        states=(chosen["state"],) if chosen.get("state") else (),
        connection=chosen.get("connection", ""),
        contains=contains,
    )
    direction: Direction = "before" if request.GET.get("before") else "after"
    found = reads.transaction_page(sight, wanted, cursor=request.GET.get(direction, ""), direction=direction)
    return {
        "form": form,
        # What cannot be understood shows nothing rather than everything.
        "rows": rows_of(found.rows, sight) if form.is_valid() else [],
        "is_narrowed": any(chosen.values()),
        "next_url": address(request, after=found.next_cursor) if found.next_cursor else "",
        "previous_url": address(request, before=found.previous_cursor) if found.previous_cursor else "",
    }
