"""The page of one exception, its parts that are fetched alone, and its documents as files."""

import re
from dataclasses import replace
from pathlib import Path

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.timezone import now
from django.utils.translation import gettext, gettext_noop
from django.views.decorators.http import require_GET

from exceptions_app import policies
from exceptions_app.actions.drafts import Kept, save_draft
from exceptions_app.downloads import as_attachment
from exceptions_app.forms import mine_of
from exceptions_app.models import Attachment, Evidence, ExceptionCase, Occurrence
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.case_page import content_of
from exceptions_app.queries.erasures import erasure_of
from exceptions_app.states import Action
from exceptions_app.veiling import may_have
from exceptions_app.views.case_context import Asked, Notice
from exceptions_app.views.case_history import history_context
from exceptions_app.views.conflict import show_conflict
from exceptions_app.views.draft_texts import to_keep
from exceptions_app.views.errors import erased
from exceptions_app.views.interrupted import (
    IS_BELOW_AND_NOT_SENT,
    IS_BELOW_AND_PROVEN,
    Interrupted,
    forget,
    interrupted_at,
    signed_in,
)
from exceptions_app.views.polling import stops_when_refused
from exceptions_app.views.replies import case_url, fragment_or_page, is_htmx, show
from exceptions_app.views.reveal import refused_file
from exceptions_app.views.scope import person, visible_case, visible_revision
from exceptions_app.wording import shown
from integrations.models import InboxContent

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")  # of a file, in the header of a download
# What belongs to the page that was shown, not to the words that were typed.
_OF_THE_OLD_PAGE = frozenset({"base_version", "revision", "frozen_sha256", "as_first"})
_INTERRUPTED = Notice(
    tone="warning",
    title=gettext_noop("You had been signed out"),
    text=IS_BELOW_AND_NOT_SENT,
)

_PROVING = Notice(
    tone="warning",
    title=gettext_noop("Your decision is not sent yet"),
    text=IS_BELOW_AND_PROVEN,
)


@signed_in
@require_GET
def case(request: HttpRequest, ref: str) -> HttpResponse:
    """The whole page, or for htmx the part below with another tab."""
    found = visible_case(request, ref)
    tab, after = request.GET.get("tab", ""), request.GET.get("after", "")
    if is_htmx(request) and request.headers.get("HX-Target") == "case-history":
        verbs = policies.verbs_of(person(request), found)
        context = history_context(found, tab=tab, after=after, verbs=verbs)
        return fragment_or_page(request, "case", context, fragment="_case_history")
    return _with_interrupted(request, found, Asked(tab=tab, after=after))


@signed_in
@require_GET
def raw(request: HttpRequest, ref: str) -> HttpResponse:
    """The same page with the whole document as text in the place of the business fields."""
    return _with_interrupted(request, visible_case(request, ref), Asked(raw=True))


def _with_interrupted(request: HttpRequest, found: ExceptionCase, asked: Asked) -> HttpResponse:
    """What was sent when the sign-in had ended is shown where it was typed."""
    kept = interrupted_at(request, case_url(found))
    asked = replace(asked, use=request.GET.getlist("use"), groups=request.GET.getlist("group"))
    action = _action_of(kept)
    if action is None:
        return show(request, found, asked)
    is_draft = action is Action.CORRECT and _keep(request, found, kept)
    if is_draft:
        forget(request, case_url(found))  # from now on the draft is shown, and stays as it is typed on
    if action is Action.CORRECT and _is_outdated(found, kept):
        return show_conflict(request, found, kept.typed, base_version=_base_of(kept), status=200, kept=is_draft)
    raw = asked.raw or (action is Action.CORRECT and "payload" in kept.typed)
    typed = {action: {name: value for name, value in mine_of(kept.typed).items() if name not in _OF_THE_OLD_PAGE}}
    return show(request, found, replace(asked, typed=typed, raw=raw, notice=_PROVING if kept.proving else _INTERRUPTED))


def _action_of(kept: Interrupted) -> Action | None:
    name = Action.CORRECT.value if kept.action == "draft" else kept.action
    return Action(name) if name in set(Action) else None


def _keep(request: HttpRequest, found: ExceptionCase, kept: Interrupted) -> bool:
    """As their draft, now that it is known who they are: the session holds it only until something else is done."""
    base = _base_of(kept)
    if not base or not found.versions.filter(number=base).exists():
        return False
    typed = to_keep(mine_of(kept.typed), found, base)
    try:
        return save_draft(found.pk, by=person(request), at=now(), base_version=base, typed=typed) is not Kept.NOT
    except NotPermitted:
        return False


