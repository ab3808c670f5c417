"""An archive in an S3-compatible object store: whole or not at all by one conditional PUT, and read back by a GET.

botocore signs, `integrations.http` sends: so hosts, addresses, certificates and times are those of all that leaves.
"""

import base64
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha256
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import urlsplit

from django.utils.timezone import now

from integrations.archive_settings import S3Settings
from integrations.archives.failures import ArchiveFailed
from integrations.archives.parcels import Parcel, Reading
from integrations.archives.s3_refusals import fault_of, refusal
from integrations.http import Exchange, Outcome, exchange

_NOTHING = sha256(b"").hexdigest()
_LOCKED_AS, _LOCKED_UNTIL = "x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date"
_STRICTEST = "COMPLIANCE"
_SLACK = timedelta(days=1)  # the store's clock, and a retention that it counts in whole days
_ONLY_WHEN_FREE = {"If-None-Match": "*"}
_PIECE = 1 << 16  # bytes: each has to go out within one time-out, also on a slow line


class _Key(NamedTuple):
    """As botocore wants it; nothing is looked for in the environment, as its own would."""

    access_key: str
    secret_key: str
    token: None = None


class _Body:
    """A content that is read while it is sent."""

    def __init__(self, size: int, pieces: Iterable[bytes]) -> None:
        self._size, self._pieces = size, pieces

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            for begin in range(0, len(piece), _PIECE):
                yield piece[begin : begin + _PIECE]


@contextmanager
def s3_store(settings: S3Settings, secret: str, *, timeout: float, deadline: float) -> Iterator["S3Store"]:
    """Raises ArchiveFailed for whatever goes wrong there. Times in seconds: of each wait, and of all."""
    yield S3Store(settings, secret, timeout=timeout, ends_at=time.monotonic() + deadline)


class S3Store:
    """A bucket, or a folder in it. Nothing is ever removed, and nothing is half written."""

    def __init__(self, settings: S3Settings, secret: str, *, timeout: float, ends_at: float) -> None:
        self._settings, self._secret = settings, secret
        self._timeout, self._ends_at = timeout, ends_at
        self._has_put = False

    def tidy(self, parcel: Parcel) -> None:
        """An object is there whole or not at all."""

    def holds(self, parcel: Parcel) -> bool:
        reading = Reading()
        answer = self._ask("GET", parcel.name, into=reading.add)
        if answer.status == HTTPStatus.NOT_FOUND and fault_of(answer).code != "NoSuchBucket":
            return False
        if answer.status != HTTPStatus.OK:
            raise refusal(answer, self._settings, doing="read")
        if self._has_put and not parcel.is_in(reading.found):
            raise ArchiveFailed("What was read back is not what was written. It is left as it is, and looked at again.")
        parcel.require_in(reading.found)
        self._require_lock(answer)
        return True

    def put(self, parcel: Parcel) -> None:
        answer = self._send(parcel, _ONLY_WHEN_FREE)
        if answer.status == HTTPStatus.NOT_IMPLEMENTED:  # a store without conditions: it was looked at just before
            answer = self._send(parcel, {})
        if answer.status == HTTPStatus.PRECONDITION_FAILED:
            return  # somebody was faster: what lies there is read now, and judged
        if answer.status not in (HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT):
            raise refusal(answer, self._settings, doing="write")
        self._has_put = True

    def _send(self, parcel: Parcel, condition: Mapping[str, str]) -> Exchange:
        checksum = base64.b64encode(bytes.fromhex(parcel.sha256)).decode()
        headers = {
            "Content-Type": "application/zip",
            "x-amz-sdk-checksum-algorithm": "SHA256",
            "x-amz-checksum-sha256": checksum,
            **condition,
            **self._lock(),
        }
        body = _Body(parcel.size, parcel.chunks())
        return self._ask("PUT", parcel.name, headers=headers, body=body, digest=parcel.sha256)

    def _lock(self) -> dict[str, str]:
        if not self._settings.lock_days:
            return {}
        until = now().astimezone(UTC) + timedelta(days=self._settings.lock_days)
        return {
            _LOCKED_AS: self._settings.lock_mode,
            _LOCKED_UNTIL: until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def _require_lock(self, answer: Exchange) -> None:
        """Also of what an earlier attempt put there, maybe under other settings."""
        if not self._settings.lock_days:
            return
        days, mode, at = self._settings.lock_days, answer.headers.get(_LOCKED_AS, ""), now()
        until = _locked_until(answer)
        is_long_enough = until is not None and until - _written_at(answer, at) >= timedelta(days=days) - _SLACK
        if until is not None and until > at and is_long_enough and mode in (self._settings.lock_mode, _STRICTEST):
            return
        says = "does not say that it is locked"
        if until is not None:
            says = f"says that it is locked until {until:%Y-%m-%d %H:%M} UTC as {mode or 'nothing'}"
        raise ArchiveFailed(
            f"lock_days: the file lies there as it should, but the store {says}. Have it locked for {days} days as "
            f"{self._settings.lock_mode} and give access_key the right s3:GetObjectRetention, or change lock_days and "
            "lock_mode, and resume.",
            pauses=True,
        )

    def _ask(
        self,
        method: str,
        name: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | _Body = b"",
        digest: str = _NOTHING,
        into: Callable[[bytes], object] | None = None,
    ) -> Exchange:
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise ArchiveFailed("It took too long and was broken off.")
        url = "/".join(part for part in (self._settings.address, self._settings.folder, name) if part)
        signed = self._signed(method, url, {**(headers or {}), "X-Amz-Content-SHA256": digest})
        answer = exchange(method, url, headers=signed, body=body, timeout=self._timeout, deadline=left, into=into)
        if answer.outcome is Outcome.FORBIDDEN:
            raise ArchiveFailed(f"endpoint: {answer.detail}")
        if answer.outcome is not Outcome.ANSWERED:
            raise ArchiveFailed(f"The store cannot be used: {answer.detail}")
        return answer

    def _signed(self, method: str, url: str, headers: Mapping[str, str]) -> dict[str, str]:
        # Imported here, since it takes a while, and the web process has no use for it.
        from botocore.auth import SigV4Auth  # noqa: PLC0415
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415

        # The host as it is sent: with its port, also where that is the usual one.
        request = AWSRequest(method, url, headers={**headers, "Host": urlsplit(url).netloc})
        key = _Key(self._settings.access_key, self._secret)
        SigV4Auth(key, "s3", self._settings.region).add_auth(request)
        return dict(request.headers.items())


def _locked_until(answer: Exchange) -> datetime | None:
    """None for what says no moment."""
    try:
        until = datetime.fromisoformat(answer.headers.get(_LOCKED_UNTIL, ""))
        return until.replace(tzinfo=until.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _written_at(answer: Exchange, at: datetime) -> datetime:
    """`at`, the latest that it can be, where the store does not say it."""
    try:
        written = parsedate_to_datetime(answer.headers.get("last-modified", ""))
    except ValueError:
        return at
    return written.replace(tzinfo=written.tzinfo or UTC)
