"""Where a source's own identifier leads: `/x/<connection>/<identifier>/`, or a page that says that it is not there."""

from http import HTTPStatus

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods
from django_htmx.http import HttpResponseClientRedirect

from exceptions_app.actions import inbox
from exceptions_app.actions.mover import Invalid
from exceptions_app.models import Expectation
from exceptions_app.queries.deep_links import Arrived, arrived
from exceptions_app.views.interrupted import signed_in
from exceptions_app.views.replies import case_url, is_htmx
from exceptions_app.views.scope import person, reach_for
from exceptions_app.wording import shown


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@signed_in
def deep_link(request: HttpRequest, connection: str, ref: str) -> HttpResponse:
    """To the exception, the transaction or the failed message; several exceptions of one message are listed.

    What is not there, what is not theirs to see and what belongs to no known connection look the same.
    """
    found = arrived(person(request), reach_for(request), connection=connection, external_id=ref)
    address = _address_of(found)
    if address:
        return HttpResponseClientRedirect(address) if is_htmx(request) else HttpResponseRedirect(address)
    if found:
        return render(request, "exceptions/deep_link.html", {"external_id": ref, "cases": found.cases})
    if request.method == "POST":
        _expect(request, connection, ref)
        # Not request.path, which is no address any more when the identifier has a `%` or a `?` in it.
        return HttpResponseRedirect(reverse("exceptions:deep_link", kwargs={"connection": connection, "ref": ref}))
    if is_htmx(request):
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    context = {
        "external_id": ref[: inbox.LONGEST],
        "is_too_long": len(ref) > inbox.LONGEST,
        "waits": _waits(request, connection, ref),
        "days": inbox.EXPECTED_FOR.days,
    }
    return render(request, "exceptions/deep_link.html", context, status=HTTPStatus.NOT_FOUND)


def _address_of(found: Arrived) -> str:
    if len(found.cases) == 1:
        return case_url(found.cases[0])
    if found.transaction is not None:
        return reverse("exceptions:transaction", kwargs={"ref": found.transaction.ref})
    return reverse("exceptions:intake_failure", kwargs={"ref": found.failed.pk}) if found.failed is not None else ""


def _expect(request: HttpRequest, connection: str, external_id: str) -> None:
    try:
        inbox.expect(connection, external_id, by=person(request), at=now())
    except Invalid as error:
        messages.error(request, shown(error.problem))
    else:
        messages.success(request, gettext("You will be told when it has come in."))


def _waits(request: HttpRequest, connection: str, external_id: str) -> bool:
    if "\x00" in external_id:
        return False
    mine = Expectation.objects.filter(person=person(request).pk, connection=connection, external_id=external_id)
    return mine.filter(arrived_at__isnull=True, asked_at__gte=now() - inbox.EXPECTED_FOR).exists()
