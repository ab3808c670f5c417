"""What a webhook brings: the body of a message, an event, several events, or the source's own shape by its rule."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from rest_framework import serializers

from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api import requests
from exceptions_app.api.problems import Problem, at, errors_of, pointer_to
from integrations import cloudevents, safe_json
from integrations.cloudevents import CloudEvent, NotACloudEvent, is_json
from integrations.connectors.json_document.tree import Kind, Value, read_value
from integrations.envelope import Envelope, take_out
from integrations.handed_in import HandedIn, MessageRefused
from integrations.models import Connection, InboxMessage

MOST_EVENTS: Final = requests.MOST_MESSAGES
_MOST_HEADERS: Final = 50
_LONGEST_HEADER: Final = 2000
# Said to us alone, or about this hop alone: never kept with a message.
_OURS: Final = frozenset(
    {
        "accept", "accept-encoding", "authorization", "connection", "content-length", "content-type", "cookie",
        "expect", "host", "keep-alive", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "via",
    }
)  # fmt: skip
_TELLING: Final = ("signature", "secret", "token", "api-key", "apikey", "password", "authorization", "cookie")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """One thing that was delivered: its bytes, and what the request says about it beside them."""

    external_id: str
    data: bytes
    media_type: str
    ordering_key: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[object, ...] = ()  # to it in the body


def delivered_by(
    body: bytes, media_type: str, headers: Mapping[str, str], *, identifier: str
) -> Sequence[Delivered | Problem]:
    """What the request delivers, and what of a batch is wrong; `identifier` is its webhook-id. Raises Problem."""
    bare = media_type.partition(";")[0].strip().lower()
    try:
        if bare == cloudevents.BATCHED:
            return [_event(item, steps) for item, steps in _items_of(_document(body, media_type))]
        if bare == cloudevents.STRUCTURED:
            return [_of_event(cloudevents.event_in_document(_document(body, media_type)), ("data",))]
        if cloudevents.VERSION_HEADER in headers:
            return [_of_event(cloudevents.event_in_headers(headers, body, media_type), ())]
    except NotACloudEvent as error:
        raise _no_event(error, ()) from None
    if bare.startswith("application/cloudevents"):
        raise Problem(kinds.UNSUPPORTED_MEDIA_TYPE, f"Events are taken as {cloudevents.STRUCTURED} or in headers.")
    return [Delivered(external_id=identifier, data=body, media_type=media_type)]


def handed_in(delivered: Delivered, connection: Connection, headers: Mapping[str, str]) -> HandedIn:
    """The message in it, by the connection's rule or in our own shape. Raises Problem."""
    if connection.webhook_envelope:
        return _by_rule(delivered, Envelope.of(_ABSENT | connection.webhook_envelope), vendor_headers(headers))
    if not is_json(delivered.media_type):
        raise Problem(
            kinds.UNSUPPORTED_MEDIA_TYPE,
            "This connection has no rule for webhooks in another shape than its own, which is JSON.",
        )
    _refuse_other_charset(delivered.media_type)
    try:
        read = requests.HookMessage().run_validation(_loaded(delivered.data, delivered.steps))
    except serializers.ValidationError as error:
        raise Problem(
            kinds.INVALID_CONTENT,
            "Some fields cannot be used; each is named below.",
            errors=errors_of(error.detail, *delivered.steps),
        ) from None
    return _in_own_shape(delivered, read)


def vendor_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """What the source says in headers, without anything that lets somebody in."""
    told = {
        name: value[:_LONGEST_HEADER]
        for name, value in headers.items()
        if (small := name.lower()) not in _OURS and not any(part in small for part in _TELLING)
    }
    return dict(sorted(told.items())[:_MOST_HEADERS])


# A rule names what there is; what it leaves out is not there, and without a document's place the whole is the document.
_ABSENT: Final = {"id": "", "payload": "", "refusal": ""}


def _by_rule(delivered: Delivered, rule: Envelope, headers: Mapping[str, str]) -> HandedIn:
    if not is_json(delivered.media_type):
        return _whole(delivered, rule, headers)
    _refuse_other_charset(delivered.media_type)
    item = _document(delivered.data, delivered.media_type, delivered.steps)
    given = "" if rule.id else delivered.external_id
    try:
        message = take_out(item, rule, context=delivered.context, external_id=given)
    except MessageRefused as error:
        pointer = pointer_to(*delivered.steps) + getattr(rule, error.field, "")
        raise Problem(kinds.INVALID_CONTENT, error.problem, errors=[at(pointer, error.problem, error.remedy)]) from None
    return replace(
        message,
        payload=message.payload if rule.payload else delivered.data,
        refusal_headers={**headers, **message.refusal_headers},
        ordering_key=message.ordering_key or delivered.ordering_key,
    )


