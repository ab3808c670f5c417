"""What came of everything that was decided to be booked in a period: proven, or named as not proven."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from itertools import islice
from typing import Any, Final

from django.db.models import BigIntegerField, Case, Count, Exists, F, Func, OuterRef, Q, QuerySet, Sum, Value, When
from django.db.models.fields import CharField
from django.db.models.functions import Cast

from exceptions_app.models import ExceptionCase, Transaction
from exceptions_app.models.case import REF_PREFIX
from exceptions_app.models.handover import SUBJECT_PREFIX
from exceptions_app.queries.keyset import Direction, Key, Page, Sort, page
from exceptions_app.queries.reach import Reach, cases_within
from exceptions_app.queries.transactions import Sight
from integrations.models import Delivery, Effect

NEWEST_FIRST: Final = Sort("decided", (Key("created_at", "time", descending=True), Key("id", "integer", True)))
PAGE_SIZE: Final = 50
_AT_ONCE: Final = 500  # rows of an export that are looked up together
_S = Delivery.State


class Standing(StrEnum):
    """How what was decided stands with its target. Each delivery has exactly one."""

    PROVEN = "proven"
    ALREADY_THERE = "already_there"
    SECOND_EFFECT = "second_effect"
    CONFLICT = "conflict"
    UNPROVEN = "unproven"
    NOT_SENT = "not_sent"
    REFUSED = "refused"
    NOT_BOOKED = "not_booked"


WORDS: Final[Mapping[Standing, str]] = {
    Standing.PROVEN: "Proven once",
    Standing.ALREADY_THERE: "Was there already",
    Standing.SECOND_EFFECT: "Second effect",
    Standing.CONFLICT: "Conflict",
    Standing.UNPROVEN: "Not proven",
    Standing.NOT_SENT: "Not sent yet",
    Standing.REFUSED: "Refused",
    Standing.NOT_BOOKED: "Not booked",
}
MEANING: Final[Mapping[Standing, str]] = {
    Standing.PROVEN: "The target confirmed it, or two people with proof; it is there once as far as it was asked.",
    Standing.ALREADY_THERE: "The target had it before, with the same content. Nothing was booked again.",
    Standing.SECOND_EFFECT: "The target booked it more than once. One has to be reversed.",
    Standing.CONFLICT: "The target has a document of this name that is not as it should be by what is known here.",
    Standing.UNPROVEN: "It was sent, and nobody knows yet whether it was booked. It is asked about.",
    Standing.NOT_SENT: "It waits to be sent. Nothing can have been booked.",
    Standing.REFUSED: "The target refused it. Nothing was booked.",
    Standing.NOT_BOOKED: "Given up: never sent, or not there, as the target or two people said.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From `since` up to, and without, `until`; empty texts do not narrow. The time is when it was decided."""

    since: datetime
    until: datetime
    connection: str = ""
    standing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """How many stand so, and how much they move in each currency. `unpriced`: those whose amount is not known."""

    standing: Standing
    count: int
    money: Mapping[str, Decimal]
    unpriced: int

    @property
    def words(self) -> str:
        return WORDS[self.standing]

    @property
    def meaning(self) -> str:
        return MEANING[self.standing]


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectRow:
    """One delivery, what is known of its effect, and what it was for."""

    delivery: Delivery
    standing: Standing
    effects: Sequence[Effect]  # all that was seen under its name, the oldest first
    case: ExceptionCase | None
    transaction: Transaction | None

    @property
    def words(self) -> str:
        return WORDS[self.standing]

    @property
    def document_number(self) -> str:
        known = self.case or self.transaction
        return (known.document_number if known is not None else "") or self.delivery.business_key

    @property
    def ref(self) -> str:
        known = self.case or self.transaction
        return known.ref if known is not None else ""

    @property
    def exception(self) -> ExceptionCase | None:
        """The one that it was for, or that took up what was handed over."""
        return self.case or (self.transaction.case if self.transaction is not None else None)

    @property
    def own_effect(self) -> Effect | None:
        """What this delivery itself proved last."""
        return next((effect for effect in reversed(self.effects) if effect.delivery_id == self.delivery.pk), None)

    @property
    def other_references(self) -> list[str]:
        """Further documents of the target with the same content; of an object that is changed, none."""
        if self.delivery.is_change:
            return []
        seen = (effect.reference for effect in self.effects if effect.is_ours and effect.reference)
        return [found for found in dict.fromkeys(seen) if found != self.delivery.reference]


def deliveries_within(period: Period, *, reach: Reach, sight: Sight) -> QuerySet[Delivery]:
    """Those of the period that belong to what the person may see, each with its `standing`."""
    found = Delivery.objects.filter(
        operation__in=Delivery.BOOKING, created_at__gte=period.since, created_at__lt=period.until
    )
    if period.connection:
        found = found.filter(connection__slug=period.connection)
    found = found.annotate(
        case_number=number_after(f"case:{REF_PREFIX}"), transaction_number=number_after(SUBJECT_PREFIX)
    )
    # Whoever merely configures a connection sees neither numbers nor amounts of its documents.
    handed_over = replace(sight, configured=frozenset()).transactions()
    found = found.filter(
        Exists(cases_within(reach).filter(pk=OuterRef("case_number")))
        | Exists(handed_over.filter(pk=OuterRef("transaction_number")))
    ).annotate(standing=_standing())
    return found.filter(standing=period.standing) if period.standing else found


