"""Taking back what one just did, from the message about it."""

from django.http import HttpRequest, HttpResponse
from django.utils.timezone import now

from exceptions_app.actions import undo as undoing
from exceptions_app.actions.mover import ChangedMeanwhile, Invalid
from exceptions_app.forms import MoveForm
from exceptions_app.policies import NotPermitted
from exceptions_app.refusing import note_refused_move
from exceptions_app.states import TransitionNotAllowed
from exceptions_app.views.case_context import Asked, Notice
from exceptions_app.views.posted import posted_from
from exceptions_app.views.replies import done, page_of_case, show
from exceptions_app.views.scope import person, visible_case
from exceptions_app.wording import say, shown, told_by

_NOT_UNDONE = say("It was not undone")


@posted_from(page_of_case)
def undo(request: HttpRequest, ref: str) -> HttpResponse:
    case = visible_case(request, ref)
    form = MoveForm(request.POST)
    revision = form.cleaned_data["revision"] if form.is_valid() else None
    try:
        # Without a revision nothing is meant; no exception has the number 0.
        undone = undoing.undo(case.pk, by=person(request), at=now(), revision=revision or 0)
    except (NotPermitted, ChangedMeanwhile, TransitionNotAllowed, Invalid) as error:
        note_refused_move(request, error)
        status = {NotPermitted: 403, Invalid: 422}.get(type(error), 409)
        text = shown(error.problem) if isinstance(error, Invalid) else told_by(error)
        notice = Notice(tone="warning", title=shown(_NOT_UNDONE), text=text)
        return show(request, visible_case(request, ref), Asked(notice=notice), status=status)
    return done(request, undone, shown(say("{ref} is as it was before.", ref=undone.ref)))
