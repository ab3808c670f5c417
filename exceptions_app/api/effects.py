"""The report on effects for programs: what was decided in a period, how each stands with its target, and the totals."""

from datetime import datetime, timedelta
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.timezone import now
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from exceptions_app.api.base import ApiView, person
from exceptions_app.api.documented import CURSOR, PAGE_SIZE, READING, endpoint
from exceptions_app.api.exception_shapes import ConflictShape
from exceptions_app.api.held import conflict_as_json
from exceptions_app.api.pagination import PARAMETERS, answer_page, documented_page, page_of
from exceptions_app.api.problems import parameter
from exceptions_app.api.responses import Money, Shape, money_of
from exceptions_app.queries import effects as reads
from exceptions_app.queries.conflicts import Conflict, conflicts_of
from exceptions_app.queries.effects import MEANING, NEWEST_FIRST, EffectRow, Period, Standing
from exceptions_app.queries.reach import cases_within, reach_of
from exceptions_app.queries.transactions import sight_within
from integrations.models import Delivery, Effect

_TAG = "Effects"
USUAL = timedelta(days=30)
_STANDINGS = [standing.value for standing in Standing]
_PERIOD = frozenset({"since", "until", "connection"})
_SINCE = OpenApiParameter("since", OpenApiTypes.DATETIME, description="Decided at or after it; else 30 days ago.")
_UNTIL = OpenApiParameter("until", OpenApiTypes.DATETIME, description="Decided before it; now when left out.")
_CONNECTION = OpenApiParameter("connection", OpenApiTypes.STR, description="Name of a connection.")
_STANDING = OpenApiParameter("standing", OpenApiTypes.STR, enum=_STANDINGS)


class SeenShape(Shape):
    """One observation of the document at its target."""

    reference = serializers.CharField(help_text="The target's own document.")
    is_ours = serializers.BooleanField(help_text="Whether it has the content that was sent.")
    seen_by = serializers.ChoiceField(
        choices=Effect.SeenBy.choices,
        help_text="confirmed: the answer to the sending. probe: the target was asked. comparison: its own list. "
        "evidence: two people proved it.",
    )
    observed_at = serializers.DateTimeField()


class EffectShape(Shape):
    """One thing that was decided to be booked, and what is proven of it."""

    delivery = serializers.IntegerField()
    decided_at = serializers.DateTimeField()
    connection = serializers.CharField()
    operation = serializers.ChoiceField(choices=[operation.value for operation in Delivery.BOOKING])
    object_type = serializers.CharField()
    business_key = serializers.CharField(help_text="What the target calls the document.")
    document_number = serializers.CharField()
    amount = Money(allow_null=True)
    standing = serializers.ChoiceField(choices=_STANDINGS)
    reference = serializers.CharField(help_text="The target's document as this delivery learned it, or empty.")
    effects = SeenShape(many=True, help_text="All that was seen under the name of the document, the oldest first.")
    sends = serializers.IntegerField(help_text="Sends that may have reached the target.")
    content_sha256 = serializers.CharField()
    idempotency_key = serializers.CharField()
    conflict = ConflictShape(
        allow_null=True, help_text="Beside what was sent; for who may see the exception, and null where there is none."
    )
    ref = serializers.CharField(help_text="The exception or transaction that it is for.")
    url = serializers.URLField(allow_null=True)


class EffectTotalShape(Shape):
    standing = serializers.ChoiceField(choices=_STANDINGS)
    meaning = serializers.CharField()
    count = serializers.IntegerField()
    money = Money(many=True, help_text="The sum in each currency.")
    without_amount = serializers.IntegerField(help_text="How many have no known amount.")


class EffectTotalsShape(Shape):
    """How everything that was decided in a period stands; the counts add up to number."""

    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    number = serializers.IntegerField()
    totals = EffectTotalShape(many=True)


class Effects(ApiView):
    query_parameters = PARAMETERS | _PERIOD | {"standing"}

    @endpoint(
        "list_effects",
        "List effects",
        "What was decided to be booked in a period, the newest first, each with its standing and all that was seen of "
        "it at its target. Only what belongs to exceptions and transactions that the account may see.",
        tag=_TAG,
        answers={200: documented_page(EffectShape, name="EffectPage")},
        problems=READING,
        parameters=[_SINCE, _UNTIL, _CONNECTION, _STANDING, CURSOR, PAGE_SIZE],
    )
    def get(self, request: Request) -> Response:
        found = _within(request, _period_of(request)).select_related("connection")
        page = page_of(request, found, NEWEST_FIRST)
        return answer_page(page, lambda rows: _documents_of(reads.rows_of(rows), request))


