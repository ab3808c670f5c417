"""Exceptions with one cause, prepared for one decision: each corrected, checked and proposed, with its own events."""

import json
from collections.abc import Callable
from itertools import count

from django.utils.timezone import now

from bench.figures import Figure, compare
from bench.scene import Scene, hand_in, make_scene
from bench.sizes import Size
from exceptions_app.actions.mapping_prepare import carry_on_due
from exceptions_app.actions.mapping_propose import Scope, propose_mapping
from exceptions_app.intake import read_messages
from exceptions_app.mapping_states import AT_ONCE, MappingState
from exceptions_app.models import ExceptionCase
from exceptions_app.states import State
from exceptions_app.value_rows import WrittenRow
from integrations.connectors.registry import get_connector
from integrations.inbox import HandedIn

_JSON = "application/json"
_CHANGES = {"/lines/0/account": "800400"}
_numbers = count(1)


def measure(size: Size) -> list[Figure]:
    """The floor corrects and checks the same documents, and stores nothing; a commit for each ten is part of ours."""
    scene = make_scene("one-cause", connector="erp")
    number = max(size.read, AT_ONCE + 1)  # fewer are prepared at once, with the proposal
    return [
        compare(
            "one cause", "prepared", items=number, rounds=size.rounds, unit="per second",
            ours=lambda turn: _prepare(scene, number, family=f"FAMILY-{turn}"),
            floor=lambda _: _correct(scene, number),
            floor_is="correcting and checking",
        )
    ]  # fmt: skip


def _prepare(scene: Scene, number: int, *, family: str) -> Callable[[], None]:
    """Refused for a family without an account, and listed with the mapping that gives it one."""
    for _ in range(number):
        hand_in(scene, _refused(family))
    while read_messages(limit=100, at=now()):
        pass
    cases = ExceptionCase.objects.filter(queue=scene.queue, state=State.NEW)
    proposal = propose_mapping(
        Scope(kind="product_family", connection=scene.connection, entity=scene.entity, queue=scene.queue),
        [WrittenRow(source_value=family, target_value="800400", valid_from=None, valid_to=None)],
        by=scene.clerk, at=now(), because="Agreed with sales.", mends=dict(cases.values_list("pk", "revision")),
    )  # fmt: skip

    def prepare() -> None:
        while carry_on_due():
            pass
        proposal.refresh_from_db()
        prepared = proposal.batch.count if proposal.batch else 0
        if (proposal.state, prepared) != (MappingState.AWAITING_APPROVAL, number):
            raise RuntimeError(f"{prepared} of {number} were prepared.")

    return prepare


def _correct(scene: Scene, number: int) -> Callable[[], object]:
    connector = get_connector(scene.connection.connector)
    documents = [_refused("FAMILY").payload for _ in range(number)]

    def correct(document: bytes) -> bool:
        operations = connector.operations_for(document, _CHANGES)
        return connector.check(connector.correct(document, operations)).passed

    return lambda: [correct(document) for document in documents]


def _refused(family: str) -> HandedIn:
    """A customer invoice of a number of its own, and what the ERP answered."""
    number = f"BENCH-{next(_numbers):07}"
    line = {"description": "Subscription", "quantity": 10, "unit_price": 80, "net_amount": 800.00, "tax_code": "V21"}
    invoice = {
        "type": "customer_invoice", "company": "NL01", "number": number, "customer": "C-1001",
        "customer_name": "Van Loon Logistics B.V.", "invoice_date": "2026-11-02", "posting_date": "2026-11-02",
        "due_date": "2026-12-02", "currency": "EUR", "lines": [line | {"product_family": family, "account": ""}],
        "net_amount": 800.00, "tax_amount": 168.00, "total": 968.00,
    }  # fmt: skip
    detail = {
        "code": "ZFI/050", "message": "No account.", "propertyref": "lines/0/product_family", "severity": "error",
    }  # fmt: skip
    said = {"lang": "en", "value": "No account."}
    error = {"error": {"code": "ZFI/050", "message": said, "innererror": {"errordetails": [detail]}}}
    return HandedIn(number, json.dumps(invoice, indent=2).encode(), _JSON, json.dumps(error).encode(), _JSON, 400)
