"""Taking messages in, and telling what became of them."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, PolymorphicProxySerializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api import requests
from exceptions_app.api.base import ActingView, ApiView, person
from exceptions_app.api.batches import batch_as_json
from exceptions_app.api.documented import (
    CURSOR,
    IDEMPOTENCY_KEY,
    PAGE_SIZE,
    READING,
    WRITING,
    ProblemDocument,
    endpoint,
)
from exceptions_app.api.pagination import PARAMETERS, answer_page, documented_page, page_of
from exceptions_app.api.parsing import JsonLinesParser, SafeJSONParser
from exceptions_app.api.problems import parameter, problem_body, problem_response
from exceptions_app.api.receiving import STATUSES, Outcome, refuse_for_room, room_told, take_in
from exceptions_app.api.responses import BatchShape, Shape
from exceptions_app.api.room import NO_ROOM
from exceptions_app.queries.batches import told
from exceptions_app.queries.connection_reach import ConnectionReach, connection_reach_of
from exceptions_app.queries.messages import messages_for, refs_of
from integrations.models import InboxMessage

_TAG = "Messages"
NUMBER = OpenApiParameter("number", OpenApiTypes.INT, OpenApiParameter.PATH, description="From a receipt.")
_EXAMPLE = {
    "connection": "tax-authority",
    "id": "2026-11-02/INV-1001/1",
    "payload": {"media_type": "application/xml", "text": '<Invoice xmlns="urn:oasis:…:Invoice-2">…</Invoice>'},
    "refusal": {"media_type": "application/xml", "status": 422, "headers": {}, "text": "<svrl:schematron-output>…"},
    "context": {"batch": "2026-11-02"},
}
_RECEIPT = {
    "id": "2026-11-02/INV-1001/1",
    "connection": "tax-authority",
    "status": "accepted",
    "message": "https://workbench.example/api/v1/messages/42",
    "problem": None,
}


class ReceiptShape(Shape):
    """What became of one message."""

    id = serializers.CharField(help_text="The sender's own identifier.")
    connection = serializers.CharField()
    status = serializers.ChoiceField(
        choices=STATUSES,
        help_text="accepted: kept and about to be read. repeat: it was here already. conflict: kept, but the "
        "identifier came before with other content. refused: not kept.",
    )
    message = serializers.URLField(allow_null=True, help_text="Where to read what became of it; null when refused.")
    problem = ProblemDocument(allow_null=True, help_text="Why, for conflict and refused.")


class ManyReceipts(Shape):
    """What became of each message, in the order in which they were sent."""

    messages = ReceiptShape(many=True)
    accepted = serializers.IntegerField()
    repeat = serializers.IntegerField()
    conflict = serializers.IntegerField()
    refused = serializers.IntegerField()


class IntakeProblem(Shape):
    problem = serializers.CharField()
    field = serializers.CharField(help_text="The part of the message at fault.")
    remedy = serializers.CharField()


class MessageShape(Shape):
    """A message that came in, and what became of it."""

    url = serializers.URLField()
    id = serializers.CharField(help_text="The sender's own identifier.")
    connection = serializers.CharField()
    status = serializers.CharField(help_text="pending, processed, failed or set_aside.")
    via = serializers.CharField(help_text="api, hook, folder, sftp or pull.")
    received_at = serializers.DateTimeField()
    received_by = serializers.CharField()
    processed_at = serializers.DateTimeField(allow_null=True)
    repeats = serializers.IntegerField(help_text="How often the same message came again.")
    content_sha256 = serializers.CharField()
    problem = IntakeProblem(allow_null=True, help_text="Why it could not be read, for failed and set_aside.")
    exceptions = serializers.ListField(
        child=serializers.CharField(), help_text="References of the exceptions that it became or belongs to."
    )
    batch = BatchShape(allow_null=True, help_text="What became of the file that it answers, as a whole.")


class Messages(ActingView):
    parser_classes = [SafeJSONParser, JsonLinesParser]
    query_parameters = PARAMETERS | {"status", "connection", "contains"}

    @endpoint(
        "list_messages",
        "List messages",
        "Newest first: all of the connections that are granted to the account; of connections that lead to a queue "
        "and a legal entity where it corrects, what could not be read and what became an exception that it sees. "
        "With status=failed: the intake failures, each with what is wrong and what to do.",
        tag=_TAG,
        answers={200: documented_page(MessageShape, name="MessagePage")},
        problems=READING,
        parameters=[
            OpenApiParameter("status", OpenApiTypes.STR, enum=InboxMessage.Status.values),
            OpenApiParameter("connection", OpenApiTypes.STR, description="Name of a connection."),
            OpenApiParameter("contains", OpenApiTypes.STR, description="Part of the sender's identifier."),
            CURSOR, PAGE_SIZE,
        ],
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        user = person(request)
        found = messages_for(user, _reach_for(request))
        if (status := request.query_params.get("status")) is not None:
            if status not in InboxMessage.Status.values:
                known = ", ".join(InboxMessage.Status.values)
                raise parameter("status", f"There is no status “{status[:40]}”.", f"Send one of {known}.")
            found = found.filter(status=status)
        if (slug := request.query_params.get("connection")) is not None:
            found = found.filter(connection__slug=slug.replace("\x00", "�"))
        if text := request.query_params.get("contains", "").strip():
            found = found.filter(external_id__icontains=text.replace("\x00", "�"))
        return answer_page(
            page_of(request, found.select_related("connection", "batch")), lambda rows: represent(rows, request)
        )

    @endpoint(
        "hand_in_messages",
        "Hand in messages",
        "One message, or up to 5,000: in messages, or as application/x-ndjson one on each line. It is durable when the "
        "answer comes: 202 means committed. The same identifier with the same content is a repeat and no error, so a "
        "message may be sent again at any time. The same identifier with other content is kept as an intake failure "
        "and answered with 409, or with the status conflict among many. Of many, each has its own outcome; look at "
        "every status. What cannot be read as a document is no error here: it becomes an intake failure that people "
        "see, with its original. Needs ingest_messages on the connection.",
        tag=_TAG,
        request=PolymorphicProxySerializer(
            "OneOrManyMessages", [requests.Message, requests.ManyMessagesDocumented], resource_type_field_name=None
        ),
        answers={
            202: OpenApiResponse(
                PolymorphicProxySerializer(
                    "OneOrManyReceipts", [ReceiptShape, ManyReceipts], resource_type_field_name=None
                ),
                description="Committed. For one message its receipt, for many one receipt each, in their order.",
                examples=[OpenApiExample("One", value=_RECEIPT, response_only=True, status_codes=["202"])],
            )
        },
        problems=[*WRITING, kinds.UNKNOWN_CONNECTION, kinds.IDENTIFIER_REUSED, *NO_ROOM],
        parameters=[IDEMPOTENCY_KEY],
        examples=[
            OpenApiExample("One", value=_EXAMPLE, request_only=True),
            OpenApiExample("Many", value={"messages": [_EXAMPLE]}, request_only=True),
        ],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    @property
    def most_bytes(self) -> int:
        """A request of thousands is larger than what other addresses have to read."""
        return int(settings.MESSAGES_MAX_BYTES)

    def act(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        if isinstance(request.data, dict) and "messages" in request.data:
            items = requests.body_of(request, requests.ManyMessages)["messages"]
            outcomes = take_in(items, request, scoped=True)
            refuse_for_room(outcomes)
            receipts = [receipt_of(outcome, request) for outcome in outcomes]
            counts = Counter(outcome.status for outcome in outcomes)
            body = {"messages": receipts, **{status: counts[status] for status in STATUSES}}
            return Response(body, status=202, headers=room_told(outcomes))
        [outcome] = outcomes = take_in([request.data], request, scoped=False)
        refuse_for_room(outcomes)
        if outcome.problem is not None:
            return problem_response(outcome.problem, request)
        return Response(receipt_of(outcome, request), status=202, headers=room_told(outcomes))


def receipt_of(outcome: Outcome, request: Request) -> dict[str, Any]:
    return {
        "id": outcome.external_id,
        "connection": outcome.connection,
        "status": outcome.status,
        "message": _url_of(outcome.receipt.message, request) if outcome.receipt else None,
        "problem": problem_body(outcome.problem, request) if outcome.problem else None,
    }


def _url_of(message: InboxMessage, request: Request) -> str:
    return str(reverse("api:message", args=[message.pk], request=request))


class MessageItem(ApiView):
    @endpoint(
        "read_message",
        "Read what became of a message",
        "Its status, why it could not be read, and the references of the exceptions that it became. Seen by "
        "whoever cares for its connection.",
        tag=_TAG,
        answers={200: MessageShape},
        problems=[*READING, kinds.NOT_FOUND],
        parameters=[NUMBER],
    )
    def get(self, request: Request, number: int) -> Response:
        return Response(represent([message_for(request, number)], request)[0])


def _reach_for(request: Request) -> ConnectionReach:
    """Read once per request."""
    kept = vars(request)
    if "connection_reach" not in kept:
        kept["connection_reach"] = connection_reach_of(person(request))
    reach: ConnectionReach = kept["connection_reach"]
    return reach


def message_for(request: Request, number: int) -> InboxMessage:
    """The message, when the account cares for its connection; otherwise the same answer as for none."""
    user = person(request)
    message = messages_for(user, _reach_for(request)).select_related("connection", "batch").filter(pk=number).first()
    if message is None:
        raise Http404
    return message


def represent(messages: Sequence[InboxMessage], request: Request) -> list[dict[str, Any]]:
    """Messages with the references of their exceptions."""
    user = person(request)
    refs = refs_of(messages, user, _reach_for(request))
    return [
        {
            "url": _url_of(message, request),
            "id": message.external_id,
            "connection": message.connection.slug,
            "status": message.status,
            "via": message.via,
            "received_at": message.received_at,
            "received_by": message.received_by,
            "processed_at": message.processed_at,
            "repeats": message.repeats,
            "content_sha256": message.content_sha256,
            "problem": {"problem": message.problem, "field": message.problem_field, "remedy": message.remedy}
            if message.problem
            else None,
            "exceptions": refs[message.pk],
            "batch": batch_as_json(told(message.batch)) if hasattr(message, "batch") else None,
        }
        for message in messages
    ]
