"""Corrections of a payment: what a form changes, and what follows from it.

A corrected payment goes out in a file of its own, so it gets identifiers of its own, and totals that agree with it.
They follow as steps that everyone can see, with a test of what stood there before.
"""

from collections.abc import Mapping

from integrations.connectors.base import Operation
from integrations.connectors.iso20022.envelope import control_totals, renewed_identifiers
from integrations.connectors.iso20022.initiation import plain, read_file, sum_of
from integrations.connectors.iso20022.names import child
from integrations.connectors.iso20022.schema import PAIN
from integrations.connectors.xml_document import correct, paths
from integrations.refusals import MessageNotUnderstood


def operations_for(payload: bytes, changes: Mapping[str, str]) -> list[Operation]:
    """Form changes and what follows from them, as steps; none when nothing changes. Raises CorrectionError."""
    chosen = correct.operations_for(PAIN, payload, changes)
    if not chosen:
        return []
    corrected = correct.correct(PAIN, payload, chosen)
    changed = {operation["path"] for operation in chosen if operation["op"] != "test"}
    follows = {path: value for path, value in _following(corrected).items() if path not in changed}
    return chosen + correct.operations_for(PAIN, corrected, follows)


def _following(payload: bytes) -> dict[str, str]:
    """Totals and identifiers as they should be: path → text. Nothing where the file cannot be read any more."""
    try:
        file = read_file(payload)
    except MessageNotUnderstood:
        return {}
    right = {paths.canonical(element): value for element, value in control_totals(file).items()}
    right |= {paths.canonical(element): value for element, value in renewed_identifiers(file).items()}
    total = sum_of(file.payments)
    if file.header is not None and child(file.header, "CtrlSum") is None and total is not None:
        right[f"{paths.canonical(file.header)}/CtrlSum"] = plain(total)
    return right
