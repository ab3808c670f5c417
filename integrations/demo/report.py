"""What the official EN 16931 validator says about a document."""

from functools import cache

from integrations.simulator.documents import read_document
from integrations.simulator.judge import Judge


@cache
def _judge() -> Judge:
    return Judge()


def official_report(payload: bytes) -> bytes:
    """The SVRL report, as a tax authority sends it. The stylesheet is compiled at first use, in about half a second.

    Raises DocumentRefused for what is not a UBL document, NotCheckable when the rules cannot be evaluated on it.
    """
    return _judge().report(read_document(payload).text)
