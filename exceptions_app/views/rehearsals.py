"""What the latest rehearsal of replay showed, for those who decide, and those who check."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from exceptions_app.models import Rehearsal
from exceptions_app.queries.rehearsals import latest_of, without_each_safeguard
from exceptions_app.states import Verb
from exceptions_app.views.errors import not_permitted
from exceptions_app.views.interrupted import signed_in
from exceptions_app.views.scope import reach_for
from exceptions_app.wording import say

MISSING = say("Rehearsals are shown to whoever may approve or export somewhere.")
PERMISSION = say("approve or export on a queue and on a legal entity")
BLOWS = {
    "kill": gettext_lazy("SIGKILL to a worker"),
    "freeze": gettext_lazy("SIGSTOP of a worker past its lease"),
    "database_restart": gettext_lazy("immediate restart of PostgreSQL"),
    "flush": gettext_lazy("the broker emptied"),
    "broker_restart": gettext_lazy("restart of the broker"),
    "toxic": gettext_lazy("fault of the network"),
}


@require_safe
@never_cache
@signed_in
def rehearsals(request: HttpRequest) -> HttpResponse:
    reach = reach_for(request)
    if not (reach.has(Verb.APPROVE) or reach.has(Verb.EXPORT)):
        return not_permitted(request, MISSING, permission=PERMISSION)
    latest = latest_of(Rehearsal.Engine.WORKBENCH)
    blows = latest.figures["blows"] if latest is not None else {}
    context = {
        "latest": latest,
        "blows": [(blows.get(name, 0), words) for name, words in BLOWS.items()],
        "control": latest_of(Rehearsal.Engine.NAIVE),
        "safeguards": without_each_safeguard(),
    }
    return render(request, "exceptions/rehearsals.html", context)
