"""The playbook on the page of an exception: what each step would do now, and doing the chosen ones."""

from collections.abc import Sequence

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from exceptions_app.actions.mover import ChangedMeanwhile, Invalid
from exceptions_app.actions.playbook_run import OtherPlaybook, Outlook, StepRefused, outlook, use_playbook
from exceptions_app.models import ExceptionCase, PlaybookVersion
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.playbooks import holding
from exceptions_app.refusing import note_refused_move
from exceptions_app.views.interrupted import signed_in
from exceptions_app.views.playbook_forms import UseForm
from exceptions_app.views.posted import posted_from
from exceptions_app.views.scope import person, visible_case
from exceptions_app.wording import NOTHING_WAS_DONE, say, shown, together, told_by

_INCOMPLETE = together(say("The form came back incomplete."), NOTHING_WAS_DONE)


def _url(case: ExceptionCase) -> str:
    return reverse("exceptions:case_playbook", kwargs={"ref": case.ref})


def _page_of_use(request: HttpRequest, ref: str) -> str:
    return _url(visible_case(request, ref))


@require_safe
@never_cache
@signed_in
def case_playbook(request: HttpRequest, ref: str) -> HttpResponse:
    """Nothing is written: each step is tried as it would be done, and taken back."""
    return _show(request, visible_case(request, ref))


def _show(request: HttpRequest, case: ExceptionCase, *, notice: str = "", status: int = 200) -> HttpResponse:
    """All that is possible is ticked to begin with; after a refusal what was ticked is, and nothing else."""
    version = holding(case.cause)
    if version is None:
        raise Http404
    looks = outlook(case.pk, version, by=person(request), at=now())
    context = {
        "case": case,
        "version": version,
        "looks": looks,
        "ticked": _ticked(request, version, looks),
        "possible": any(look.step.does_something and not look.refusal and not look.is_done for look in looks),
        "form": UseForm(initial={"version": version.pk, "revision": case.revision}),
        "notice": notice,
        "trail": [
            {"label": case.queue.name, "url": f"{reverse('exceptions:queue')}?queue={case.queue.slug}"},
            {"label": case.ref, "url": reverse("exceptions:case", kwargs={"ref": case.ref})},
        ],
    }
    return render(request, "exceptions/case_playbook.html", context, status=status)


def _ticked(request: HttpRequest, version: PlaybookVersion, looks: Sequence[Outlook]) -> set[int]:
    """What was ticked of another version says nothing about the steps of this one."""
    if request.method != "POST" or request.POST.get("version") != str(version.pk):
        return {look.position for look in looks}
    return {look.position for look in looks if str(look.position) in request.POST.getlist("positions")}


@posted_from(_page_of_use)
def use(request: HttpRequest, ref: str) -> HttpResponse:
    case, form = visible_case(request, ref), UseForm(request.POST)
    if not form.is_valid():
        return _show(request, case, notice=shown(_INCOMPLETE), status=422)
    given = form.cleaned_data
    try:
        used = use_playbook(
            case.pk, given["version"], given["positions"], by=person(request), at=now(), revision=given["revision"]
        )
    except Invalid as error:
        return _show(request, case, notice=shown(error.problem), status=422)
    except StepRefused as error:
        return _show(request, case, notice=told_by(error), status=422)
    except NotPermitted as error:
        note_refused_move(request, error)
        return _show(request, case, notice=shown(error.reason), status=403)
    except OtherPlaybook as error:
        return _show(request, visible_case(request, ref), notice=told_by(error), status=409)
    except ChangedMeanwhile as error:
        return _show(request, visible_case(request, ref), notice=told_by(error, NOTHING_WAS_DONE), status=409)
    number = len(used.positions)
    one, some = (
        say("1 step is done on {ref}.", ref=case.ref),
        say("{number} steps are done on {ref}.", number=number, ref=case.ref),
    )
    messages.success(request, shown(one if number == 1 else some))
    return HttpResponseRedirect(reverse("exceptions:case", kwargs={"ref": case.ref}))
