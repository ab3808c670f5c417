"""Having the masked values of an exception shown to the account for some minutes."""

from typing import Any

from django.utils.timezone import now
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.actions.reveal import reveal
from exceptions_app.api import problem_kinds as kinds
from exceptions_app.api import requests
from exceptions_app.api.base import ActingView, case_for, person
from exceptions_app.api.case_document import respond
from exceptions_app.api.documented import IDEMPOTENCY_KEY, REF, WRITING, endpoint
from exceptions_app.api.exception_shapes import ExceptionDetail

NOT_SHOWN = (
    "This document holds bank details or personal data, and the account does not have them shown now. POST to the "
    "exception's reveal first, with the verb reveal on its queue and on its legal entity."
)


class RevealValues(ActingView):
    @endpoint(
        "reveal_exception",
        "Have masked values shown",
        "Bank details and personal data are masked in every answer. After this the account reads those of this one "
        "exception in clear, for as many minutes as the installation allows; `masked.shown_until` says until when. It "
        "is an event of the audit trail, with the purpose. Nothing else changes. Needs the verb reveal on the queue "
        "and on the legal entity.",
        tag="Actions",
        request=requests.Reveal,
        answers={200: ExceptionDetail},
        problems=(*WRITING, kinds.NOT_FOUND),
        parameters=[REF, IDEMPOTENCY_KEY],
        examples=[
            OpenApiExample(
                "Request",
                value={"purpose": "ask", "because": "The supplier is called about the account."},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)

    def act(self, request: Request, ref: str) -> Response:
        case = case_for(request, ref)
        data = requests.body_of(request, requests.Reveal)
        reveal(case.pk, purpose=data["purpose"], because=data["because"], by=person(request), at=now())
        return respond(request, ref)
