"""Open exceptions with a value that a mapping knows by now: corrected by it and proposed as one batch."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from exceptions_app.actions.batch_propose import ItemsRefused, ListChanged
from exceptions_app.actions.mapping_propose import holding_rows, propose_mends
from exceptions_app.actions.mover import Invalid
from exceptions_app.batch_states import MOST_ITEMS
from exceptions_app.models import ValueMapping
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.mapping_effect import Effect, Rows, mends_of
from exceptions_app.queries.mapping_standing import mapping_standing, may_propose
from exceptions_app.views.errors import not_permitted
from exceptions_app.views.interrupted import forget, interrupted_at, signed_in
from exceptions_app.views.posted import posted_from
from exceptions_app.views.scope import person, reach_for
from exceptions_app.views.value_mapping_forms import MendsForm, ProposeMappingForm
from exceptions_app.views.value_mappings import visible_mapping
from exceptions_app.wording import say, shown, told_by


@require_safe
@never_cache
@signed_in
def mapping_mends(request: HttpRequest, ref: str) -> HttpResponse:
    mapping = visible_mapping(request, ref)
    typed = dict(interrupted_at(request, request.path).typed)
    return _page(request, mapping, MendsForm(initial={"because": typed.get("because", "")}))


def _page(request: HttpRequest, mapping: ValueMapping, form: MendsForm, *, status: int = 200) -> HttpResponse:
    rows = Rows(
        kind=mapping.kind, connection=mapping.connection, entity_id=mapping.entity_id, rows=holding_rows(mapping)
    )
    mends = mends_of(rows, by=person(request), reach=reach_for(request), most=MOST_ITEMS + 1)
    effect = Effect(mends, None, most=MOST_ITEMS)
    context = {
        "mapping": mapping,
        "form": form,
        "effect": effect,
        "items": ProposeMappingForm.written(effect.revisions),
        "most": MOST_ITEMS,
        "may_propose": may_propose(mapping, mapping_standing(mapping, person(request))),
        "trail": [
            {"label": gettext("Value mappings"), "url": reverse("exceptions:value_mappings")},
            {"label": mapping.ref, "url": reverse("exceptions:value_mapping", args=[mapping.ref])},
        ],
    }
    return render(request, "exceptions/mapping_mends.html", context, status=status)


def _page_of_mends(request: HttpRequest, ref: str) -> str:
    return reverse("exceptions:mapping_mends", args=[visible_mapping(request, ref).ref])


@posted_from(_page_of_mends)
def propose(request: HttpRequest, ref: str) -> HttpResponse:
    mapping = visible_mapping(request, ref)
    form = MendsForm(request.POST)
    if not form.is_valid():
        return _page(request, mapping, form, status=422)
    given = form.cleaned_data
    try:
        batch = propose_mends(mapping.pk, given["items"], by=person(request), at=now(), because=given["because"])
    except Invalid as error:
        form.add_error(error.field if error.field in form.fields else None, shown(error.problem))
        return _page(request, mapping, form, status=422)
    except (ItemsRefused, ListChanged) as error:
        form.add_error(None, told_by(error))
        return _page(request, mapping, form, status=409)
    except NotPermitted as error:
        return not_permitted(request, error.reason)
    forget(request, _page_of_mends(request, ref))
    messages.success(request, shown(say("{ref} is proposed. It waits for somebody else's decision.", ref=batch.ref)))
    return HttpResponseRedirect(reverse("exceptions:batch", args=[batch.ref]))