def _whole(delivered: Delivered, rule: Envelope, headers: Mapping[str, str]) -> HandedIn:
    """What is no JSON has no parts, so that it is the document or nothing."""
    if rule.payload or rule.id:
        raise Problem(kinds.UNSUPPORTED_MEDIA_TYPE, "The rule of this connection looks into JSON, and this is none.")
    fixed = rule.purpose if rule.purpose in InboxMessage.Purpose.values else InboxMessage.Purpose.REFUSED.value
    word = rule.payload_media_type
    return HandedIn(
        external_id=delivered.external_id,
        payload=delivered.data,
        payload_media_type=word if word and not word.startswith("/") else delivered.media_type,
        refusal_headers=headers,
        context=dict(delivered.context),
        purpose=InboxMessage.Purpose(fixed),
        ordering_key=delivered.ordering_key,
    )


def _in_own_shape(delivered: Delivered, read: Mapping[str, Any]) -> HandedIn:
    refusal = read.get("refusal") or {}
    return HandedIn(
        external_id=delivered.external_id,
        payload=read["payload"]["content"],
        payload_media_type=read["payload"]["media_type"],
        refusal=refusal.get("content", b""),
        refusal_media_type=refusal.get("media_type", ""),
        refusal_status=refusal.get("status"),
        refusal_headers=refusal.get("headers", {}),
        context={**read.get("context", {}), **delivered.context},
        purpose=InboxMessage.Purpose(read["purpose"]),
        ordering_key=read["ordering_key"] or delivered.ordering_key,
    )


def _items_of(document: Value) -> Iterator[tuple[Value, tuple[object, ...]]]:
    if document.kind is not Kind.LIST or not 1 <= len(document.entries) <= MOST_EVENTS:
        problem = f"The body is no list of 1 to {MOST_EVENTS:,} events."
        raise Problem(kinds.INVALID_CONTENT, problem, errors=[at("", problem, "Send a JSON array of events.")])
    for place, entry in enumerate(document.entries):
        yield entry.value, (place,)


def _event(item: Value, steps: Sequence[object]) -> Delivered | Problem:
    try:
        return _of_event(cloudevents.event_in_document(item), (*steps, "data"))
    except NotACloudEvent as error:
        return _no_event(error, steps)


def _of_event(event: CloudEvent, steps: tuple[object, ...]) -> Delivered:
    return Delivered(
        external_id=event.external_id,
        data=event.data,
        media_type=event.media_type,
        ordering_key=event.ordering_key,
        context={"cloudevent": dict(event.attributes)},
        steps=steps,
    )


def _no_event(error: NotACloudEvent, steps: Sequence[object]) -> Problem:
    pointer = pointer_to(*steps, error.attribute) if error.attribute else pointer_to(*steps)
    return Problem(kinds.INVALID_CONTENT, error.problem, errors=[at(pointer, error.problem, error.remedy)])


def _refuse_other_charset(media_type: str) -> None:
    _, marker, charset = media_type.lower().partition("charset=")
    if marker and charset.partition(";")[0].strip("'\" ") not in ("utf-8", "utf8", "us-ascii"):
        raise Problem(kinds.UNSUPPORTED_MEDIA_TYPE, f"The body is declared as {charset[:40]}. Send it as UTF-8.")


def _document(body: bytes, media_type: str, steps: Sequence[object] = ()) -> Value:
    _refuse_other_charset(media_type)
    _loaded(body, steps)
    return read_value(body.removeprefix(b"\xef\xbb\xbf").decode().strip(" \t\n\r"))


def _loaded(body: bytes, steps: Sequence[object]) -> Any:
    try:
        return safe_json.loads(body)
    except safe_json.UnsafeJson as error:
        pointer = pointer_to(*steps) + error.pointer
        raise Problem(kinds.MALFORMED, error.problem, errors=[at(pointer, error.problem, error.remedy)]) from None
