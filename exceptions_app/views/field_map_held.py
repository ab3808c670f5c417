"""What the field maps of a connection held, translated again in one go: each by the action of its own button."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.timezone import now
from django.utils.translation import gettext, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from exceptions_app.actions.mover import ChangedMeanwhile
from exceptions_app.actions.translate import TranslationFailed, translate_again
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.held_by_maps import MOST_AT_ONCE, untouched_by_hand
from exceptions_app.refusing import note_refused_move
from exceptions_app.states import TransitionNotAllowed
from exceptions_app.views.field_maps import connection_for, key_of, page_of
from exceptions_app.views.interrupted import signed_in
from exceptions_app.views.scope import person
from exceptions_app.wording import say, shown, together, told_by

MOST_TOLD = 5


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@signed_in
def translate_held(request: HttpRequest, slug: str, ref: str) -> HttpResponse:
    """Each in a transaction of its own: one that is not translated keeps no other back."""
    found, _ = connection_for(request, slug)
    page = page_of(found, key_of(ref))
    if request.method != "POST":
        return HttpResponseRedirect(page)
    done, refused = 0, []
    for case in untouched_by_hand(found, person(request))[:MOST_AT_ONCE]:
        try:
            translate_again(case.pk, by=person(request), at=now(), revision=case.revision)
            done += 1
        except (TranslationFailed, NotPermitted, TransitionNotAllowed, ChangedMeanwhile) as error:
            note_refused_move(request, error, case=case)
            refused.append(f"{case.ref}: {_reason(error)}")
    _tell(request, done, refused)
    return HttpResponseRedirect(page)


def _reason(error: Exception) -> str:
    faults = error.errors if isinstance(error, TranslationFailed) else ()
    return faults[0].plain if faults else told_by(error)


def _tell(request: HttpRequest, done: int, refused: list[str]) -> None:
    if done:
        told = ngettext(
            "1 exception is translated again. Look at what changed, then propose it.",
            "{number} exceptions are translated again. Propose each.",
            done,
        )
        messages.success(request, told.format(number=done))
    if refused:
        told = say("Not translated. {list}", list=" ".join(refused[:MOST_TOLD]))
        left = len(refused) - MOST_TOLD
        more = say("{number} more stay as they are.", number=left) if left > 0 else ""
        messages.warning(request, shown(together(told, more)))
    if not (done or refused):
        messages.warning(request, gettext("There was nothing left to translate."))
