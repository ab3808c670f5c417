"""How much one account may ask of the API. While the cache is down nobody is held up."""

from datetime import timedelta

from django.conf import settings
from django.utils.timezone import now
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from exceptions_app.limits import Counted, count

WINDOW = timedelta(minutes=1)


class AccountThrottle(BaseThrottle):
    """So many requests of one account in a minute, whatever it signs in with. Nobody else gets as far as this."""

    def __init__(self) -> None:
        self.counted = Counted()

    def allow_request(self, request: Request, view: object) -> bool:
        if request.user.pk is None:
            return True
        self.counted = count(f"api:{request.user.pk}", window=WINDOW, at=now())
        return self.counted.number <= settings.API_REQUESTS_PER_MINUTE

    def wait(self) -> float:
        return self.counted.closes_in
