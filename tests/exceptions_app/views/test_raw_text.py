"""The whole document as text: laid out for reading, and the same bytes when nothing was changed."""

import json

import pytest

from exceptions_app.views.raw_text import as_payload, as_text

ONE_LINE = b'{"type":"journal","amount":1250.00,"text":"a, \\"b\\": {c}","lines":[{"debit":1E+2},{}],"none":[ ]}'
LAID_OUT = """{
  "type": "journal",
  "amount": 1250.00,
  "text": "a, \\"b\\": {c}",
  "lines": [
    {
      "debit": 1E+2
    },
    {}
  ],
  "none": []
}"""


def test_json_on_one_line_is_laid_out_and_nothing_else_is_changed() -> None:
    assert as_text(ONE_LINE) == LAID_OUT
    assert json.loads(LAID_OUT) == json.loads(ONE_LINE)


def test_text_that_nobody_changed_is_the_payload_as_it_came() -> None:
    assert as_payload(LAID_OUT.replace("\n", "\r\n"), like=ONE_LINE) == ONE_LINE


def test_changed_text_is_what_is_saved() -> None:
    changed = as_payload(LAID_OUT.replace("1250.00", "1250.50"), like=ONE_LINE)

    assert json.loads(changed)["amount"] == 1250.5


@pytest.mark.parametrize("content", [b'{\n"a":1}', b'{"a":1,"a":2}', b"{broken", b"<Invoice/>", b"[1,", b'"text"'])
def test_what_has_lines_or_is_no_json_stays_as_it_is(content: bytes) -> None:
    assert as_text(content) == content.decode()
