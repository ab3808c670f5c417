"""Webhooks from sources: signed after Standard Webhooks or with a token, answered once what they bring is durable."""

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, cast

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.http import HttpRequest
from django.utils.timezone import now
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, PolymorphicProxySerializer
from rest_framework.authentication import SessionAuthentication
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api import requests
from exceptions_app.api.base import ApiView
from exceptions_app.api.documented import WRITING, endpoint
from exceptions_app.api.hook_contents import Delivered, delivered_by, handed_in
from exceptions_app.api.messages import ManyReceipts, ReceiptShape, receipt_of
from exceptions_app.api.problems import Problem, problem_response
from exceptions_app.api.receiving import STATUSES, Candidate, Outcome, keep, may_ingest, refuse_for_room, room_told
from exceptions_app.api.room import NO_ROOM
from exceptions_app.callers import client_address, network_of
from exceptions_app.limits import count
from integrations import cloudevents, webhooks
from integrations.models import Connection, InboxMessage

log = logging.getLogger(__name__)

# Of one connection from one address; beyond it a failure is answered 429 and not logged. What fits is always taken, so
# that nobody can shut out the source itself.
FAILURES: Final = 30
WINDOW: Final = timedelta(minutes=5)
_NOBODYS: Final = webhooks.new_secret()  # so that an unknown connection is looked at as long as a known one
_SIGNED = [
    OpenApiParameter(
        "webhook-id", OpenApiTypes.STR, OpenApiParameter.HEADER,
        description="1 to 200 visible ASCII characters without a full stop, the same for every attempt. The identifier "
        "of the message, unless it is an event or the connection's rule finds another.",
    ),
    OpenApiParameter(
        "webhook-timestamp", OpenApiTypes.INT, OpenApiParameter.HEADER,
        description="When this attempt was made, in seconds since 1970, within five minutes of now.",
    ),
    OpenApiParameter(
        "webhook-signature", OpenApiTypes.STR, OpenApiParameter.HEADER,
        description="v1, and the base64 of HMAC-SHA256 over “id.timestamp.body”; several, with blanks between them.",
    ),
]  # fmt: skip
_EXAMPLE = {
    "payload": {"media_type": "application/xml", "text": '<Invoice xmlns="urn:oasis:…:Invoice-2">…</Invoice>'},
    "refusal": {"media_type": "application/xml", "status": 422, "headers": {}, "text": "<svrl:schematron-output>…"},
    "ordering_key": "supplier-7",
}


class Hook(ApiView):
    """No session counts here, and so no CSRF token: a request has a signature or a token of its own."""

    authentication_classes = [
        found for found in ApiView.authentication_classes if not issubclass(found, SessionAuthentication)
    ]
    permission_classes = []

    @endpoint(
        "receive_webhook",
        "Receive a webhook",
        "Signed after Standard Webhooks with the secret of the connection, or with a token of an account that has "
        "ingest_messages on it. The body is a message without connection and id; a CloudEvent, structured, in a batch "
        "or in headers, whose data is such a body; or whatever the source sends, when the connection has a rule for "
        "it. 202 means committed; the same again is a repeat and no error. CloudEvents are told apart by source and "
        "id, and read in order of partitionkey or subject.",
        tag="Messages",
        request={
            "application/json": requests.HookMessage,
            cloudevents.STRUCTURED: OpenApiTypes.OBJECT,
            cloudevents.BATCHED: OpenApiTypes.OBJECT,
        },
        answers={
            202: OpenApiResponse(
                PolymorphicProxySerializer(
                    "OneOrManyHookReceipts", [ReceiptShape, ManyReceipts], resource_type_field_name=None
                ),
                description="Committed. One receipt, or for a batch of events one each, in their order.",
            )
        },
        problems=[
            *WRITING, kinds.BAD_SIGNATURE, kinds.UNKNOWN_CONNECTION, kinds.IDENTIFIER_REUSED, *NO_ROOM,
        ],
        parameters=[
            OpenApiParameter("slug", OpenApiTypes.STR, OpenApiParameter.PATH, description="Name of the connection."),
            *_SIGNED,
        ],
        examples=[OpenApiExample("Message", value=_EXAMPLE, request_only=True, media_type="application/json")],
    )  # fmt: skip
    def post(self, request: Request, slug: str) -> Response:
        body = _body_of(request)
        connection, identifier, by = _admitted(request, slug, body)
        media_type = str(request.META.get("CONTENT_TYPE", ""))
        delivered = delivered_by(body, media_type, request.headers, identifier=identifier)
        is_batch = media_type.lower().startswith(cloudevents.BATCHED)
        outcomes = _kept(delivered, connection, request, by=by, one=not is_batch)
        refuse_for_room(outcomes)
        if is_batch:
            counts = Counter(outcome.status for outcome in outcomes)
            receipts = [receipt_of(outcome, request) for outcome in outcomes]
            told = {"messages": receipts, **{status: counts[status] for status in STATUSES}}
            return Response(told, status=202, headers=room_told(outcomes))
        [outcome] = outcomes
        if outcome.problem is not None:
            return problem_response(outcome.problem, request)
        return Response(receipt_of(outcome, request), status=202, headers=room_told(outcomes))


