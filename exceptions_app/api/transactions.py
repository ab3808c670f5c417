"""Handing transactions over for delivery, and asking what became of them."""

from collections import Counter
from datetime import datetime
from typing import Any

from django.http import Http404
from django.utils.dateparse import parse_datetime
from django.utils.timezone import now
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, PolymorphicProxySerializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.api import handing_over, polling, requests
from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api.base import ApiView, person
from exceptions_app.api.documented import CURSOR, PAGE_SIZE, READING, ProblemDocument, endpoint
from exceptions_app.api.handing_over import STATUSES, Outcome, take_in
from exceptions_app.api.idempotency import key_of
from exceptions_app.api.pagination import PARAMETERS, answer_page, documented_page, page_of
from exceptions_app.api.problems import Problem, chosen, parameter, problem_body, problem_response
from exceptions_app.api.responses import Shape
from exceptions_app.api.room import NO_ROOM, headers_of
from exceptions_app.api.transaction_document import TransactionShape, address_of, document_of, tag_of
from exceptions_app.handover_states import SETTLED, TransactionState
from exceptions_app.models import Transaction
from exceptions_app.queries.transactions import WITH_ITS_NAMES, Sight, TransactionFilter, filtered, sight_of

_TAG = "Transactions"
REF = OpenApiParameter("ref", OpenApiTypes.STR, OpenApiParameter.PATH, description="Reference, for instance TX-7.")
KEY = OpenApiParameter(
    "Idempotency-Key", OpenApiTypes.STR, OpenApiParameter.HEADER,
    description="Stands for the id of a single transaction that has none. Kept for as long as the transaction is.",
)  # fmt: skip
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match", OpenApiTypes.STR, OpenApiParameter.HEADER,
    description="The ETag of the transaction as it was read. While it has not changed the answer is 304.",
)  # fmt: skip
WAIT = OpenApiParameter(
    "wait", OpenApiTypes.INT,
    description="Seconds, up to 20, to hold the answer back while the transaction is under way, or has not changed "
    "since If-None-Match.",
)  # fmt: skip
_BUSY = frozenset(TransactionState) - SETTLED - {TransactionState.HELD}
_EXAMPLE = {
    "connection": "corporate-erp",
    "id": "deal-4711",
    "payload": {"media_type": "application/json", "text": '{"type": "customer_invoice", "number": "4900001234", …}'},
    "after": ["customer-1001"],
}
_HANDING_IN = (
    *READING, kinds.NOT_PERMITTED, kinds.MALFORMED, kinds.LENGTH_REQUIRED, kinds.TOO_LARGE,
    kinds.UNSUPPORTED_MEDIA_TYPE, kinds.INVALID_CONTENT, kinds.UNKNOWN_CONNECTION, kinds.IDENTIFIER_REUSED, *NO_ROOM,
)  # fmt: skip


class HandOverReceipt(Shape):
    """What became of one of many."""

    id = serializers.CharField(help_text="The sender's own identifier.")
    connection = serializers.CharField()
    status = serializers.ChoiceField(
        choices=STATUSES,
        help_text="accepted: it is in our hands. repeat: it was already. conflict: its identifier came before with "
        "other content. refused: not kept.",
    )
    transaction = TransactionShape(allow_null=True)
    problem = ProblemDocument(allow_null=True, help_text="Why, for conflict and refused.")


class ManyHandOverReceipts(Shape):
    """What became of each transaction, in the order in which they were sent."""

    transactions = HandOverReceipt(many=True)
    accepted = serializers.IntegerField()
    repeat = serializers.IntegerField()
    conflict = serializers.IntegerField()
    refused = serializers.IntegerField()


