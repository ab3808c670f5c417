"""The payload that a map reads from: JSON and CSV by JSON Pointer, XML by XPath, the same questions to all."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Protocol

from lxml import etree

from integrations import safe_json, safe_xml
from integrations.connectors.json_document.pointers import BadPointer, index_of, steps_of
from integrations.fieldmaps.rows import read_rows
from integrations.refusals import MessageNotUnderstood

Scalar = str | bool | int | Decimal


class BadPath(ValueError):
    """A path that cannot be read in this kind of payload."""


class Source(Protocol):
    """A place in a payload. Paths that begin with “/” start at the top for XPath, and here for JSON Pointer."""

    def texts(self, path: str) -> list[str]:
        """The texts at a path; empty when nothing is there. Raises BadPath."""

    def each(self, path: str) -> Sequence["Source"]:
        """The rows of a list; empty when it is missing. Raises BadPath."""

    def place_of(self, path: str) -> str:
        """The path as it leads there from the top of the payload, for a person."""


def read_source(payload: bytes, media_type: str) -> Source:
    """Raises MessageNotUnderstood when the payload is neither JSON nor XML nor CSV that we accept."""
    kind = media_type.partition(";")[0].strip().lower()
    try:
        if kind.endswith(("/xml", "+xml")):
            return XmlSource(safe_xml.parse(payload).getroot())
        if kind.endswith(("/json", "+json")):
            return JsonSource(safe_json.loads(payload))
        if kind == "text/csv":
            return JsonSource({"rows": read_rows(payload)})
    except (safe_json.UnsafeJson, safe_xml.UnsafeXml) as error:
        raise MessageNotUnderstood(error.problem, remedy=error.remedy) from error
    raise MessageNotUnderstood(
        f"A field map reads JSON, XML and CSV, and this is {kind or 'of no media type'}.",
        field="payload.media_type",
        remedy="Send application/json, application/xml or text/csv.",
    )


class JsonSource:
    def __init__(self, value: Any, place: str = "") -> None:
        self.value = value
        self._place = place

    def texts(self, path: str) -> list[str]:
        found = self._at(path)
        values = found if isinstance(found, list) else [found]
        return [_text(value) for value in values if value is not None and not isinstance(value, dict | list)]

    def each(self, path: str) -> Sequence[Source]:
        found = self._at(path)
        rows = found if isinstance(found, list) else [] if found is None else [found]
        at = self.place_of(path)
        return [JsonSource(row, f"{at}/{index}" if isinstance(found, list) else at) for index, row in enumerate(rows)]

    def place_of(self, path: str) -> str:
        return self._place + path

    def _at(self, path: str) -> Any:
        try:
            steps = steps_of(path)
        except BadPointer:
            raise BadPath(f"“{path}” is not a JSON Pointer such as /invoice/number.") from None
        return _walk(self.value, steps)


def _walk(value: Any, steps: Sequence[str]) -> Any:
    """The value at the end of the steps; at `*` the values of every row; None when there is nothing."""
    for position, step in enumerate(steps):
        if step == "*" and isinstance(value, list):
            found = [_walk(row, steps[position + 1 :]) for row in value]
            return [one for row in found for one in (row if isinstance(row, list) else [row]) if one is not None]
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list):
            index = index_of(step)
            value = value[index] if index is not None and index < len(value) else None
        else:
            return None
    return value


def _text(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


class XmlSource:
    """Namespaces are those of the document's root; a path without prefix means the default namespace."""

    def __init__(self, element: etree._Element) -> None:
        self._element = element

    def texts(self, path: str) -> list[str]:
        found = self._at(path)
        return [text for one in found if (text := _text_of(one).strip())]

    def each(self, path: str) -> Sequence[Source]:
        return [XmlSource(one) for one in self._at(path) if etree.iselement(one)]

    def place_of(self, path: str) -> str:
        above = self._element.getroottree().getpath(self._element) if self._element.getparent() is not None else ""
        return f"{above}/{path}" if above and path and not path.startswith("/") else path or above

    def _at(self, path: str) -> list[Any]:
        prefixes = {prefix or "default": name for prefix, name in self._element.getroottree().getroot().nsmap.items()}
        try:
            found = self._element.xpath(path or ".", namespaces=prefixes, smart_strings=False)
        except etree.XPathError as error:
            raise BadPath(f"“{path}” is not an XPath that can be read here: {error}.") from None
        return found if isinstance(found, list) else [found]


def _text_of(found: Any) -> str:
    if etree.iselement(found):
        return str(etree.tostring(found, method="text", encoding="unicode", with_tail=False))
    return str(found)
