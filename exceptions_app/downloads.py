"""Bytes from outside as files: for the disk, not for the browser."""

from django.http import HttpResponse

# What a browser may be told that a file is. Nothing that it would run.
_MEDIA_TYPES = {
    "application/xml": "xml",
    "text/xml": "xml",
    "application/json": "json",
    "application/pdf": "pdf",
    "image/png": "png",
    "image/jpeg": "jpg",
    "text/plain": "txt",
    "text/csv": "csv",
    "message/rfc822": "eml",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}
_UNKNOWN = "application/octet-stream"


def as_attachment(body: bytes, media_type: str, *, name: str) -> HttpResponse:
    """The bytes as an attachment; `name` is without its ending. The media type is believed when it is harmless."""
    known = media_type.partition(";")[0].strip().lower()
    content_type = known if known in _MEDIA_TYPES else _UNKNOWN
    return HttpResponse(
        body,
        content_type=content_type,
        headers={
            "Content-Disposition": f'attachment; filename="{name}.{_MEDIA_TYPES.get(known, "bin")}"',
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, no-store",
        },
    )
