import base64
import json
from typing import Any

import pytest

from integrations.connectors.json_document.tree import read_value
from integrations.envelope import Envelope, identifier_of, take_out, text_of, value_at, whole_number_of
from integrations.handed_in import HandedIn, MessageRefused
from integrations.models import InboxMessage


def taken_out(item: Any, **rule: str) -> HandedIn:
    text = item if isinstance(item, str) else json.dumps(item)
    return take_out(read_value(text), Envelope(**rule))


def test_json_document_is_kept_as_it_was_written():
    message = taken_out('{"id": 7, "payload":  {"total": 12.50,  "b":"é", "a":1e2 } }')
    assert (message.external_id, message.payload) == ("7", '{"total": 12.50,  "b":"é", "a":1e2 }'.encode())
    assert (message.payload_media_type, message.refusal, message.refusal_headers) == ("application/json", b"", {})
    assert message.purpose is InboxMessage.Purpose.REFUSED


@pytest.mark.parametrize(
    ("text", "media_type"),
    [("<a/>", "application/xml"), ("\ufeff\n <a/>", "application/xml"), ('{"a":1}', "application/json"),
     ("a;b", "text/plain")],
)  # fmt: skip
def test_text_is_kept_in_utf_8_with_the_type_that_it_looks_like(text: str, media_type: str):
    message = taken_out({"id": "a", "payload": text})
    assert (message.payload, message.payload_media_type) == (text.encode(), media_type)


def test_own_shape_is_read_as_the_api_takes_it():
    payload = {"media_type": "application/xml", "base64": base64.b64encode(b"<a>\xff</a>").decode()}
    refusal = {"media_type": "text/plain", "text": "no", "status": 422, "headers": {"X-Trace": "7"}}
    message = taken_out({"id": "a", "payload": payload, "refusal": refusal})
    assert (message.payload, message.payload_media_type) == (b"<a>\xff</a>", "application/xml")
    assert (message.refusal, message.refusal_media_type, message.refusal_status) == (b"no", "text/plain", 422)
    assert message.refusal_headers == {"X-Trace": "7"}


def test_parts_are_found_where_the_rule_says():
    item = {"meta": {"key/1": "x-1"}, "document": {"a": 1}, "answers": [{"error": "no"}], "for": "deliver"}
    rule = {"id": "/meta/key~11", "payload": "/document", "refusal": "/answers/0", "purpose": "/for"}
    message = taken_out(item, **rule)
    assert (message.external_id, message.payload, message.refusal) == ("x-1", b'{"a": 1}', b'{"error": "no"}')
    assert message.purpose is InboxMessage.Purpose.DELIVER


def test_whole_item_may_be_the_document():
    assert taken_out({"id": "a", "total": "1"}, payload="", refusal="").payload == b'{"id": "a", "total": "1"}'


def test_purpose_may_be_the_word_itself():
    assert taken_out({"id": "a", "payload": "x"}, purpose="deliver").purpose is InboxMessage.Purpose.DELIVER


@pytest.mark.parametrize(
    ("item", "rule", "field"),
    [
        ({"payload": "x"}, {}, "id"),
        ({"id": None, "payload": "x"}, {}, "id"),
        ({"id": ["a"], "payload": "x"}, {}, "id"),
        ({"id": "a"}, {}, "payload"),
        ({"id": "a", "payload": None}, {}, "payload"),
        ({"id": "a", "payload": ""}, {}, "payload"),
        ({"id": "a", "payload": {"media_type": "a/b", "base64": "?"}}, {}, "payload"),
        ({"id": "a", "payload": "x", "for": "burn"}, {"purpose": "/for"}, "purpose"),
        (["a"], {}, "payload"),
    ],
)
def test_item_without_what_is_needed_is_refused_at_its_field(item: Any, rule: dict[str, str], field: str):
    with pytest.raises(MessageRefused) as refused:
        taken_out(item, **rule)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("text", "number"),
    [("7", 7), ('"007"', 7), ("0", 0), ("-1", None), ("1.0", None), ("1e3", None), ('"٣"', None), ("true", None),
     ("null", None), ("9" * 19, None)],
)  # fmt: skip
def test_only_whole_numbers_count(text: str, number: int | None):
    assert whole_number_of(read_value(text)) == number


def test_pointer_that_is_none_finds_nothing():
    value = read_value('{"a": {"b": [1, 2]}}')
    assert text_of(value_at(value, "/a/b/1")) == "2"
    assert [value_at(value, pointer) for pointer in ("a", "/a/b/2", "/a/b/-", "/a/b/1/c", "/a~2")] == [None] * 5


def test_rule_is_read_from_settings_with_more_in_them():
    envelope = Envelope.of({"id": "/key", "url": "https://example.test", "refusal": ""})
    assert envelope == Envelope(id="/key", payload="/payload", refusal="", purpose="refused")
    assert identifier_of(read_value('{"key": "a"}'), envelope) == "a"
