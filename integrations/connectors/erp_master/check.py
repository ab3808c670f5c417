"""The workbench's own check of a partner: what must be there, and what can be judged without the ERP."""

import re
from collections.abc import Iterator
from typing import Any, Final

from babel.numbers import is_currency

from integrations.connectors.base import CheckReport
from integrations.connectors.erp.values import date_of
from integrations.connectors.erp_master.document import Partner, read_partner
from integrations.connectors.erp_master.terms import TERMS
from integrations.connectors.iso20022.values import iban_fault, is_bic
from integrations.connectors.json_document.pointers import pointer_to
from integrations.refusals import MessageNotUnderstood, RefusalError, Severity

CHECK_NAME: Final = "workbench's own check of a partner: fields, IBAN, BIC and country (not the ERP's set-up)"
_COUNTRY: Final = re.compile("[A-Z]{2}")


def check(payload: bytes) -> CheckReport:
    """Judge a payload without sending it. One that cannot be read fails with one error, code JSON."""
    try:
        partner = read_partner(payload)
    except MessageNotUnderstood as error:
        plain = f"{error.problem} {error.remedy}".strip()
        return CheckReport(CHECK_NAME, (RefusalError("JSON", Severity.ERROR, error.problem, plain=plain),))
    return CheckReport(CHECK_NAME, (*_structure(partner), *_values(partner)))


def _structure(partner: Partner) -> Iterator[RefusalError]:
    for name, term in TERMS.items():
        value: Any = partner.content.get(name)
        if term.required and not partner.text(name) and not isinstance(value, dict | list):
            yield _finding(
                "STRUCTURE", name, f"{term.label} is missing." if value is None else f"{term.label} is empty."
            )
        elif isinstance(value, dict | list | bool):
            yield _finding("STRUCTURE", name, f"{term.label} is not a text.")


def _values(partner: Partner) -> Iterator[RefusalError]:
    country, vat_id = partner.text("country"), partner.text("vat_id")
    if country and not _COUNTRY.fullmatch(country):
        yield _finding("COUNTRY", "country", f"“{country[:20]}” is not a country code of ISO 3166, such as NL.")
    elif country and vat_id[:2].isalpha() and not vat_id.startswith(country):
        yield _finding("VAT", "vat_id", f"The VAT identifier {vat_id[:30]} does not begin with {country}.")
    iban, bic = "".join(partner.text("iban").split()), partner.text("bic")
    if iban and (fault := iban_fault(iban)):
        yield _finding("IBAN", "iban", f"{iban[:40]} is no valid IBAN: {fault}.")
    if bic and not is_bic(bic):
        yield _finding("BIC", "bic", f"“{bic[:20]}” is not written as a BIC: 8 or 11 letters and digits.")
    if (currency := partner.text("currency")) and not is_currency(currency):
        yield _finding("CURRENCY", "currency", f"“{currency[:20]}” is not a currency code of ISO 4217, such as EUR.")
    if (valid_from := partner.text("valid_from")) and date_of(valid_from) is None:
        yield _finding("DATE", "valid_from", f"“{valid_from[:40]}” is not written as a date, such as 2026-03-31.")


def _finding(code: str, name: str, plain: str) -> RefusalError:
    path = pointer_to(name)
    return RefusalError(code, Severity.ERROR, plain, plain=plain, path=path, field_path=path, field=TERMS[name].label)
