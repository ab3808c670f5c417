"""Exchange rates, for programs: to be read. Administrators import them, on their page or by the command."""

import re
from datetime import timedelta

from django.utils.timezone import localdate
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.api.base import ApiView
from exceptions_app.api.documented import CURSOR, PAGE_SIZE, READING, endpoint
from exceptions_app.api.pagination import PARAMETERS, answer_page, documented_page, page_of
from exceptions_app.api.problems import chosen, parameter
from exceptions_app.api.responses import Shape
from exceptions_app.models import ExchangeRate
from exceptions_app.queries.exchange_rates import NEWEST, all_rates, rates_in_force
from exceptions_app.triage.weights import RATE_HOLDS

_SHOW = ("in_force", "all")


class ExchangeRateShape(Shape):
    """One reference rate of the ECB: so many units of the currency for one euro."""

    day = serializers.DateField()
    currency = serializers.CharField(help_text="ISO 4217.")
    rate = serializers.CharField(help_text="A decimal number.")
    source = serializers.CharField(  # type: ignore[assignment]  # of a field, and here a field of that name
        help_text="Name of the file that it came in; empty where that was not recorded."
    )


class ExchangeRates(ApiView):
    query_parameters = PARAMETERS | {"currency", "show"}

    @endpoint(
        "list_exchange_rates",
        "List exchange rates",
        "The rates by which money in different currencies is compared, the newest day first, then by currency.",
        tag="Exceptions",
        answers={200: documented_page(ExchangeRateShape, name="ExchangeRatePage")},
        problems=READING,
        parameters=[
            CURSOR,
            PAGE_SIZE,
            OpenApiParameter("currency", OpenApiTypes.STR, description="ISO 4217, such as USD."),
            OpenApiParameter(
                "show", OpenApiTypes.STR, enum=list(_SHOW),
                description=f"in_force (of each currency the newest of {RATE_HOLDS} days), when left out; or all.",
            ),
        ],
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        currency = request.query_params.get("currency", "")
        if currency and not re.fullmatch(r"[A-Z]{3}", currency):
            raise parameter("currency", "This is no currency.", "Send its three letters, such as USD.")
        if chosen(request, "show", _SHOW) == "all":
            found = all_rates(currency)
        else:
            found = rates_in_force(currency, on=localdate(), at_most=timedelta(days=RATE_HOLDS))
        return answer_page(page_of(request, found, NEWEST), lambda rates: [_document(rate) for rate in rates])


def _document(rate: ExchangeRate) -> dict[str, object]:
    return {
        "day": rate.day,
        "currency": rate.currency,
        "rate": f"{rate.rate.normalize():f}",
        "source": rate.source,
    }
