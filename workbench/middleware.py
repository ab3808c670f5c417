import re
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from workbench.logs import request_id

# What a caller may choose: long enough for a UUID or a trace id, and nothing that could forge a log line.
ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")


class RequestIDMiddleware:
    """Take X-Request-ID from the caller or make one, put it into the log lines and send it back."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        offered = request.headers.get("X-Request-ID", "")
        identifier = offered if ACCEPTABLE_ID.fullmatch(offered) else str(uuid.uuid4())
        token = request_id.set(identifier)
        request.META["REQUEST_ID"] = identifier
        try:
            response = self.get_response(request)
        finally:
            request_id.reset(token)
        response["X-Request-ID"] = identifier
        return response
