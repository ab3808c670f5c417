from datetime import date
from random import Random
from typing import Any

import pytest
from lxml import etree

from integrations.demo.companies import MERIDIAN_DE, MERIDIAN_NL, Company, customer
from integrations.demo.faults import FaultDoesNotFit, Fits, PlannedFault
from integrations.demo.invoices import build_invoice
from integrations.demo.planned_faults import PLANNED_FAULTS, fault
from integrations.demo.plans import plan_invoice
from integrations.demo.report import official_report

ISSUED = date(2026, 11, 2)
DOMESTIC = {"NL": "Van Loon", "DE": "Hartmann"}
BUYERS = {Fits.INTRA_COMMUNITY: "Ateliers", Fits.REVERSE_CHARGE: "Officine", Fits.FOREIGN_CURRENCY: "Kowalczyk"}
FEATURES: dict[Fits, dict[str, Any]] = {
    Fits.REVERSE_CHARGE: {"services": True},
    Fits.ALLOWANCE: {"with_allowance": True},
    Fits.FOREIGN_CURRENCY: {"currency": "PLN"},
    Fits.CREDIT_NOTE: {"corrects": ("INV-0", ISSUED)},
}


def document_for(fits: Fits, *, seller: Company, seed: int = 1) -> bytes:
    return build_invoice(
        plan_invoice(
            Random(seed),  # noqa: S311 — repeatable, not secret
            number="INV-1",
            seller=seller,
            buyer=customer(BUYERS.get(fits, DOMESTIC[seller.country])),
            issue_date=ISSUED,
            **FEATURES.get(fits, {}),
        )
    )


def failed_rules(payload: bytes) -> tuple[str, ...]:
    report = etree.fromstring(official_report(payload))
    failed = [node for node in report.iter("{*}failed-assert") if node.get("flag") != "warning"]
    return tuple(sorted({str(node.get("id")) for node in failed}))


@pytest.mark.parametrize("planned", PLANNED_FAULTS, ids=lambda planned: planned.name)
def test_fault_is_refused_by_just_its_rules(planned: PlannedFault) -> None:
    for seller in (MERIDIAN_NL, MERIDIAN_DE):
        for seed in (1, 2):
            broken = planned.apply(document_for(planned.fits, seller=seller, seed=seed))
            assert failed_rules(broken) == planned.rules


def test_faults_cover_the_families_of_rules() -> None:
    families = {rule.rpartition("-")[0] for planned in PLANNED_FAULTS for rule in planned.rules}

    assert {"BR", "BR-CO", "BR-CL", "BR-S", "BR-IC", "BR-AE", "BR-DEC", "UBL-SR", "UBL-DT"} <= families
    assert len(PLANNED_FAULTS) >= 35
    assert len({planned.name for planned in PLANNED_FAULTS}) == len(PLANNED_FAULTS)


def test_fault_that_does_not_fit_is_refused() -> None:
    with pytest.raises(FaultDoesNotFit):
        fault("reason for allowance missing").apply(document_for(Fits.DOMESTIC, seller=MERIDIAN_NL))
