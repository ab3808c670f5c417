"""Until when a document grants a cash discount, where its payment terms say so in a form that machines read.

That is the form of XRechnung, in BT-20: `#SKONTO#TAGE=14#PROZENT=2.00#`, days from the date of the document. Terms in
free words are not read: a wrong day would be worse than none.
"""

import re
from datetime import date, timedelta

from integrations.records.record import Record

_SKONTO = re.compile(r"#SKONTO#TAGE=([0-9]{1,3})#PROZENT=[0-9]{1,2}\.[0-9]{2}#")
_TERMS = "BT-20"


def discount_until(record: Record) -> date | None:
    """The last day of the first discount that ends; None when there is none."""
    issued = record.headline.document_date
    if issued is None:
        return None
    terms = [field.value or "" for field in record.fields if field.term == _TERMS]
    days = [int(found) for text in terms for found in _SKONTO.findall(text)]
    return issued + timedelta(days=min(days)) if days else None
