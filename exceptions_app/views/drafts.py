"""What is typed and not yet saved: kept from time to time, thrown away when asked, compared when it is out of date."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.timezone import now
from django.utils.translation import gettext
from django.views.decorators.http import require_GET

from exceptions_app.actions.drafts import Kept, discard_draft, save_draft
from exceptions_app.forms import DraftForm, mine_of
from exceptions_app.models import Draft
from exceptions_app.policies import NotPermitted
from exceptions_app.refusing import note_refused_move
from exceptions_app.views.conflict import show_conflict
from exceptions_app.views.draft_texts import to_compare, to_keep
from exceptions_app.views.interrupted import forget, interrupted_at, signed_in
from exceptions_app.views.posted import posted_from
from exceptions_app.views.replies import case_url, page_of_case
from exceptions_app.views.scope import person, visible_case

_OF_A_CORRECTION = frozenset({"draft", "correct"})
_STATUS = {Kept.FOR_THE_LATEST: 204, Kept.FOR_AN_OLDER: 409, Kept.NOT: 412}


@posted_from(page_of_case)
def draft(request: HttpRequest, ref: str) -> HttpResponse:
    """Keep what is typed. 204; 409 when a colleague saved another version meanwhile (it is kept all the same).

    412 when the person has a draft of a newer version, from another page: that one stays.
    """
    case = visible_case(request, ref)
    form = DraftForm(request.POST)
    if not form.is_valid():
        problem = "base_version: say of which version this is a draft."
        return HttpResponse(problem, status=422, content_type="text/plain")
    mine, base_version = mine_of(request.POST.dict()), form.cleaned_data["base_version"]
    try:
        kept = save_draft(
            case.pk, by=person(request), at=now(), base_version=base_version,
            typed=to_keep(mine, case, base_version), without=request.POST.keys() - mine.keys(),
        )  # fmt: skip
    except NotPermitted as error:
        note_refused_move(request, error)
        return HttpResponse(error.reason, status=403, content_type="text/plain")
    if kept is not Kept.NOT and interrupted_at(request, case_url(case)).action in _OF_A_CORRECTION:
        forget(request, case_url(case))  # what was kept of a lost sign-in is older than what is kept now
    return HttpResponse(status=_STATUS[kept])


@posted_from(page_of_case)
def discard(request: HttpRequest, ref: str) -> HttpResponse:
    """Throw the draft away, and what was kept from a lost sign-in."""
    case = visible_case(request, ref)
    discard_draft(case.pk, by=person(request))
    forget(request, case_url(case))
    messages.info(request, gettext("Your draft is discarded."))
    return HttpResponseRedirect(case_url(case))


@signed_in
@require_GET
def compare(request: HttpRequest, ref: str) -> HttpResponse:
    """A draft for a version that is no longer the latest, beside what was saved meanwhile."""
    case = visible_case(request, ref)
    kept = Draft.objects.filter(case=case, author_id=person(request).pk).first()
    if kept is None:
        raise Http404
    typed = to_compare(kept.typed, case, kept.base_version)
    return show_conflict(request, case, typed, base_version=kept.base_version, status=200)