class EffectTotals(ApiView):
    query_parameters = _PERIOD

    @endpoint(
        "read_effect_totals",
        "Read the totals of a period",
        "How many stand how, with their money in each currency: proven once, there already, second effects, conflicts, "
        "not proven, not sent yet, refused, not booked.",
        tag=_TAG,
        answers={200: EffectTotalsShape},
        problems=READING,
        parameters=[_SINCE, _UNTIL, _CONNECTION],
    )
    def get(self, request: Request) -> Response:
        period = _period_of(request)
        totals = reads.totals_of(_within(request, period))
        return Response(
            {
                "since": period.since,
                "until": period.until,
                "number": sum(total.count for total in totals),
                "totals": [_total_of(total) for total in totals],
            }
        )


def _within(request: Request, period: Period) -> Any:
    reach = reach_of(person(request))
    return reads.deliveries_within(period, reach=reach, sight=sight_within(reach, person(request)))


def _period_of(request: Request) -> Period:
    at = now()
    until = _moment(request, "until") or at
    standing = request.query_params.get("standing", "")
    if standing and standing not in _STANDINGS:
        raise parameter("standing", f"There is no standing “{standing[:40]}”.", f"Send one of {', '.join(_STANDINGS)}.")
    return Period(
        since=_moment(request, "since") or until - USUAL,
        until=until,
        connection=request.query_params.get("connection", "").replace("\x00", "�"),
        standing=standing,
    )


def _moment(request: Request, name: str) -> datetime | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not 1970 < moment.year < 9000:
        raise parameter(
            name, f"“{text[:40]}” is no time with its offset from UTC.", "Send one such as 2026-12-01T09:00:00Z."
        )
    return moment


def _documents_of(rows: list[EffectRow], request: Request) -> list[dict[str, Any]]:
    """What a target holds of others is for who may see the exception, not for who merely handed something in."""
    about = {row.delivery.pk: case.pk for row in rows if (case := row.exception) is not None}
    visible = set(cases_within(reach_of(person(request))).filter(pk__in=about.values()).values_list("pk", flat=True))
    conflicts = conflicts_of(row.delivery for row in rows if about.get(row.delivery.pk) in visible)
    return [_document_of(row, conflicts.get(row.delivery.pk), request) for row in rows]


def _document_of(row: EffectRow, conflict: Conflict | None, request: Request) -> dict[str, Any]:
    delivery = row.delivery
    return {
        "delivery": delivery.pk,
        "decided_at": delivery.created_at,
        "connection": delivery.connection.slug,
        "operation": delivery.operation,
        "object_type": delivery.object_type,
        "business_key": delivery.business_key,
        "document_number": row.document_number,
        "amount": money_of(delivery.amount, delivery.currency),
        "standing": row.standing.value,
        "reference": delivery.reference,
        "effects": [_seen(effect) for effect in row.effects],
        "sends": delivery.sends,
        "content_sha256": delivery.content_sha256,
        "idempotency_key": delivery.key,
        "conflict": conflict_as_json(conflict),
        "ref": row.ref,
        "url": _address_of(row, request),
    }


def _seen(effect: Effect) -> dict[str, Any]:
    return {
        "reference": effect.reference,
        "is_ours": effect.is_ours,
        "seen_by": effect.seen_by,
        "observed_at": effect.observed_at,
    }


def _address_of(row: EffectRow, request: Request) -> str | None:
    if row.case is not None:
        return str(reverse("api:exception", args=[row.case.ref], request=request))
    if row.transaction is not None:
        return str(reverse("api:transaction", args=[row.transaction.ref], request=request))
    return None


def _total_of(total: reads.Total) -> dict[str, Any]:
    return {
        "standing": total.standing.value,
        "meaning": MEANING[total.standing],
        "count": total.count,
        "money": [money_of(amount, currency) for currency, amount in total.money.items()],
        "without_amount": total.unpriced,
    }
