"""Which payment of the file each entry of a report means.

Banks name a payment by the identifiers that they were given, some by one of them only, and some repeat its amount and
account. Where several payments still fit, and they differ, nobody can tell which one is meant: they are unclear.
"""

from collections.abc import Callable, Set
from dataclasses import dataclass, field
from decimal import Decimal

from integrations.connectors.iso20022.initiation import AMOUNTS, Payment, PaymentFile, account_of
from integrations.connectors.iso20022.names import child
from integrations.connectors.iso20022.status import PaymentStatus, StatusReport, outcome_of
from integrations.connectors.iso20022.values import NOT_PROVIDED, decimal_of
from integrations.refusals import BatchOutcome


@dataclass(slots=True)
class Match:
    """`entries` where it is certain, or makes no difference; `unclear` where several different payments fit."""

    entries: dict[Payment, PaymentStatus] = field(default_factory=dict)
    unclear: dict[Payment, PaymentStatus] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)


def match(file: PaymentFile, report: StatusReport) -> Match:
    """Find the payment of every entry."""
    found = Match()
    doubtful: dict[tuple[Payment, ...], list[PaymentStatus]] = {}
    blocks = {payment.block_id for payment in file.payments}
    index = _Index(file)
    for name in (block.block_id for block in report.blocks):
        if name and name not in blocks and name.upper() != NOT_PROVIDED:
            found.findings.append(f"The report speaks of a block {name}, which the file does not hold.")
    for entry in report.payments:
        fitting = _fitting(entry, index)
        if not fitting:
            found.findings.append(f"The report speaks of a payment {entry.name}, which the file does not hold.")
        elif len(fitting) == 1:
            _assign(fitting[0], entry, found)
        else:
            doubtful.setdefault(fitting, []).append(entry)
    for payments, entries in doubtful.items():
        _share_out([payment for payment in payments if payment not in found.entries], entries, found)
    return found


def _assign(payment: Payment, entry: PaymentStatus, found: Match) -> None:
    earlier = found.entries.get(payment)
    if earlier is None:
        found.entries[payment] = entry
        return
    if earlier.status != entry.status:
        found.findings.append(f"The report speaks of payment {entry.name} as {earlier.status} and as {entry.status}.")
    if outcome_of(earlier.status) is not BatchOutcome.REJECTED:
        found.entries[payment] = entry


class _Index:
    """The payments of a file by each of their names."""

    def __init__(self, file: PaymentFile) -> None:
        self.payments = frozenset(file.payments)
        self._by_name: dict[tuple[str, str], set[Payment]] = {}
        for payment in file.payments:
            for kind, name in (
                ("block", payment.block_id),
                ("uetr", payment.uetr.lower()),
                ("instruction", payment.instruction_id),
                ("end_to_end", payment.end_to_end_id),
            ):
                self._by_name.setdefault((kind, name), set()).add(payment)

    def called(self, kind: str, name: str) -> Set[Payment]:
        return self._by_name.get((kind, name), frozenset()) if name else frozenset()


def _fitting(entry: PaymentStatus, index: _Index) -> tuple[Payment, ...]:
    """The payments that an entry may mean, in the order of the file."""
    held = index.called("block", entry.block_id) or index.payments
    named = _named(entry, held, index)
    if not named and len(held) < len(index.payments):
        named = _named(entry, index.payments, index)
    for is_like in (_same_amount(entry), _same_account(entry)):
        if is_like is not None and len(named) > 1:
            named = {payment for payment in named if is_like(payment)} or named
    return tuple(sorted(named, key=lambda payment: payment.position))


def _named(entry: PaymentStatus, held: Set[Payment], index: _Index) -> Set[Payment]:
    """By each identifier that is given; one that fits nothing is read over when another one fits."""
    instruction = "" if entry.instruction_id.upper() == NOT_PROVIDED else entry.instruction_id
    given = {"uetr": entry.uetr.lower(), "instruction": instruction, "end_to_end": entry.end_to_end_id}
    if not any(given.values()):
        return _by_what_is_repeated(entry, held)
    fitting: Set[Payment] | None = None
    for kind, name in given.items():
        narrowed = index.called(kind, name) & (held if fitting is None else fitting)
        fitting = narrowed or fitting
    return fitting or set()


def _by_what_is_repeated(entry: PaymentStatus, held: Set[Payment]) -> Set[Payment]:
    """An entry without any identifier means the payments whose amount and account it repeats, or the only one."""
    tests = [test for test in (_same_amount(entry), _same_account(entry)) if test is not None]
    if not tests and len(held) > 1:
        return set()
    return {payment for payment in held if all(test(payment) for test in tests)}


def _same_amount(entry: PaymentStatus) -> Callable[[Payment], bool] | None:
    element = next((found for path in AMOUNTS if (found := child(entry.original, f"Amt/{path}")) is not None), None)
    amount = decimal_of(element.text or "") if element is not None else None
    return None if amount is None else lambda payment: _amount(payment) == amount


def _amount(payment: Payment) -> Decimal | None:
    return payment.money.amount if payment.money is not None else None


def _same_account(entry: PaymentStatus) -> Callable[[Payment], bool] | None:
    account = account_of(entry.original, "CdtrAcct")
    return (lambda payment: payment.creditor_account == account) if account else None


def _share_out(payments: list[Payment], entries: list[PaymentStatus], found: Match) -> None:
    """Several entries for several payments that they do not tell apart."""
    said = {entry.status for entry in entries}
    alike = len({(payment.money, payment.creditor_account, payment.debtor_account) for payment in payments}) == 1
    if alike or (len(said) == 1 and len(entries) >= len(payments)):
        for payment, entry in zip(payments, entries, strict=False):
            _assign(payment, entry, found)
        return
    worst = next((entry for entry in entries if outcome_of(entry.status) is BatchOutcome.REJECTED), None)
    if worst is None and len(said) == 1:
        for payment in payments:
            _assign(payment, entries[0], found)
        return
    if payments:
        found.findings.append(
            f"The report speaks of {worst.name if worst else entries[0].name} {len(entries)} time(s); "
            f"{len(payments)} different payments of the file go by that name."
        )
    found.unclear.update(dict.fromkeys(payments, worst or entries[0]))
