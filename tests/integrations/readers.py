"""The six readers of what comes from outside, each with what it may say of bytes that it does not take, and samples."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from exceptions_app.actions.mover import Invalid
from exceptions_app.api.hook_contents import delivered_by
from exceptions_app.api.problems import Problem
from exceptions_app.rate_csv import RatesNotUnderstood, read_rates
from exceptions_app.value_csv import read_csv
from exceptions_app.value_rows import RowsInvalid
from integrations import safe_json, webhooks
from integrations.connectors.base import IncomingMessage
from integrations.connectors.json_document.tree import read_value
from integrations.connectors.registry import get_connector
from integrations.fieldmaps.source import read_source
from integrations.refusals import MessageNotUnderstood
from tests.integrations.connectors.erp.postings import customer_invoice, detail, gateway_error, journal
from tests.integrations.connectors.iso20022.payment_files import (
    block,
    message_id,
    payment_file,
    reason,
    status_report,
    transaction,
    value_of,
    wires,
)
from tests.invoices import valid_invoice, without_issue_date

REAL_INPUTS = Path(__file__).parents[3] / "shared" / "inputs"
AT = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Reader:
    """`read` takes any bytes, and raises nothing: what may be said of them is known there. `real` are real inputs."""

    read: Callable[[bytes], object]
    samples: Callable[[], list[bytes]]
    real: tuple[str, ...] = ()

    def real_inputs(self) -> list[bytes]:
        """Empty where they are not at hand."""
        return [path.read_bytes() for pattern in self.real for path in sorted(REAL_INPUTS.glob(pattern))]


def _json(content: bytes) -> None:
    with suppress(safe_json.UnsafeJson):
        safe_json.loads(content)
        read_value(content.decode("utf-8-sig"))


def _connector(name: str, media_type: str, payload: Callable[[], bytes]) -> Callable[[bytes], None]:
    """As the document that was refused, and as the words in which a target refused a good one."""

    def read(content: bytes) -> None:
        connector = get_connector(name)
        for what in (
            partial(connector.parse, IncomingMessage(payload(), media_type, content, media_type, 400)),
            partial(connector.parse, IncomingMessage(content, media_type, b"", media_type, 400)),
            partial(connector.read, content),
            partial(connector.business_key, content),
        ):
            with suppress(MessageNotUnderstood):
                what()

    return read


def _table(content: bytes) -> None:
    for read in (read_rates, lambda sent: read_source(sent, "text/csv"), lambda sent: read_csv(sent.decode())):
        with suppress(*TABLE_REFUSALS):
            read(content)


TABLE_REFUSALS = (RatesNotUnderstood, MessageNotUnderstood, RowsInvalid, Invalid, UnicodeDecodeError)


def _event(content: bytes) -> None:
    """A webhook: its body in each form, and its headers, which stand before it line by line."""
    head, _, body = content.partition(b"\n\n")
    lines = [line.partition(": ") for line in head.decode("latin-1").splitlines()]
    headers = {name.strip().lower(): value for name, _, value in lines}
    secret = "whsec_" + "YWJj" * 8
    with suppress(Problem, webhooks.SignatureRefused):
        webhooks.verify([secret], headers=headers, body=body, at=AT)
    for media_type in ("application/cloudevents+json", "application/cloudevents-batch+json", "application/json"):
        with suppress(Problem):
            delivered_by(body or content, media_type, headers, identifier="one")


FILE = payment_file(*wires(3))


def _payments() -> list[bytes]:
    told = transaction("INV-2", reasons=reason("AC04", ["x"]), instruction_id="I-1")
    return [FILE, status_report(message_id(FILE), block(value_of(FILE, "PmtInfId"), told, status="PART"), count=3)]


def _events() -> list[bytes]:
    event = {"specversion": "1.0", "id": "1", "source": "/crm", "type": "refused", "time": "2026-11-02T09:00:00Z",
             "data": {"id": "1"}}  # fmt: skip
    headers = b"webhook-id: m1\nwebhook-timestamp: 1793610000\nwebhook-signature: v1,YWJj\nce-specversion: 1.0\n\n"
    return [headers + json.dumps(event).encode(), json.dumps([event, event]).encode(), headers + b'{"id": "1"}']


_TABLES = (
    b"Source value;Target value;Valid from\nROBOTICS;800400;2026-01-01\n",
    b"Date,USD,JPY,\n2026-11-20,1.0812,163.21,\n19 November 2026,1.08,N/A,\n",
    b'number,total\n"4900,1","12 ""x"""\r\n2,3\r\n',
)

READERS: Mapping[str, Reader] = {
    "json": Reader(
        _json, lambda: [journal(), b"[1.50, 1e3, null, {}]"], ("**/*.json",),
    ),
    "invoice": Reader(
        _connector("en16931", "application/xml", valid_invoice),
        lambda: [valid_invoice(), without_issue_date(valid_invoice())], ("en16931/*.xml",),
    ),
    "posting": Reader(
        _connector("erp", "application/json", journal),
        lambda: [journal(), customer_invoice(), gateway_error(detail("F5/201", place="posting_date"))],
        ("concur_fis/*.json",),
    ),
    "payment": Reader(_connector("iso20022", "application/xml", lambda: FILE), _payments),
    "table": Reader(_table, lambda: list(_TABLES)),
    "webhook": Reader(_event, _events, ("adyen/*.json",)),
}  # fmt: skip
