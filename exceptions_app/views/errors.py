"""What a person sees when a request is refused or goes wrong. Each page carries the reference of the request."""

import logging
from http import HTTPStatus

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.template.loader import render_to_string
from django.utils import translation

from exceptions_app.outages import Outage, outage_of
from exceptions_app.refusing import note_refusal
from exceptions_app.wording import say, shown

log = logging.getLogger(__name__)

ADMINISTRATOR = say("an administrator of the workbench")


def handler400(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        most = filesizeformat(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        return _alone(request, "errors/413.html", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, most=most)
    return _alone(request, "400.html", HTTPStatus.BAD_REQUEST)


def handler403(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The reason of a refusal, when whoever refused it gave one."""
    return not_permitted(request, getattr(exception, "reason", "") or str(exception))


def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - Django names it
    return render(request, "404.html", {"request_id": _request_id(request)}, status=HTTPStatus.NOT_FOUND)


def handler500(request: HttpRequest, *, because: BaseException | None = None) -> HttpResponse:
    """Something went wrong, or is missing for the moment, which the page then says."""
    outage = outage_of(because)
    if outage is None:
        return _alone(request, "500.html", HTTPStatus.INTERNAL_SERVER_ERROR)
    status = HTTPStatus.INSUFFICIENT_STORAGE if outage is Outage.DISK else HTTPStatus.SERVICE_UNAVAILABLE
    answer = _alone(request, "errors/503.html", status, missing=outage.value)
    answer.headers["Retry-After"] = str(outage.retry_after)
    return answer


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001 - Django names it
    """`reason` is for developers; the page says what to do."""
    note_refusal(request, "It came without the token of the page that sends it: it may have been forged.")
    return _alone(request, "403_csrf.html", HTTPStatus.FORBIDDEN)


def not_permitted(request: HttpRequest, reason: str, *, permission: str = "") -> HttpResponse:
    """What is missing, and who can grant it."""
    note_refusal(request, reason)
    context = {
        "reason": shown(reason),
        "permission": permission,
        "granted_by": ADMINISTRATOR,
        "request_id": _request_id(request),
    }
    return render(request, "403.html", context, status=HTTPStatus.FORBIDDEN)


def erased(request: HttpRequest, words: str, *, back_url: str) -> HttpResponse:
    """In the place of a file whose content a policy of retention let go."""
    return render(request, "errors/410.html", {"words": words, "back_url": back_url}, status=HTTPStatus.GONE)


def changed_meanwhile(request: HttpRequest, reason: str, *, back_url: str) -> HttpResponse:
    """Somebody else was faster; nothing was done."""
    context = {"reason": reason, "back_url": back_url, "request_id": _request_id(request)}
    return render(request, "errors/409.html", context, status=HTTPStatus.CONFLICT)


def _alone(request: HttpRequest, template: str, status: HTTPStatus, **more: str) -> HttpResponse:
    """A page without context processors: what failed may be what they need. When it is the catalogue, in English."""
    context = {"request_id": _request_id(request), **more}
    try:
        page = render_to_string(template, context)
    except Exception:
        log.exception("The page %s could not be shown in the reader's language.", template)
        with translation.override(None):
            page = render_to_string(template, context)
    return HttpResponse(page, status=status)


def _request_id(request: HttpRequest) -> str:
    return str(request.META.get("REQUEST_ID", ""))
