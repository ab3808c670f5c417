"""The archive for programs: how it stands, and what was delivered to it. Administrators act on its page."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions_app.api.base import ApiView, person
from exceptions_app.api.documented import CURSOR, PAGE_SIZE, READING, endpoint
from exceptions_app.api.pagination import PARAMETERS, answer_page, documented_page, page_of
from exceptions_app.api.responses import Shape
from exceptions_app.models import ArchiveDelivery
from exceptions_app.queries.archives import all_archives, sight_of, where
from integrations.models import Archive

_TAG = "Archive"


class ArchiveShape(Shape):
    """A place outside to which evidence of closed exceptions is delivered."""

    name = serializers.CharField()
    slug = serializers.CharField()
    kind = serializers.CharField(help_text="folder, sftp or s3.")
    where = serializers.CharField(help_text="The folder, or the server or store with the folder; nothing secret.")
    in_use = serializers.BooleanField(help_text="Whether it is switched on; one at most is.")
    paused_at = serializers.DateTimeField(allow_null=True)
    paused_because = serializers.CharField()


class ArchiveDeliveryShape(Shape):
    """The evidence of exceptions that were closed on one day."""

    ref = serializers.CharField()
    state = serializers.CharField(help_text="waiting, delivering, delivered or failed.")
    since = serializers.DateTimeField(help_text="They were closed from then on,")
    until = serializers.DateTimeField(help_text="and before then.")
    count = serializers.IntegerField(help_text="Exceptions.")
    pack = serializers.CharField(help_text="The export that is its pack, such as AX-7.")
    archive = serializers.CharField(help_text="Where it lies or was tried last, by its slug; empty before that.")
    file = serializers.CharField(help_text="The name of the file there; empty until it was delivered.")
    sha256 = serializers.CharField(help_text="As read back; empty until it was delivered.")
    bytes = serializers.IntegerField(allow_null=True)
    attempts = serializers.IntegerField()
    problem = serializers.CharField(help_text="Why the last attempt came to nothing.")
    planned_at = serializers.DateTimeField()
    delivered_at = serializers.DateTimeField(allow_null=True)


class Archives(ApiView):
    query_parameters = PARAMETERS

    @endpoint(
        "list_archives",
        "List archives",
        "Where evidence of closed exceptions is delivered to. For administrators, and whoever may read the audit trail "
        "somewhere; empty for others.",
        tag=_TAG,
        answers={200: documented_page(ArchiveShape, name="ArchivePage")},
        problems=READING,
        parameters=[CURSOR, PAGE_SIZE],
    )
    def get(self, request: Request) -> Response:
        found = all_archives().order_by("-id")
        seen = found if sight_of(person(request)).is_any else found.none()
        return answer_page(page_of(request, seen), lambda rows: [_archive(row) for row in rows])


class ArchiveDeliveries(ApiView):
    query_parameters = PARAMETERS

    @endpoint(
        "list_archive_deliveries",
        "List deliveries to the archive",
        "What was delivered to the archive and what waits, the newest first: for administrators all, for others those "
        "of which they may read all that is in the pack.",
        tag=_TAG,
        answers={200: documented_page(ArchiveDeliveryShape, name="ArchiveDeliveryPage")},
        problems=READING,
        parameters=[CURSOR, PAGE_SIZE],
    )
    def get(self, request: Request) -> Response:
        found = sight_of(person(request)).deliveries.order_by("-id")
        return answer_page(page_of(request, found), lambda rows: [_delivery(row) for row in rows])


def _archive(archive: Archive) -> dict[str, Any]:
    names = ("name", "slug", "kind", "in_use", "paused_at", "paused_because")
    return {name: getattr(archive, name) for name in names} | {"where": where(archive)}


def _delivery(delivery: ArchiveDelivery) -> dict[str, Any]:
    names = ("ref", "state", "since", "until", "count", "sha256", "attempts", "problem", "planned_at", "delivered_at")
    return {
        **{name: getattr(delivery, name) for name in names},
        "pack": delivery.export.ref if delivery.export else "",
        "archive": delivery.archive.slug if delivery.archive else "",
        "file": delivery.file_name,
        "bytes": delivery.size,
    }
