"""What an object store answers instead of doing it: which field it is about, and what to do."""

from dataclasses import dataclass
from http import HTTPStatus

from integrations import safe_xml
from integrations.archive_settings import S3Settings
from integrations.archives.failures import ArchiveFailed
from integrations.http import Exchange

_LONGEST_ERROR = 100_000  # bytes
_KEY = "access_key: the store does not know it. Write one that it knows, with its secret key,"
_SECRET = "secret: it does not belong to access_key. Write the secret key that does,"  # noqa: S105 - words about it
_BUCKET = "bucket: the store has none of this name. Make it, or write another,"
_REGION = "region: it is not that of the bucket{which}. Write the right one, with its endpoint,"
_LOCK = "lock_days: nothing can be locked in this bucket. Have Object Lock switched on there, or leave lock_days out,"
_ENDPOINT = "endpoint: it leads to another address, which is not followed. Write that of the store itself,"
_RIGHTS = "s3:ListBucket, s3:GetObject and s3:PutObject"
_LOCK_RIGHTS = "s3:ListBucket, s3:GetObject, s3:PutObject, s3:GetObjectRetention and s3:PutObjectRetention"
_MENDED_BY_A_PERSON = {
    "InvalidAccessKeyId": _KEY,
    "SignatureDoesNotMatch": _SECRET,
    "NoSuchBucket": _BUCKET,
    "InvalidBucketName": _BUCKET,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "PermanentRedirect": _REGION,
    "ObjectLockConfigurationNotFoundError": _LOCK,
}
_PASSES = {
    "RequestTimeTooSkewed": "The clock of this machine is not that of the store. Have it set.",
    "InvalidObjectState": "The store has put the file where it cannot be read at once. Have it brought back there.",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """The store's own words; empty where it said nothing that can be read."""

    code: str = ""
    message: str = ""
    region: str = ""


def fault_of(answer: Exchange) -> Fault:
    try:
        root = safe_xml.parse(answer.body, max_bytes=_LONGEST_ERROR).getroot()
    except safe_xml.UnsafeXml:
        return Fault()
    said = {str(child.tag).rpartition("}")[2]: child.text or "" for child in root}
    return Fault(said.get("Code", ""), said.get("Message", ""), said.get("Region", ""))


def refusal(answer: Exchange, settings: S3Settings, *, doing: str) -> ArchiveFailed:
    """What to raise for an answer that says no. `doing`: read or write."""
    fault = fault_of(answer)
    words = _words(answer.status, fault, settings, doing)
    said = _said(answer.status, fault)
    if fault.code in _PASSES:
        return ArchiveFailed(f"{_PASSES[fault.code]} {said}")
    return ArchiveFailed(f"{words} and resume. {said}", pauses=True) if words else ArchiveFailed(said)


def _words(status: int | None, fault: Fault, settings: S3Settings, doing: str) -> str:
    """What a person has to do; empty when it may pass by itself."""
    if words := _MENDED_BY_A_PERSON.get(fault.code):
        return words.format(which=f", which is in {fault.region}" if fault.region else "")
    if fault.code == "InvalidRequest" and settings.lock_days and doing == "write":
        return _LOCK
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        rights = _LOCK_RIGHTS if settings.lock_days else _RIGHTS
        return f"access_key: it may not {doing} there. Give it {rights} on the bucket,"
    if status in (HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.FOUND, HTTPStatus.PERMANENT_REDIRECT):
        return _ENDPOINT
    return ""


def _said(status: int | None, fault: Fault) -> str:
    what = ": ".join(part for part in (fault.code, fault.message) if part)
    return f"The store answered {status}{f' {what}' if what else ''}".rstrip(".") + "."
