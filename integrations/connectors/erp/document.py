"""A posting as it came: which kind it is, what stands in it, and where."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from integrations.connectors.erp.terms import LAYOUTS, LINES, NUMERIC, Layout, Term, name_in
from integrations.connectors.erp.values import decimal_of, text_of
from integrations.refusals import MessageNotUnderstood
from integrations.safe_json import UnsafeJson, loads


@dataclass(frozen=True, slots=True)
class Posting:
    layout: Layout
    content: Mapping[str, Any]

    def text(self, name: str) -> str:
        return text_of(self.content.get(name)).strip()

    @property
    def lines(self) -> list[Mapping[str, Any]]:
        """Every line; one that is no object counts as empty."""
        lines = self.content.get(LINES)
        return [line if isinstance(line, dict) else {} for line in lines] if isinstance(lines, list) else []

    @property
    def number(self) -> str:
        return self.text(self.layout.number)

    @property
    def writes_numbers(self) -> bool:
        """Whether amounts stand as JSON numbers; as decimal text otherwise."""
        values = [holder.get(term.name) for holder, terms in self._holders() for term in terms if term.kind in NUMERIC]
        return not isinstance(next((value for value in values if value is not None), ""), str)

    def _holders(self) -> list[tuple[Mapping[str, Any], list[Term]]]:
        head, line = list(self.layout.head.values()), list(self.layout.line.values())
        return [(self.content, head), *((row, line) for row in self.lines)]

    def term_at(self, steps: tuple[str, ...]) -> Term | None:
        """The field that a path of the payload leads to, whether or not it is there."""
        match steps:
            case (name,):
                return self.layout.head.get(name)
            case (first, index, name) if first == LINES and index.isdigit() and int(index) < len(self.lines):
                return self.layout.line.get(name)
        return None

    def steps_to(self, reference: str) -> tuple[str, ...]:
        """The path that the ERP means by `lines/1/cost_center` or `/PostingDate`; empty when there is no such place."""
        named = tuple(name_in(self.layout, step) for step in reference.strip().strip("/").split("/") if step)
        match named:
            case (name,) if name in self.layout.head or name in self.content:
                return named
            case (first, index, *rest) if first == LINES and index.isdigit() and int(index) < len(self.lines):
                line = self.lines[int(index)]
                known = not rest or (len(rest) == 1 and (rest[0] in self.layout.line or rest[0] in line))
                return (LINES, str(int(index)), *rest) if known else ()
        return ()


def read_posting(payload: bytes) -> Posting:
    """Raises MessageNotUnderstood for what is no posting of a kind that we know."""
    try:
        content = loads(payload)
    except UnsafeJson as error:
        raise MessageNotUnderstood(error.problem, remedy=error.remedy) from None
    known = " or ".join(LAYOUTS)
    if not isinstance(content, dict):
        raise MessageNotUnderstood("The payload is no JSON object.", remedy=f"Send a posting with type {known}.")
    kind = content.get("type")
    layout = LAYOUTS.get(kind) if isinstance(kind, str) else None
    if layout is None:
        stands = f"“{text_of(kind)[:40]}”" if kind is not None else "missing"
        raise MessageNotUnderstood(f"The type of the posting is {stands}.", remedy=f"Send the type {known}.")
    return Posting(layout, content)


def business_key(payload: bytes) -> str:
    """`company|reference` of a journal, `company|number` of a customer invoice; raises MessageNotUnderstood.

    A posting without a reference is told apart by its content.
    """
    return business_key_of(read_posting(payload), payload)


def business_key_of(posting: Posting, payload: bytes) -> str:
    """The same for a posting that is already parsed."""
    number = posting.number or f"(no {posting.layout.number}) {hashlib.sha256(payload).hexdigest()[:16]}"
    return f"{posting.text('company')}|{number}"


def is_number(posting: Posting, path: str) -> bool:
    """Whether a field that is not there yet is to be written as a JSON number, as its neighbours are."""
    term = posting.term_at(tuple(path.split("/")[1:]))
    return term is not None and term.kind in NUMERIC and posting.writes_numbers


def posts_the_same(sent: Posting, found: Mapping[str, Any]) -> bool:
    """Whether the ERP's own copy says what was sent: amounts by value, and nothing that only one of them has.

    A field that we do not know counts only where both have it: the ERP need not give back everything.
    """
    theirs = Posting(sent.layout, found)
    if found.get("type") != sent.layout.object_type or len(sent.lines) != len(theirs.lines):
        return False
    rows = zip(sent.lines, theirs.lines, strict=True)
    return _agree(sent.content, found, sent.layout.head) and all(
        _agree(ours, other, sent.layout.line) for ours, other in rows
    )


def _agree(ours: Mapping[str, Any], theirs: Mapping[str, Any], terms: Mapping[str, Term]) -> bool:
    shared = [name for name in ours if name in theirs and name not in terms and name != LINES]
    return all(_value(ours, name, terms) == _value(theirs, name, terms) for name in (*terms, *shared))


def _value(holder: Mapping[str, Any], name: str, terms: Mapping[str, Term]) -> object:
    """No amount is the same as zero: a debit line may say nothing of credit."""
    value = holder.get(name)
    term = terms.get(name)
    if term is not None and term.kind in NUMERIC:
        amount = decimal_of(value)
        return amount if amount is not None else text_of(value).strip() or 0
    return value if isinstance(value, dict | list) else text_of(value).strip()
