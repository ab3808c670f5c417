"""Having the masked values of one exception shown, with a purpose and for some minutes."""

from django.http import HttpRequest, HttpResponse
from django.utils.timezone import now

from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.reveal import reveal as have_shown
from exceptions_app.forms import RevealForm
from exceptions_app.policies import NotPermitted
from exceptions_app.views.case_context import Asked
from exceptions_app.views.errors import not_permitted
from exceptions_app.views.posted import posted_from
from exceptions_app.views.replies import done, page_of_case, show
from exceptions_app.views.scope import person, visible_case
from exceptions_app.wording import say, shown

PERMISSION = say("reveal on a queue and on a legal entity")
NOT_SHOWN = say(
    "This file holds bank details or personal data, and you do not have them shown now. "
    "On the page of the exception you can have them shown for some minutes, if you were granted that."
)


@posted_from(page_of_case)
def reveal(request: HttpRequest, ref: str) -> HttpResponse:
    case, form = visible_case(request, ref), RevealForm(request.POST, auto_id="reveal-%s")
    if not form.is_valid():
        return show(request, case, Asked(reveal=form), status=422)
    try:
        opened = have_shown(case.pk, by=person(request), at=now(), **form.cleaned_data)
    except NotPermitted as error:
        return not_permitted(request, error.reason, permission=PERMISSION)
    except Invalid as error:
        form.add_error(error.field, shown(error.problem))
        return show(request, case, Asked(reveal=form), status=422)
    minutes = round((opened.until - opened.revealed_at).total_seconds() / 60)
    said = say(
        "You see the masked values of {ref} for {minutes} minutes. It is on record.", ref=case.ref, minutes=minutes
    )
    return done(request, case, shown(said))


def refused_file(request: HttpRequest) -> HttpResponse:
    """In the place of a file that the person may not have now."""
    return not_permitted(request, NOT_SHOWN, permission=PERMISSION)
