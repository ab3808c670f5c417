"""Where one is signed in, and the way to end it there."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from exceptions_app.views.scope import person
from workbench.sessions import end_others, end_own, sessions_of


@require_safe
@login_required
def sessions(request: HttpRequest) -> HttpResponse:
    found = sessions_of(person(request), this=request.session.session_key or "", at=now())
    return render(request, "registration/sessions.html", {"sessions": found, "others": len(found) > 1})


@require_POST
@login_required
def end(request: HttpRequest) -> HttpResponse:
    """One session by its name, or all others."""
    me, named = person(request), request.POST.get("session", "")
    if named:
        ended = end_own(me, named=named, at=now())
    else:
        ended = end_others(me, this=request.session.session_key or "", at=now())
    if ended:
        messages.success(request, gettext("Ended. Whoever uses it is asked to sign in."))
    else:
        messages.info(request, gettext("It had ended already."))
    return HttpResponseRedirect(reverse("sessions"))