def _base_of(kept: Interrupted) -> int:
    """The version that they began with; 0 when it is not said."""
    base = kept.typed.get("base_version", "")
    return int(base) if base.isascii() and base.isdigit() and len(base) < 9 else 0


def _is_outdated(found: ExceptionCase, kept: Interrupted) -> bool:
    numbers = found.versions.order_by("-number").values_list("number", flat=True)
    return _base_of(kept) in numbers and _base_of(kept) != numbers[0]


@signed_in
@require_GET
@stops_when_refused(always=True)
def status(request: HttpRequest, ref: str) -> HttpResponse:
    """For the page that waits for an outcome: nothing while nothing has changed, then the page as it stands."""
    if request.GET.get("revision") == str(visible_revision(request, ref)):
        return HttpResponse(status=204)
    return show(request, visible_case(request, ref), Asked())


@signed_in
@require_GET
def version(request: HttpRequest, ref: str, number: int) -> HttpResponse:
    """The bytes of one version."""
    found = visible_case(request, ref)
    wanted = content_of(found, number)
    if wanted is None:
        raise Http404
    if not wanted.content:
        return _gone(request, found)
    return _file(request, found, bytes(wanted.content), wanted.media_type, name=f"{found.ref}-version-{number}")


@signed_in
@require_GET
def payload(request: HttpRequest, ref: str, occurrence_id: int) -> HttpResponse:
    """The document of one arrival, exactly as it was handed in."""
    found = visible_case(request, ref)
    content = _handed_in(found, occurrence_id)
    if not content.payload:
        return _gone(request, found)
    name = f"{found.ref}-message-{occurrence_id}-document"
    return _file(request, found, bytes(content.payload), content.payload_media_type, name=name)


@signed_in
@require_GET
def refusal(request: HttpRequest, ref: str, occurrence_id: int) -> HttpResponse:
    """The refusal of one arrival, exactly as it was handed in."""
    found = visible_case(request, ref)
    content = _handed_in(found, occurrence_id)
    if not content.payload:
        return _gone(request, found)
    name = f"{found.ref}-message-{occurrence_id}-refusal"
    body = bytes(content.refusal)
    if not may_have(request, found, body, is_answer=True):
        return refused_file(request)
    return as_attachment(body, content.refusal_media_type, name=name)


@signed_in
@require_GET
def evidence(request: HttpRequest, ref: str, proposal_id: int) -> HttpResponse:
    """The file that proves a statement about a sending of unknown outcome."""
    found = visible_case(request, ref)
    kept = get_object_or_404(Evidence.objects.exclude(file_name=""), pk=proposal_id, proposal__case=found)
    if not kept.content:
        return _gone(request, found)
    name = f"{found.ref}-proof-{proposal_id}-{Path(kept.file_name).stem}"
    return as_attachment(bytes(kept.content), kept.media_type, name=name)


@signed_in
@require_GET
def attachment(request: HttpRequest, ref: str, attachment_id: int) -> HttpResponse:
    """A file that came with a comment, to be saved."""
    found = visible_case(request, ref)
    kept = get_object_or_404(Attachment, pk=attachment_id, case=found)
    if not kept.content:
        return _gone(request, found)
    stem = _NOT_IN_A_NAME.sub("-", Path(kept.file_name).stem).strip("-")
    name = f"{found.ref}-{stem or 'file'}-{kept.pk}"
    return as_attachment(bytes(kept.content), kept.media_type, name=name)


def _file(request: HttpRequest, found: ExceptionCase, content: bytes, media_type: str, *, name: str) -> HttpResponse:
    """The very bytes, for who may see all that is in them now."""
    return as_attachment(content, media_type, name=name) if may_have(request, found, content) else refused_file(request)


def _gone(request: HttpRequest, found: ExceptionCase) -> HttpResponse:
    gone = erasure_of(found)
    words = shown(gone.words) if gone is not None else gettext("What was here was erased under a policy of retention.")
    return erased(request, words, back_url=case_url(found))


def _handed_in(found: ExceptionCase, occurrence_id: int) -> InboxContent:
    occurrence = get_object_or_404(Occurrence, pk=occurrence_id, case=found)
    return get_object_or_404(InboxContent, pk=occurrence.inbox_message_id)