def _body_of(request: Request) -> bytes:
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    declared = str(request.META.get("CONTENT_LENGTH") or "0")
    if not declared.isdecimal() or int(declared) > limit:
        raise Problem(kinds.TOO_LARGE, f"The request has more than the {limit:,} bytes that are accepted. Split it.")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Problem(kinds.UNSUPPORTED_MEDIA_TYPE, "The body is compressed. Send it as it is.")
    body: bytes = request.body
    return body


def _admitted(request: Request, slug: str, body: bytes) -> tuple[Connection, str, str]:
    """The connection, the identifier of the webhook, and who brought it. Raises Problem."""
    if isinstance(request.user, AbstractUser):
        connection = may_ingest(request.user).filter(slug=slug).first()
        if connection is None:
            raise Problem(kinds.UNKNOWN_CONNECTION, f"No connection “{slug}” takes messages from this account.")
        return connection, request.headers.get("webhook-id", ""), request.user.get_username()
    connection = Connection.objects.filter(slug=slug).first()
    moment = now()
    secrets = connection.webhook_secrets(at=moment) if connection is not None else []
    try:
        identifier = webhooks.verify(secrets or [_NOBODYS], headers=request.headers, body=body, at=moment)
    except webhooks.SignatureRefused as error:
        raise _refused(error, request, slug) from None
    if connection is None or not secrets:  # nobody has that secret
        raise Problem(kinds.BAD_SIGNATURE)
    return connection, identifier, f"webhook:{slug}"


def _refused(error: webhooks.SignatureRefused, request: Request, slug: str) -> Problem:
    address = client_address(cast(HttpRequest, request))
    counted = count(f"hook:{network_of(address)}:{slug}", window=WINDOW, at=now())
    if counted.number > FAILURES:
        return Problem(
            kinds.TOO_MANY_REQUESTS,
            f"{FAILURES} webhooks from this address were not signed as agreed. {error.remedy}",
            headers={"Retry-After": str(counted.closes_in)},
        )
    log.warning("A webhook for %s from %s was refused: %s", slug, address, error.problem)
    return Problem(
        kinds.BAD_SIGNATURE,
        error.problem,
        errors=[{"header": error.header, "detail": error.problem, "remedy": error.remedy}],
        headers={"WWW-Authenticate": "Bearer"},
    )


def _kept(
    delivered: Sequence[Delivered | Problem], connection: Connection, request: Request, *, by: str, one: bool
) -> list[Outcome]:
    """Each for itself; of a single one the problem is that of the request."""
    outcomes: dict[int, Outcome] = {}
    usable = []
    for place, item in enumerate(delivered):
        if isinstance(item, Problem):
            outcomes[place] = Outcome("", connection.slug, problem=item)
            continue
        try:
            message = handed_in(item, connection, request.headers)
            steps = item.steps[:-1] if item.steps else ()
            usable.append(Candidate(place, connection, message, steps))
        except Problem as problem:
            if one:
                raise
            outcomes[place] = Outcome(item.external_id, connection.slug, problem=problem)
    outcomes |= keep(usable, request, via=InboxMessage.Via.HOOK, by=by)
    return [outcomes[place] for place in range(len(delivered))]
