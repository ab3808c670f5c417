"""One transaction that was handed over for delivery: how it stands, what came in, what is sent, and what happened."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from exceptions_app.downloads import as_attachment
from exceptions_app.forms import OUTCOME_WORDS
from exceptions_app.handover_states import UNDER_WAY
from exceptions_app.models import Transaction
from exceptions_app.models.handover import SET_ASIDE
from exceptions_app.queries.case_history import attempts_of
from exceptions_app.queries.case_page import full_names
from exceptions_app.queries.connection_reach import ConnectionReach, connection_reach_of
from exceptions_app.queries.field_maps import MapKey
from exceptions_app.queries.intake_failures import UNREAD, Part, bytes_of
from exceptions_app.queries.mapping_standing import mappings_within
from exceptions_app.queries.reach import Reach, cases_within
from exceptions_app.queries.sensitive import with_reveal
from exceptions_app.queries.transaction_page import Sent, TransactionPage, read_page, sent_bytes
from exceptions_app.queries.transactions import Sight, find_one, sight_of
from exceptions_app.source_text import holds_masked
from exceptions_app.states import Outcome
from exceptions_app.veiling import is_shown, speaks_of_document
from exceptions_app.views.case_history import address_of, attempt_rows, event_rows
from exceptions_app.views.excerpts import excerpt
from exceptions_app.views.field_maps import title_of
from exceptions_app.views.interrupted import signed_in
from exceptions_app.views.reveal import refused_file
from exceptions_app.views.scope import person, reach_for
from exceptions_app.wording import say, shown
from integrations import delivery as engine
from integrations.models import Direction
from integrations.records.schemas import DESCRIPTIONS

_TITLES = {"payload": "What the source handed over", "refusal": "The refusal beside it"}


@require_safe
@never_cache
@signed_in
def transaction(request: HttpRequest, ref: str) -> HttpResponse:
    found, sight = _transaction(request, ref)
    reach = connection_reach_of(person(request))
    page = read_page(found, sight)
    message = found.inbox_message
    for part in _documents(page):
        speaks_of_document(request, part.head)
    context = {
        "transaction": found,
        "page": page,
        "title": (page.known and found.document_number) or found.external_id,
        "outcome_words": _outcome_words(found),
        "hold": engine.hold_on(found.connection_id) if found.state in UNDER_WAY else None,
        "failure_url": (
            reverse("exceptions:intake_failure", args=[message.pk])
            if message.status in UNREAD and message.connection_id in reach.cared_for
            else ""
        ),
        "sees_connection": found.connection_id in reach.seen,
        "maps": _maps(page, reach),
        "has_maps": _maps_used(page) is not None,
        "mapped_values": _mapped_values(page, reach_for(request)),
        "parts": _parts(page),
        "unchanged": _is_unchanged(page),
        "deliveries": _deliveries(page),
        "events": event_rows(page.events, full_names({event.actor for event in page.events}), currency=found.currency),
        "trail": [{"label": gettext("Transactions"), "url": reverse("exceptions:transactions")}],
    }
    return render(request, "exceptions/transaction.html", context)


def _transaction(request: HttpRequest, ref: str) -> tuple[Transaction, Sight]:
    """The transaction, when the person may see it; 404 otherwise, as if it were not there."""
    sight = sight_of(person(request))
    found = find_one(sight, ref)
    if found is None:
        raise Http404
    return found, sight


def _outcome_words(found: Transaction) -> str:
    if found.outcome == SET_ASIDE:
        return "Set aside, as it could not be read"
    return OUTCOME_WORDS[Outcome(found.outcome)] if found.outcome else ""


def _maps_used(page: TransactionPage) -> list[str] | None:
    """As the last reading named them, such as "inbound invoice 2"; None while nothing is recorded."""
    recorded = (event.data["field_maps"] for event in reversed(page.events) if "field_maps" in event.data)
    return next(recorded, None)


def _maps(page: TransactionPage, reach: ConnectionReach) -> list[dict[str, str]]:
    found = page.transaction
    rows = []
    for name in _maps_used(page) or []:
        direction, object_type, number = f"{name}  ".split(" ")[:3]
        if direction not in Direction.values or object_type not in DESCRIPTIONS or not number.isdigit():
            rows.append({"title": name, "url": ""})
            continue
        key = MapKey(direction, object_type)
        url = reverse("exceptions:field_map_version", args=[found.connection.slug, key.name, int(number)])
        is_seen = found.connection_id in reach.seen
        rows.append({"title": _version(title_of(key), number), "url": url if is_seen else ""})
    return rows


def _version(title: str, number: object) -> str:
    return shown(say("{title}, version {number}", title=title, number=number))


def _mapped_values(page: TransactionPage, reach: Reach) -> list[dict[str, str]]:
    """What value mappings gave, as the last reading told it; the values only to whoever may see their mapping."""
    recorded = (event.data["mapped_values"] for event in reversed(page.events) if "mapped_values" in event.data)
    told: list[dict[str, Any]] = next(recorded, [])
    seen = {found.ref for found in mappings_within(reach)} if told else set()
    rows = []
    for found in told:
        visible = found["mapping"] in seen
        rows.append(
            {
                "title": _version(found["mapping"], found["version"]),
                "url": reverse("exceptions:value_mapping", args=[found["mapping"]]) if visible else "",
                "words": f"“{found['source']}” is “{found['target']}”" if visible else "",
            }
        )
    return rows


def _is_unchanged(page: TransactionPage) -> bool:
    """Whether what is sent is, byte for byte, what came in; of what is too long to be shown whole nothing is said."""
    if page.original is None or page.sent is None:
        return False
    came, sent = page.original.payload, page.sent.part
    return came.size == sent.size == len(came.head) and came.head == sent.head


def _parts(page: TransactionPage) -> list[dict[str, object]]:
    """Each as the template of a part of a message wants it."""
    if page.original is None:
        return []
    ref = page.transaction.ref
    came = page.original.payload
    parts = [{
        "title": _TITLES[came.name],
        "part": came,
        "excerpt": excerpt(came.head, size=came.size),
        "url": reverse("exceptions:transaction_payload", args=[ref]),
    }]  # fmt: skip
    if page.sent is not None and not _is_unchanged(page):
        sent = page.sent.part
        url = _address_of_sent(page.transaction, page.sent)
        parts.append(
            {
                "title": _sent_title(page, page.sent),
                "part": sent,
                "excerpt": excerpt(sent.head, size=sent.size),
                "url": url,
            }
        )
    return parts


def _documents(page: TransactionPage) -> list[Part]:
    """What the page repeats something of."""
    came = [page.original.payload, page.original.refusal] if page.original is not None else []
    sent = [page.sent.part] if page.sent is not None else []
    return [part for part in (*came, *sent) if part is not None]


def _address_of_sent(found: Transaction, sent: Sent) -> str:
    if sent.version and found.case is not None:
        return reverse("exceptions:version", args=[found.case.ref, sent.version])
    return reverse("exceptions:transaction_sent", args=[found.ref])


def _sent_title(page: TransactionPage, sent: Sent) -> str:
    found = page.transaction
    title = {
        "waiting": "What will be sent",
        "held": "What would be sent",
        "closed": "What was not delivered",
        "delivered": "What was sent",
    }.get(found.state, "What is sent")
    return f"{title}: version {sent.version} of {found.case.ref}" if sent.version and found.case else title


def _deliveries(page: TransactionPage) -> list[Any]:
    attempts = attempts_of(page.deliveries, with_bodies=True) if page.deliveries else {}
    return [(found, attempt_rows(attempts[found.pk]), address_of(found)) for found in page.deliveries]


@require_safe
@never_cache
@signed_in
def payload(request: HttpRequest, ref: str) -> HttpResponse:
    """What the source handed over, byte for byte, for those who may see the document."""
    found, sight = _transaction(request, ref)
    if not sight.knows_the_document(found):
        raise Http404
    content, media_type = bytes_of(found.inbox_message, "payload")
    return _file(request, found, content, media_type, name=f"{found.ref}-source")


@require_safe
@never_cache
@signed_in
def sent(request: HttpRequest, ref: str) -> HttpResponse:
    """What was sent for it without an exception, or is kept to be sent."""
    found, sight = _transaction(request, ref)
    content = sent_bytes(found) if sight.knows_the_document(found) else None
    if content is None:
        raise Http404
    return _file(request, found, *content, name=f"{found.ref}-sent")


def _file(request: HttpRequest, found: Transaction, content: bytes, media_type: str, *, name: str) -> HttpResponse:
    """The very bytes. Masked values are shown on an exception, so without one such a document is not handed out."""
    if holds_masked(content) and not _is_shown(request, found):
        return refused_file(request)
    return as_attachment(content, media_type, name=name)


def _is_shown(request: HttpRequest, found: Transaction) -> bool:
    if found.case is None:
        return False
    mine = cases_within(reach_for(request)).filter(pk=found.case.pk)
    case = with_reveal(mine, person(request)).first()
    return case is not None and is_shown(request, case)
