"""Which tags are in use, as far as the reader sees the exceptions that have them."""

from django.db.models import CharField, F, Func

from exceptions_app.queries.reach import Reach, cases_within

MOST_OFFERED = 100


class _Unnested(Func):
    function = "unnest"
    set_returning = True


def tags_in_use(reach: Reach) -> list[str]:
    """Of open exceptions that the person sees, in the order of the alphabet. One query.

    Nobody learns of a tag that stands only on what they do not see.
    """
    tagged = cases_within(reach).open().exclude(tags=[]).order_by()
    found = tagged.annotate(tag=_Unnested(F("tags"), output_field=CharField())).values_list("tag", flat=True)
    return list(found.distinct().order_by("tag")[:MOST_OFFERED])
