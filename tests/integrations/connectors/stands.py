"""For each connector what its contract is tried with: documents, and where its simulated target takes them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from integrations.connectors.base import Answer, Connector, Endpoint, Observation, TargetClient
from integrations.connectors.registry import get_connector
from tests.integrations.connectors.erp.postings import journal
from tests.integrations.connectors.erp_master.partners import supplier
from tests.integrations.connectors.iso20022.payment_files import Wire, payment_file
from tests.invoices import valid_invoice, without_issue_date
from tests.simulator_process import RunningSimulator


def key_of(number: int) -> str:
    return f"{number:064x}"


@dataclass(frozen=True)
class Stand:
    name: str  # of the connector
    below: str  # path of the target below the simulator
    path: str  # on which it takes documents
    media_type: str
    document: Callable[[int], bytes]  # the one with this number; each call gives the same
    changed: Callable[[int], bytes]  # the same document with other content
    wrong: Callable[[], bytes]  # what both our check and the target refuse

    @property
    def connector(self) -> Connector:
        return get_connector(self.name)

    def client(self, simulator: RunningSimulator, *, timeout: float = 20) -> TargetClient:
        return self.connector.client(Endpoint(f"{simulator.url}/{self.below}", simulator.token, timeout))

    def submit(self, simulator: RunningSimulator, content: bytes, *, key: int = 1) -> Answer:
        return self.client(simulator).submit(
            key=key_of(key), object_type=self.connector.object_type(content), media_type=self.media_type,
            business_key=self.connector.business_key(content), content=content, despite_warnings=True,
        )  # fmt: skip

    def probe(self, simulator: RunningSimulator, content: bytes) -> Observation:
        object_type = self.connector.object_type(content)
        key = self.connector.business_key(content)
        return self.client(simulator).probe(object_type=object_type, business_key=key, content=content)


@lru_cache(maxsize=64)
def _file(wire: Wire) -> bytes:
    """The library that writes it gives each file another name; here one document has one."""
    return payment_file(wire)


STANDS = {
    stand.name: stand
    for stand in (
        Stand(
            "en16931", "tax-authority", "/tax-authority/documents", "application/xml",
            document=lambda number: valid_invoice(f"INV-{number}"),
            changed=lambda number: valid_invoice(f"INV-{number}", seed=2),
            wrong=lambda: without_issue_date(valid_invoice()),
        ),
        Stand(
            "erp", "erp", "/erp/postings", "application/json",
            document=lambda number: journal(reference=f"JE-{number}"),
            changed=lambda number: journal(reference=f"JE-{number}", text="Another text"),
            wrong=lambda: journal(lines=[{"account": "630000", "cost_center": "CC-1000", "debit": "1.00"}]),
        ),
        Stand(
            "erp_master", "erp", "/erp/partners", "application/json",
            document=lambda number: supplier(id=f"S-{2000 + number}"),
            changed=lambda number: supplier(id=f"S-{2000 + number}", city="Delft"),
            wrong=lambda: supplier(iban="NL91ABNA0417164301"),
        ),
        Stand(
            "iso20022", "bank", "/bank/payments", "application/xml",
            document=lambda number: _file(Wire(f"INV-{number}")),
            changed=lambda number: _file(Wire(f"INV-{number}", cents=999_00)),
            wrong=lambda: payment_file(Wire("INV-1")).replace(b"<CtrlSum>125.00", b"<CtrlSum>124.00"),
        ),
    )
}  # fmt: skip