def number_after(prefix: str) -> Cast:
    """The number in the subject of a delivery; NULL in one of another kind."""
    digits = Func(F("subject"), Value(f"^{prefix}([0-9]{{1,17}})$"), function="substring", output_field=CharField())
    return Cast(digits, BigIntegerField())


def _standing() -> Case:
    same_name = Effect.objects.filter(
        connection=OuterRef("connection"), object_type=OuterRef("object_type"), business_key=OuterRef("business_key")
    )
    ours = same_name.filter(is_ours=True).exclude(reference="")
    # A reference that only an answer gave may be another name of the same document; one that the target lists, or
    # that it confirmed beside an earlier one, is another document.
    further = ours.filter(Q(seen_by=Effect.SeenBy.COMPARISON) | Q(delivery__state=_S.CONFLICT))
    twice = Exists(further.exclude(reference=OuterRef("reference")))
    booked_by_it = Exists(ours.filter(delivery=OuterRef("pk")))
    return Case(
        When(twice & Q(state__in=Delivery.BOOKED), then=Value(Standing.SECOND_EFFECT)),
        When(booked_by_it & Q(state=_S.CONFLICT), then=Value(Standing.SECOND_EFFECT)),
        When(booked_by_it & Q(state__in=(_S.REFUSED, _S.CANCELLED)), then=Value(Standing.CONFLICT)),
        When(state=_S.CONFIRMED, then=Value(Standing.PROVEN)),
        When(state=_S.ALREADY_THERE, then=Value(Standing.ALREADY_THERE)),
        When(state=_S.CONFLICT, then=Value(Standing.CONFLICT)),
        When(state=_S.REFUSED, then=Value(Standing.REFUSED)),
        When(state=_S.CANCELLED, then=Value(Standing.NOT_BOOKED)),
        When(sends=0, then=Value(Standing.NOT_SENT)),
        default=Value(Standing.UNPROVEN),
        output_field=CharField(),
    )


def totals_of(found: QuerySet[Delivery]) -> list[Total]:
    """One for each standing, in the order of `Standing`, noughts too: together they are all of them. One query."""
    annotated: QuerySet[Any] = found  # with its standing, of which the stubs do not know
    counts: dict[str, int] = {}
    unpriced: dict[str, int] = {}
    money: dict[str, dict[str, Decimal]] = {}
    grouped = annotated.order_by().values("standing", "currency")
    for row in grouped.annotate(number=Count("pk"), priced=Count("amount"), sum=Sum("amount")):
        standing = row["standing"]
        counts[standing] = counts.get(standing, 0) + row["number"]
        unpriced[standing] = unpriced.get(standing, 0) + row["number"] - row["priced"]
        if row["sum"] is not None:
            money.setdefault(standing, {})[row["currency"]] = row["sum"]
    return [
        Total(
            standing=standing,
            count=counts.get(standing, 0),
            money=dict(sorted(money.get(standing, {}).items())),
            unpriced=unpriced.get(standing, 0),
        )
        for standing in Standing
    ]


def effect_page(
    found: QuerySet[Delivery], *, cursor: str = "", direction: Direction = "after"
) -> tuple[Page[Delivery], list[EffectRow]]:
    """A page of them, the newest decided first; four queries. Raises keyset.InvalidCursor."""
    shown = page(found.select_related("connection"), NEWEST_FIRST, size=PAGE_SIZE, cursor=cursor, direction=direction)
    return shown, rows_of(shown.rows)


def all_rows(found: QuerySet[Delivery]) -> Iterator[EffectRow]:
    """All of them, the oldest decided first, read as they are asked for."""
    deliveries = found.select_related("connection").order_by("created_at", "id").iterator(chunk_size=_AT_ONCE)
    while together := list(islice(deliveries, _AT_ONCE)):
        yield from rows_of(together)


def rows_of(deliveries: Sequence[Delivery]) -> list[EffectRow]:
    """With the effects and what they were for; three queries, whatever their number."""
    cases = ExceptionCase.objects.in_bulk(_numbers(deliveries, "case_number"))
    transactions = Transaction.objects.select_related("case").in_bulk(_numbers(deliveries, "transaction_number"))
    effects: dict[tuple[int, str, str], list[Effect]] = {}
    seen = Effect.objects.filter(
        connection__in={delivery.connection_id for delivery in deliveries},
        business_key__in={delivery.business_key for delivery in deliveries},
    )
    for effect in seen.order_by("id"):
        effects.setdefault((effect.connection_id, effect.object_type, effect.business_key), []).append(effect)
    return [
        EffectRow(
            delivery=delivery,
            standing=Standing(_annotated(delivery, "standing")),
            effects=effects.get((delivery.connection_id, delivery.object_type, delivery.business_key), ()),
            case=cases.get(_annotated(delivery, "case_number")),
            transaction=transactions.get(_annotated(delivery, "transaction_number")),
        )
        for delivery in deliveries
    ]


def _numbers(deliveries: Sequence[Delivery], name: str) -> set[int]:
    return {number for delivery in deliveries if (number := _annotated(delivery, name)) is not None}


def _annotated(delivery: Delivery, name: str) -> Any:
    return getattr(delivery, name)