class Transactions(ApiView):
    query_parameters = PARAMETERS | {"state", "connection", "since"}

    @endpoint(
        "list_transactions",
        "List transactions",
        "Newest first: all of the connections for which the account hands in or that it configures, and those whose "
        "queue and legal entity are granted to it.",
        tag=_TAG,
        answers={200: documented_page(TransactionShape, name="TransactionPage")},
        problems=READING,
        parameters=[
            OpenApiParameter("state", OpenApiTypes.STR, enum=[state.value for state in TransactionState]),
            OpenApiParameter("connection", OpenApiTypes.STR, description="Name of a connection."),
            OpenApiParameter("since", OpenApiTypes.DATETIME, description="Changed at or after this time."),
            CURSOR, PAGE_SIZE,
        ],
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        sight = sight_of(person(request))
        found = filtered(sight.transactions(), _filter_of(request))
        page = page_of(request, found)
        return answer_page(page, lambda rows: [document_of(row, request, sight) for row in rows])

    @endpoint(
        "hand_over_transactions",
        "Hand over transactions for delivery",
        "One transaction, or up to 1,000 in transactions. It is durable when the answer comes: 202 means committed. It "
        "is then checked, and delivered to the connection's target, or held as an exception before anything is sent. "
        "The same identifier with the same content is a repeat: 200, with the state in which the transaction is now "
        "and Idempotent-Replayed: true, at any time and however often. The same identifier with other content is a "
        "409. Another identifier for the same document with the same content becomes a duplicate, which has the "
        "result of the first one. Of many, each has its own outcome; look at every status. Needs ingest_messages on "
        "the connection.",
        tag=_TAG,
        request=PolymorphicProxySerializer(
            "OneOrManyHandOvers",
            [handing_over.HandOver, handing_over.ManyHandOversDocumented],
            resource_type_field_name=None,
        ),
        answers={
            200: OpenApiResponse(TransactionShape, description="A repeat: the transaction as it is now."),
            202: OpenApiResponse(
                PolymorphicProxySerializer(
                    "OneOrManyTransactions", [TransactionShape, ManyHandOverReceipts], resource_type_field_name=None
                ),
                description="Committed. For one the transaction, its address in Location; for many one receipt each.",
            ),
        },
        problems=_HANDING_IN,
        parameters=[KEY],
        examples=[
            OpenApiExample("One", value=_EXAMPLE, request_only=True),
            OpenApiExample("Many", value={"transactions": [_EXAMPLE]}, request_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        if isinstance(request.data, dict) and "transactions" in request.data:
            items = requests.body_of(request, handing_over.ManyHandOvers)["transactions"]
            outcomes = take_in(items, request, scoped=True)
            _refuse_for_room(outcomes)
            counts = Counter(outcome.status for outcome in outcomes)
            receipts = [_receipt_of(outcome, request) for outcome in outcomes]
            return Response({"transactions": receipts, **{status: counts[status] for status in STATUSES}}, status=202)
        [outcome] = take_in([_with_key(request)], request, scoped=False)
        return _answer(outcome, request)


def _refuse_for_room(outcomes: list[Outcome]) -> None:
    """When there was no room for any of them, that is the answer to the request; raises Problem."""
    problems = [outcome.problem for outcome in outcomes if outcome.problem and outcome.problem.kind in NO_ROOM]
    if problems and len(problems) == len(outcomes):
        raise problems[0]


def _with_key(request: Request) -> Any:
    """The body, with the header's key for the identifier that it lacks."""
    key, body = key_of(request), request.data
    return {"id": key, **body} if key is not None and isinstance(body, dict) else body


def _answer(outcome: Outcome, request: Request) -> Response:
    transaction = outcome.transaction
    if transaction is None:
        return problem_response(outcome.problem or Problem(kinds.INVALID_CONTENT), request)
    headers = {"Location": address_of(transaction, request), "ETag": tag_of(transaction)}
    headers |= headers_of(transaction.connection, now=now())
    if outcome.is_repeat:
        headers["Idempotent-Replayed"] = "true"
    document = document_of(transaction, request, _own(transaction))
    return Response(document, status=200 if outcome.is_repeat else 202, headers=headers)


def _own(transaction: Transaction) -> Sight:
    """What who hands in for its connection sees of it."""
    connections = frozenset({transaction.connection_id})
    return Sight(ingesting=connections, configured=frozenset(), queues=(), entities=())


def _receipt_of(outcome: Outcome, request: Request) -> dict[str, Any]:
    found = outcome.transaction
    return {
        "id": outcome.external_id,
        "connection": outcome.connection,
        "status": outcome.status,
        "transaction": document_of(found, request, _own(found)) if found is not None else None,
        "problem": problem_body(outcome.problem, request) if outcome.problem else None,
    }


def _filter_of(request: Request) -> TransactionFilter:
    state, since = chosen(request, "state", TransactionState), request.query_params.get("since")
    return TransactionFilter(
        states=(state,) if state else (),
        connection=request.query_params.get("connection", "").replace("\x00", "�"),
        since=_moment(since) if since is not None else None,
    )


def _moment(text: str) -> datetime:
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise parameter(
            "since", f"“{text[:40]}” is no time with its offset from UTC.", "Send one such as 2026-12-01T09:00:00Z."
        )
    return moment


class TransactionItem(ApiView):
    query_parameters = frozenset({"wait"})

    @endpoint(
        "read_transaction",
        "Read what became of a transaction",
        "How far it is, the target's reference once it is delivered, why it is held, and for a repeat how the first "
        "one stands. With wait the answer is held back until something is known.",
        tag=_TAG,
        answers={200: TransactionShape, 304: OpenApiResponse(description="It has not changed since.")},
        problems=[*READING, kinds.NOT_FOUND],
        parameters=[REF, WAIT, IF_NONE_MATCH],
    )
    def get(self, request: Request, ref: str) -> Response:
        sight, seconds = sight_of(person(request)), polling.seconds_of(request)
        if seconds:
            polling.wait_until(lambda: _is_news(_find(sight, ref), request), seconds=seconds)
        transaction = _find(sight, ref)
        tag = tag_of(transaction)
        if polling.names(request, tag):
            return Response(status=304, headers={"ETag": tag})
        return Response(document_of(transaction, request, sight), headers={"ETag": tag})


def _find(sight: Sight, ref: str) -> Transaction:
    """The transaction, when the account may see it; otherwise the same answer as for none."""
    transaction = sight.transactions().with_ref(ref).select_related(*WITH_ITS_NAMES).first()
    if transaction is None:
        raise Http404
    return transaction


def _is_news(transaction: Transaction, request: Request) -> bool:
    """Whether there is no more to wait for: it changed since it was read, or else it stands still."""
    if "If-None-Match" in request.headers:
        return transaction.is_settled or not polling.names(request, tag_of(transaction))
    first = transaction.duplicate_of
    return TransactionState((first or transaction).state) not in _BUSY
