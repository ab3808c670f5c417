"""The OpenAPI document: the same for everybody until the next start, so it is made once for each format."""

from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request


class Schema(SpectacularAPIView):
    """Needs no account, and making it takes a second: nobody can have that second as often as they like."""

    made: ClassVar[dict[str, bytes]] = {}  # media type → document

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        renderer = request.accepted_renderer
        if renderer.media_type not in self.made:
            document = super().get(request, *args, **kwargs).data  # type: ignore[no-untyped-call]
            written = renderer.render(document, renderer.media_type, {})
            self.made[renderer.media_type] = written.encode() if isinstance(written, str) else written
        return HttpResponse(self.made[renderer.media_type], content_type=renderer.media_type)
