"""Files that could not even be taken in: why, where they are kept, and that nothing is left to do about one."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from exceptions_app.actions import intake_failures as actions
from exceptions_app.queries.connection_reach import ConnectionReach, connection_reach_of
from exceptions_app.queries.intake_failures import find_file
from exceptions_app.views.errors import changed_meanwhile
from exceptions_app.views.intake_failures import SetAsideForm
from exceptions_app.views.interrupted import forget, interrupted_at, signed_in
from exceptions_app.views.posted import posted_from
from exceptions_app.views.scope import person
from exceptions_app.wording import say, shown, together
from integrations.inbox import MessageRefused
from integrations.models import FolderProblem


@require_safe
@never_cache
@signed_in
def file(request: HttpRequest, ref: int) -> HttpResponse:
    found, reach = _file(request, ref)
    return _page(request, found, reach, SetAsideForm(initial=dict(interrupted_at(request, request.path).typed)))


def _file(request: HttpRequest, ref: int) -> tuple[FolderProblem, ConnectionReach]:
    """The file, when its connection is in the person's care; 404 otherwise, as if it were not there."""
    reach = connection_reach_of(person(request))
    found = find_file(ref, reach.cared_for)
    if found is None:
        raise Http404
    return found, reach


def _page_of_file(request: HttpRequest, ref: int) -> str:
    return reverse("exceptions:quarantined_file", args=[_file(request, ref)[0].pk])


def _page(
    request: HttpRequest, found: FolderProblem, reach: ConnectionReach, form: SetAsideForm, *, status: int = 200
) -> HttpResponse:
    may_act = found.connection_id in reach.tended
    context = {
        "file": found,
        "form": form,
        "may_act": may_act,
        "why_not": "" if may_act else actions.may_not_tend(found.connection),
        "trail": [{"label": gettext("Intake failures"), "url": reverse("exceptions:intake_failures")}],
    }
    return render(request, "exceptions/quarantined_file.html", context, status=status)


@posted_from(_page_of_file)
def set_aside(request: HttpRequest, ref: int) -> HttpResponse:
    found, reach = _file(request, ref)
    page = reverse("exceptions:quarantined_file", args=[found.pk])
    form = SetAsideForm(request.POST)
    if not form.is_valid() and found.connection_id in reach.tended:
        return _page(request, found, reach, form, status=422)
    try:
        actions.set_file_aside(found.pk, by=person(request), at=now(), because=form.cleaned_data.get("because", ""))
    except MessageRefused as refused:
        return changed_meanwhile(request, shown(together(refused.problem, refused.remedy)), back_url=page)
    forget(request, page)
    messages.success(
        request, shown(say("File {file_name} is set aside. It stays in quarantine.", file_name=found.file_name))
    )
    return HttpResponseRedirect(page)
