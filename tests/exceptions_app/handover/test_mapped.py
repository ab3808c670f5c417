"""Deals of a CRM handed over for delivery: mapped and booked by the ERP, or held with what could not be mapped."""

import json
from typing import Any

from django.urls import reverse

from audit.models import AuditEvent
from exceptions_app.actions.field_maps import save_version, use_version
from exceptions_app.demo_field_maps import seed_field_maps
from exceptions_app.handover_states import TransactionState
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import Occurrence, PayloadVersion
from integrations.demo.field_maps import UNMAPPED_FAMILY, deal, maps_of_the_deal
from tests.cast import MORNING
from tests.exceptions_app.handover.handing_over import document, run


def test_deal_is_booked_as_a_customer_invoice_and_the_event_names_the_versions(cast, erp):
    seed_field_maps(erp, by=machine(SETUP), at=MORNING)
    [transaction] = run(erp, document("deal-1", deal()))
    assert (transaction.state, bool(transaction.reference)) == (TransactionState.DELIVERED, True)
    assert (transaction.object_type, transaction.business_key) == ("customer_invoice", "NL01|MNL-2026-4711")
    evidence = [event.data for event in AuditEvent.objects.filter(subject=transaction.subject)]
    assert ["inbound invoice 1", "outbound invoice 1"] in [data.get("field_maps") for data in evidence]


def test_deal_with_an_unmapped_family_is_held_and_the_next_one_passes_once_it_is_mapped(cast, erp):
    seed_field_maps(erp, by=machine(SETUP), at=MORNING)
    [held] = run(erp, document("deal-1", deal(family=UNMAPPED_FAMILY)))
    assert (held.state, held.reference) == (TransactionState.HELD, "")
    assert held.case is not None
    assert (held.case.category, held.case.sub) == ("master_data", "field_map")
    [error] = Occurrence.objects.get(case=held.case).errors
    assert error["plain"].startswith("The table “product families” has no entry for “Leasing”.")
    assert error["field_path"] == "/lines/1/product_family"
    kept = json.loads(bytes(PayloadVersion.objects.get(case=held.case).content))
    assert ([line.get("product_family") for line in kept["lines"]], kept["total"]) == (
        ["SUBSCRIPTION", None],
        "21114.50",
    )

    inbound = maps_of_the_deal()[0]
    longer = inbound.declared.replace('"Academy": "TRAINING"', '"Academy": "TRAINING", "Leasing": "HARDWARE"')
    key: dict[str, Any] = {
        "direction": inbound.direction,
        "object_type": inbound.object_type,
        "by": machine(SETUP),
        "at": MORNING,
    }
    save_version(erp.pk, declared=longer, note="Leasing is hardware.", **key)
    use_version(erp.pk, number=2, because="Agreed.", **key)
    [next_one] = run(erp, document("deal-2", deal(invoice_no="MNL-2026-4712", family=UNMAPPED_FAMILY)))
    assert next_one.state == TransactionState.DELIVERED


def test_delivered_message_is_previewed_by_who_may_see_its_transaction(cast, erp, signed_in):
    seed_field_maps(erp, by=machine(SETUP), at=MORNING)
    run(erp, document("deal-1", deal()))
    page = reverse("exceptions:field_map", args=[erp.slug, "inbound-invoice"])
    assert "deal-1" in signed_in(cast.local_clerk).get(page).content.decode()
    assert "deal-1" not in signed_in(cast.support).get(page).content.decode()
