"""Reviews of access: opened, decided line by line, closed or cancelled. For administrators."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from exceptions_app.actions import access_review as actions
from exceptions_app.actions.mover import Invalid
from exceptions_app.models import AccessReview, AccessReviewItem
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.access_review import is_alone, is_own, standing_now, what_became_of
from exceptions_app.queries.keyset import Key, Sort, page
from exceptions_app.views.access_review_forms import CancelForm, EndForm, OpenReviewForm
from exceptions_app.views.access_review_words import ItemWords, ended_words, said_of, scopes_of, totals_of
from exceptions_app.views.addresses import address
from exceptions_app.views.errors import not_permitted
from exceptions_app.views.interrupted import begin_again, forget, interrupted_at, signed_in
from exceptions_app.views.listing import page_of
from exceptions_app.views.posted import posted_from
from exceptions_app.views.scope import person
from exceptions_app.wording import say, shown, together

PAGE_SIZE = 50
MISSING = say("You may not review access. Administrators do, each that of others.")
PERMISSION = say("staff status")
NEWEST = Sort("newest", (Key("id", "integer", descending=True),))
IN_ORDER = Sort("position", (Key("position", "integer"),))
OPEN, DECIDED, ALL_LINES = "open", "decided", "all"
SHOWN = {OPEN: "To decide", DECIDED: "Decided", ALL_LINES: "All"}


@dataclass(frozen=True, slots=True)
class Line:
    """One item as the page shows it. `changed` says what is granted otherwise since the round was opened."""

    item: AccessReviewItem
    said: ItemWords
    outcome: str
    is_own: bool
    changed: str
    is_ticked: bool
    form: EndForm | None


def _administers(request: HttpRequest) -> bool:
    return person(request).is_active and person(request).is_staff


def reviews_with_counts() -> QuerySet[AccessReview]:
    waiting = Count("items", filter=Q(items__outcome=""))
    return AccessReview.objects.select_related("opened_by", "closed_by").annotate(waiting=waiting)


@require_safe
@never_cache
@signed_in
def access_reviews(request: HttpRequest) -> HttpResponse:
    if not _administers(request):
        return not_permitted(request, MISSING, permission=PERMISSION)
    form = OpenReviewForm()
    begin_again(request, form, _list_url(request, None), sent_to="open")
    return _list(request, form)


def _list(request: HttpRequest, form: OpenReviewForm, *, status: int = 200) -> HttpResponse:
    notices: list[str] = []
    found = page_of(
        request,
        lambda cursor, way: page(reviews_with_counts(), NEWEST, size=PAGE_SIZE, cursor=cursor, direction=way),
        notices,
    )
    scopes = scopes_of(found.rows)
    context = {
        "reviews": [(review, scopes[review.scope], totals_of(review)) for review in found.rows],
        "now": now(),
        "form": form,
        "trail": [{"label": gettext("Access"), "url": reverse("exceptions:access")}],
        "notices": notices,
        "next_url": address(request, after=found.next_cursor) if found.next_cursor else "",
        "previous_url": address(request, before=found.previous_cursor) if found.previous_cursor else "",
    }
    return render(request, "exceptions/access_reviews.html", context, status=status)


def _list_url(_request: HttpRequest, _ref: object) -> str:
    return reverse("exceptions:access_reviews")


@posted_from(_list_url)
def access_review_open(request: HttpRequest, ref: str) -> HttpResponse:
    if not _administers(request):
        raise NotPermitted(MISSING)
    form = OpenReviewForm(request.POST)
    if form.is_valid():
        typed = form.cleaned_data
        try:
            review = actions.open_review(
                typed["name"], scope=typed["scope"], due_at=form.due_at(), by=person(request), at=now()
            )
        except Invalid as error:
            field = {"due_at": "until"}.get(error.field, error.field)
            form.add_error(field if field in form.fields else None, shown(error.problem))
        else:
            forget(request, _list_url(request, ref))
            messages.success(
                request, shown(say("{review} is open, with {count} to decide.", review=review, count=review.count))
            )
            return HttpResponseRedirect(reverse("exceptions:access_review", args=[review.pk]))
    return _list(request, form, status=422)


@require_safe
@never_cache
@signed_in
def access_review(request: HttpRequest, ref: int) -> HttpResponse:
    return _page(request, _review(request, ref))


def _review(request: HttpRequest, ref: int) -> AccessReview:
    """The round, for an administrator; else 404, as if it were not there."""
    found = reviews_with_counts().filter(pk=ref).first() if _administers(request) else None
    if found is None:
        raise Http404
    return found


def _page(
    request: HttpRequest,
    review: AccessReview,
    *,
    refused: Mapping[int, EndForm] | None = None,
    ticked: Collection[int] = (),
    cancel: CancelForm | None = None,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    notices: list[str] = []
    asked = request.GET.get("show", "")
    show = asked if asked in SHOWN else (OPEN if review.closed_at is None else ALL_LINES)
    rows = review.items.select_related("person", "decided_by")
    rows = {OPEN: rows.filter(outcome=""), DECIDED: rows.exclude(outcome="")}.get(show, rows)
    if refused or ticked:  # the page on which the line is that was refused
        rows = rows.filter(position__gte=min([*(refused or ()), *ticked]))
    found = page_of(
        request,
        lambda cursor, way: page(rows, IN_ORDER, size=PAGE_SIZE, cursor=cursor, direction=way),
        notices,
    )
    here = f"{reverse('exceptions:access_review', args=[review.pk])}?show={show}"
    is_open = review.closed_at is None and review.due_at > now()
    lines = _lines(request, review, list(found.rows), refused or {}, ticked or _ticked_before(request, review))
    cancel = cancel or CancelForm()
    begin_again(request, cancel, _url_of(review), sent_to="cancel")
    context = {
        "review": review,
        "scope": scopes_of([review])[review.scope],
        "totals": totals_of(review),
        "is_over": review.closed_at is None and not is_open,
        "lines": lines,
        "may_confirm": any(line.form is not None and not line.is_own for line in lines),
        "is_alone": is_open and is_alone(person(request)),
        "cancel": cancel if is_open and vars(review)["waiting"] else None,
        "tabs": _tabs(review, show),
        "problem": problem,
        "notices": notices,
        "trail": [
            {"label": gettext("Access"), "url": reverse("exceptions:access")},
            {"label": gettext("Reviews"), "url": reverse("exceptions:access_reviews")},
        ],
        "next_url": f"{here}&after={found.next_cursor}" if found.next_cursor else "",
        "previous_url": f"{here}&before={found.previous_cursor}" if found.previous_cursor else "",
    }
    return render(request, "exceptions/access_review.html", context, status=status)


def _tabs(review: AccessReview, show: str) -> list[dict[str, Any]]:
    waiting = vars(review)["waiting"]
    counts = {OPEN: waiting, DECIDED: review.count - waiting, ALL_LINES: review.count}
    page_url = reverse("exceptions:access_review", args=[review.pk])
    labels = SHOWN if review.closed_at is None else SHOWN | {OPEN: say("Not decided")}
    return [
        {"label": label, "url": f"{page_url}?show={name}", "current": name == show, "count": counts[name]}
        for name, label in labels.items()
    ]


def _lines(
    request: HttpRequest,
    review: AccessReview,
    items: list[AccessReviewItem],
    refused: Mapping[int, EndForm],
    ticked: Collection[int],
) -> list[Line]:
    reader, said = person(request), said_of(items)
    roles = set(reader.groups.values_list("name", flat=True))
    granted = standing_now()
    decidable = review.closed_at is None and review.due_at > now()

    def form_of(item: AccessReviewItem) -> EndForm:
        form = refused.get(item.position) or EndForm(item.position)
        begin_again(request, form, _url_of(review), sent_to="end", about=("item", item.position))
        return form

    return [
        Line(
            item,
            said=said[item.position],
            outcome=str(AccessReview.Kept(item.outcome).label) if item.outcome else "",
            is_own=is_own(item, reader, roles),
            changed="" if item.outcome or review.closed_at else what_became_of(item, granted),
            is_ticked=item.position in ticked,
            form=form_of(item) if decidable and not item.outcome else None,
        )
        for item in items
    ]


def _url_of(review: AccessReview) -> str:
    return reverse("exceptions:access_review", args=[review.pk])


def _page_url(request: HttpRequest, ref: int) -> str:
    return _url_of(_review(request, ref))


def _ticked_before(request: HttpRequest, review: AccessReview) -> list[int]:
    """The lines that were about to be confirmed when a sign-in or a proof came in between."""
    kept = interrupted_at(request, _url_of(review))
    if kept.action != "confirm":
        return []
    return _numbers(kept.several.get("item") or [kept.typed.get("item", "")])


def _numbers(texts: list[str]) -> list[int]:
    return [int(text) for text in texts if text.isascii() and text.isdigit() and len(text) < 10]


@posted_from(_page_url)
def access_review_confirm(request: HttpRequest, ref: int) -> HttpResponse:
    review, ticked = _review(request, ref), _numbers(request.POST.getlist("item"))
    try:
        done = actions.confirm(review.pk, ticked, by=person(request), at=now())
    except Invalid as error:
        return _page(request, review, ticked=ticked, problem=shown(error.problem), status=422)
    gone = say("{number} were gone already.", number=done["gone"]) if done["gone"] else ""
    forget(request, _url_of(review))
    messages.success(request, shown(together(say("{number} confirmed.", number=done["kept"]), gone)))
    return HttpResponseRedirect(_page_url(request, ref))


@posted_from(_page_url)
def access_review_end(request: HttpRequest, ref: int) -> HttpResponse:
    review = _review(request, ref)
    position = next(iter(_numbers([request.POST.get("item", "")])), 0)
    form = EndForm(position, request.POST)
    try:
        if not form.is_valid():
            return _page(request, review, refused={position: form}, status=422)
        because = form.cleaned_data["because"]
        item = actions.end_item(review.pk, position, by=person(request), at=now(), because=because)
    except Invalid as error:
        if error.field != "because":
            return _page(request, review, problem=shown(error.problem), status=422)
        form.add_error("because", shown(error.problem))
        return _page(request, review, refused={position: form}, status=422)
    forget(request, _url_of(review))
    messages.success(request, ended_words(item))
    return HttpResponseRedirect(_page_url(request, ref))


@posted_from(_page_url)
def access_review_close(request: HttpRequest, ref: int) -> HttpResponse:
    review = _review(request, ref)
    try:
        actions.close_review(review.pk, by=person(request), at=now())
    except Invalid as error:
        return _page(request, review, problem=shown(error.problem), status=422)
    forget(request, _url_of(review))
    messages.success(request, shown(say("{review} is closed.", review=review)))
    return HttpResponseRedirect(_page_url(request, ref))


@posted_from(_page_url)
def access_review_cancel(request: HttpRequest, ref: int) -> HttpResponse:
    review, form = _review(request, ref), CancelForm(request.POST)
    try:
        if not form.is_valid():
            return _page(request, review, cancel=form, status=422)
        because = form.cleaned_data["because"]
        actions.cancel_review(review.pk, by=person(request), at=now(), because=because)
    except Invalid as error:
        if error.field != "because":
            return _page(request, review, problem=shown(error.problem), status=422)
        form.add_error("because", shown(error.problem))
        return _page(request, review, cancel=form, status=422)
    forget(request, _url_of(review))
    messages.success(request, shown(say("{review} is cancelled.", review=review)))
    return HttpResponseRedirect(_page_url(request, ref))
