"""Every page of the product, with who opens it and how they come to it in the demonstration."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.urls import Resolver404, resolve
from playwright.sync_api import Page

HREF = re.compile(r'href="([^"#]+)')


@dataclass(frozen=True, slots=True)
class Place:
    """A page at its address; or, with `way`, at the end of the first links to the pages of these names, one by one."""

    who: str
    address: str
    way: tuple[str, ...] = ()
    query: str = ""
    status: int = 200


def _one(who: str, address: str, *way: str, query: str = "") -> tuple[Place, ...]:
    return (Place(who, address, tuple(f"exceptions:{name}" for name in way), query),)


def _case(who: str, query: str, *more: str) -> Place:
    way = tuple(f"exceptions:{name}" for name in ("case", *more))
    return Place(who, f"/queue/?object_type=invoice&{query}", way)


def _history(tab: str) -> Place:
    return Place("clerk", "/queue/?object_type=invoice&state=resolved", ("exceptions:case",), f"?tab={tab}")


LEDGER = "/connections/corporate-ledger/"
MAPS = "/connections/crm/field-maps/"
PAGES: Mapping[str, tuple[Place, ...]] = {
    "login": _one("", "/accounts/login/"),
    "password_change": _one("administrator", "/accounts/password/"),
    "prove": _one("clerk", "/accounts/prove/"),
    "passkey_add": _one("clerk", "/accounts/second-factor/passkey/"),
    "sessions": _one("clerk", "/accounts/sessions/"),
    "second_factor": _one("clerk", "/accounts/second-factor/"),
    "second_factor_set_up": _one("clerk", "/accounts/second-factor/set-up/"),
    "password_change_done": _one("administrator", "/accounts/password/done/"),
    "api-docs": _one("clerk", "/api/docs/"),
    "api-problems": _one("clerk", "/api/problems/"),
    "api-try": _one("clerk", "/api/docs/try/"),
    "exceptions:my_queue": (Place("clerk", "/"), Place("administrator", "/")),
    "exceptions:views": _one("clerk", "/views/"),
    "exceptions:view_new": _one("clerk", "/views/new/?priority=1&columns=amount"),
    "exceptions:view": _one("clerk", "/views/", "view"),
    "exceptions:queue": (
        Place("clerk", "/queue/"),
        Place("clerk", "/queue/?columns=amount,category&density=compact"),
        Place("auditor", "/queue/?state=resolved&text=nothing-like-this"),
    ),
    "exceptions:approval_rules": (Place("administrator", "/approval-rules/"), Place("controller", "/approval-rules/")),
    "exceptions:routing_rules": (Place("administrator", "/routing-rules/"), Place("controller", "/routing-rules/")),
    "exceptions:field_rules": (Place("administrator", "/field-rules/"), Place("controller", "/field-rules/")),
    "exceptions:exchange_rates": (
        Place("administrator", "/exchange-rates/"),
        Place("auditor", "/exchange-rates/?show=all"),
    ),
    "exceptions:retention": (Place("administrator", "/retention/"), Place("controller", "/retention/")),
    "exceptions:erasures": _one("administrator", "/retention/erasures/"),
    "exceptions:approvals": (Place("controller", "/approvals/"), Place("auditor", "/approvals/")),
    "exceptions:unknown": _one("clerk", "/unknown/"),
    "exceptions:batches": _one("clerk", "/batches/?show=all"),
    "exceptions:batch_new": _one("accountant", "/batches/new/?queue=receivables"),
    "exceptions:batch": _one("accountant", "/batches/?show=all", "batch"),
    "exceptions:bulk_runs": (Place("clerk", "/bulk/"), Place("controller", "/bulk/")),
    "exceptions:bulk_run": _one("clerk", "/bulk/", "bulk_run"),
    "exceptions:bulk_new": _one("clerk", "/bulk/new/"),
    "exceptions:transactions": _one("clerk", "/transactions/"),
    "exceptions:transaction": _one("clerk", "/transactions/", "transaction"),
    "exceptions:search": (Place("clerk", "/search/?q=inv"), Place("clerk", "/search/?q=nothing-like-this")),
    "exceptions:keys": _one("clerk", "/keys/"),
    "exceptions:case": (
        _case("clerk", "state=new&kind=failed"),
        _case("clerk", "state=new&kind=held"),
        _case("clerk", "state=in_progress"),
        _case("clerk", "state=waiting"),
        _case("controller", "state=awaiting_approval"),
        _case("clerk", "state=dismissed"),
        *(_history(tab) for tab in ("versions", "attempts", "arrivals")),
    ),
    "exceptions:raw": (_case("clerk", "state=new&kind=failed", "raw"),),
    "exceptions:answer": (Place("support", "/queue/?state=in_progress", ("exceptions:case",), "answer/"),),
    "exceptions:case_print": (_case("auditor", "state=resolved", "case_print"),),
    "exceptions:causes": _one("clerk", "/causes/"),
    "exceptions:playbooks": (Place("clerk", "/playbooks/"), Place("auditor", "/playbooks/?state=over")),
    "exceptions:playbook": _one("clerk", "/causes/", "cause", "playbook"),
    "exceptions:case_playbook": _one("clerk", "/search/?q=4900000099", "case_playbook"),
    "exceptions:cause": _one("clerk", "/causes/", "cause"),
    "exceptions:deep_link": (Place("support", "/x/billing-nl/not-arrived-yet/", status=404),),
    "exceptions:notifications": (Place("clerk", "/notifications/"), Place("clerk", "/notifications/?show=all")),
    "exceptions:access": _one("administrator", "/access/"),
    "exceptions:access_reviews": _one("administrator", "/access/reviews/"),
    "services": _one("administrator", "/accounts/services/"),
    "exceptions:emergencies": (Place("controller", "/emergencies/"), Place("standby", "/emergencies/")),
    "exceptions:emergency": _one("controller", "/emergencies/", "emergency"),
    "exceptions:audit_exports": _one("auditor", "/audit/exports/"),
    "exceptions:audit_made": _one("auditor", "/audit/exports/", "audit_made"),
    "exceptions:archives": (Place("administrator", "/archives/"), Place("auditor", "/archives/")),
    "exceptions:archive_delivery": (Place("administrator", "/archives/", ("exceptions:archive_delivery",)),),
    "exceptions:audit": (Place("auditor", "/audit/"), Place("auditor", "/audit/?action=nonsense", status=422)),
    "exceptions:effects": _one("controller", "/effects/"),
    "exceptions:rehearsals": _one("controller", "/rehearsals/"),
    "exceptions:intake_failures": _one("clerk", "/intake-failures/"),
    "exceptions:intake_failure": _one("accountant", "/intake-failures/", "intake_failure"),
    "exceptions:quarantined_file": _one("clerk", "/intake-failures/", "quarantined_file"),
    "exceptions:sequence_gap": _one("accountant", "/intake-failures/", "sequence_gap"),
    "exceptions:pull_source": _one("accountant", LEDGER, "pull_source"),
    "exceptions:connections": _one("clerk", "/connections/"),
    "exceptions:connection": _one("clerk", "/connections/", "connection"),
    "exceptions:connection_sending": _one("accountant", f"{LEDGER}sending/"),
    "exceptions:field_maps": _one("accountant", MAPS),
    "exceptions:field_map": _one("accountant", MAPS, "field_map"),
    "exceptions:field_map_version": _one("accountant", MAPS, "field_map", "field_map_version"),
    "exceptions:field_map_compare": _one("accountant", f"{MAPS}inbound-invoice/compare/"),
    "exceptions:value_mappings": _one("accountant", "/mappings/"),
    "exceptions:value_mapping": _one("accountant", "/mappings/", "value_mapping"),
    "exceptions:value_mapping_new": _one("accountant", "/mappings/new/"),
    "exceptions:value_mapping_import": _one("accountant", "/mappings/import/"),
    "exceptions:suggestions": _one("accountant", "/suggestions/"),
    "exceptions:mapping_mends": _one("accountant", "/mappings/", "value_mapping", query="mends/"),
    "exceptions:mapping_proposal": _one("controller", "/approvals/", "mapping_proposal"),
}
# Pages that come about by what was typed: `test_accessible` brings them about.
ELSEWHERE = frozenset({"exceptions:access_review", "exceptions:compare"})


def find(page: Page, place: Place) -> str:
    """The address of the place, read from the pages on the way there."""
    address = place.address
    for name in place.way:
        address = first_link(page, address, name)
    return address + place.query


def first_link(page: Page, address: str, name: str) -> str:
    answer = page.request.get(address)
    assert answer.ok, f"{answer.status} {address}"
    found = next((link for link in _links(answer.text()) if _leads_to(link, name)), None)
    assert found is not None, f"No link to {name} on {address}"
    return found


def _links(text: str) -> Iterator[str]:
    for written in HREF.findall(text):
        parts = urlsplit(written.replace("&amp;", "&"))
        if not parts.netloc and parts.path.startswith("/"):
            yield parts.path


def _leads_to(path: str, name: str) -> bool:
    try:
        return resolve(path).view_name == name
    except Resolver404:
        return False
