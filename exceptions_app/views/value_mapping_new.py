"""Proposing a row of a value mapping: the form, filled in as far as the way there tells."""

from collections.abc import Mapping, Sequence
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
from exceptions_app.actions.mapping_propose import Scope, propose_mapping
from exceptions_app.actions.mover import Invalid
from exceptions_app.mapping_states import AT_ONCE, MOST_MENDS
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.mapping_effect import Effect, effect_of
from exceptions_app.queries.mapping_standing import Places, places_to_propose
from exceptions_app.queries.value_mappings import find_mapping
from exceptions_app.value_rows import RowsInvalid, WrittenRow
from exceptions_app.views.errors import not_permitted
from exceptions_app.views.interrupted import forget, interrupted_at, signed_in
from exceptions_app.views.posted import posted_from
from exceptions_app.views.scope import person, reach_for
from exceptions_app.views.value_mapping_forms import Choices, ProposeMappingForm
from exceptions_app.wording import say, shown, told_by
from integrations.value_kinds import ValueKind

_FILLED = ("kind", "connection", "entity", "queue", "source_value", "target_value", "valid_from", "valid_to")


@require_safe
@never_cache
@signed_in
def value_mapping_new(request: HttpRequest) -> HttpResponse:
    """The form, with what the address says of the row. Nothing is written."""
    places = places_to_propose(reach_for(request))
    initial = {name: request.GET[name] for name in _FILLED if name in request.GET}
    mapping = find_mapping(person(request), request.GET.get("mapping", ""))
    if mapping is not None:
        initial |= {
            "kind": mapping.kind,
            "connection": mapping.connection.slug,
            "entity": mapping.entity.code if mapping.entity else "",
        }
    initial |= interrupted_at(request, request.path).typed
    form = _form(places, initial=initial)
    if initial.get("source_value") and not initial.get("target_value"):
        form.fields["target_value"].widget.attrs["autofocus"] = True  # all that is left to say, besides why
    return _page(request, form, effect=effect_of_address(request, places, initial))


def effect_for(request: HttpRequest, scope: Scope, rows: Sequence[WrittenRow]) -> Effect:
    return effect_of(scope.with_rows(rows), by=person(request), reach=reach_for(request))


def unseen(request: HttpRequest, scope: Scope, rows: Sequence[WrittenRow], mends: Mapping[int, int]) -> Effect | None:
    """What the rows mend, when that is not what the person was shown: `mends`, by revision.

    A long list is not looked through again: whether each can go is judged when its turn comes.
    """
    if len(mends) > AT_ONCE:
        return None
    effect = effect_for(request, scope, rows)
    return effect if effect.revisions != mends else None


def effect_of_address(request: HttpRequest, places: Places, initial: Mapping[str, str]) -> Effect | None:
    """What the way there names already, as from the page of an exception."""
    connection = next((found for found in places.connections if found.slug == initial.get("connection")), None)
    if connection is None or not initial.get("source_value") or initial.get("kind") not in list(ValueKind):
        return None
    scope = scope_of(places, {"queue": "", "entity": "", **initial})
    return effect_for(request, scope, [WrittenRow(source_value=initial["source_value"])])


def _form(places: Places, **more: Any) -> ProposeMappingForm:
    return ProposeMappingForm(**offered(places), **more)


def offered(places: Places) -> dict[str, Choices]:
    """What a person may choose from."""
    return {
        "connections": [(found.slug, found.name) for found in places.connections],
        "entities": [(found.code, f"{found.code} {found.name}") for found in places.entities],
        "queues": [(found.slug, found.name) for found in places.queues],
    }


def _page(
    request: HttpRequest,
    form: ProposeMappingForm,
    *,
    effect: Effect | None = None,
    seen: bool = False,
    status: int = 200,
) -> HttpResponse:
    """`seen`: the exceptions are shown with the very row, so that the next sending proposes them."""
    context = {
        "form": form,
        "effect": effect,
        "items": ProposeMappingForm.written(effect.revisions) if effect and seen else "",
        "most": MOST_MENDS,
        "trail": [{"label": gettext("Value mappings"), "url": reverse("exceptions:value_mappings")}],
    }
    return render(request, "exceptions/value_mapping_new.html", context, status=status)


def _page_of_new(request: HttpRequest, ref: str) -> str:  # noqa: ARG001 - as for the pages of one thing
    return reverse("exceptions:value_mapping_new")


@posted_from(_page_of_new)
def value_mapping_propose(request: HttpRequest, ref: str) -> HttpResponse:
    places = places_to_propose(reach_for(request))
    form = _form(places, data=request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    given = form.cleaned_data
    row = WrittenRow(**{name: given[name] for name in ("source_value", "target_value", "valid_from", "valid_to")})
    scope = scope_of(places, given)
    mends = {} if given["only_mapping"] else given["items"]
    try:
        effect = None if given["only_mapping"] else unseen(request, scope, [row], mends)
        if effect is not None:
            return _page(request, form, effect=effect, seen=True)
        proposal = propose_mapping(scope, [row], by=person(request), at=now(), because=given["because"], mends=mends)
    except Invalid as error:
        form.add_error(error.field if error.field in form.fields else None, shown(error.problem))
        return _page(request, form, status=422)
    except RowsInvalid as error:
        for fault in error.faults:
            form.add_error(fault.column, f"{fault.problem} {fault.remedy}")
        return _page(request, form, status=422)
    except (ListChanged, ItemsRefused) as error:
        form.add_error(None, told_by(error))
        return _page(request, form, effect=effect_for(request, scope, [row]), seen=True, status=409)
    except NotPermitted as error:
        return not_permitted(request, error.reason)
    forget(request, _page_of_new(request, ref))
    messages.success(
        request, shown(say("{ref} is proposed. {what_next}", ref=proposal.ref, what_next=proposal.what_next))
    )
    return HttpResponseRedirect(reverse("exceptions:mapping_proposal", args=[proposal.ref]))


def scope_of(places: Places, given: dict[str, Any]) -> Scope:
    """What was chosen of what was offered."""
    return Scope(
        kind=given["kind"],
        connection=next(found for found in places.connections if found.slug == given["connection"]),
        entity=next((found for found in places.entities if found.code == given["entity"]), None),
        queue=next((found for found in places.queues if found.slug == given["queue"]), None),
    )
