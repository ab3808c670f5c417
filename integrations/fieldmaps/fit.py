"""Whether a map fits the canonical document that it writes or reads: a misspelt field is refused before it is saved."""

from collections.abc import Iterator
from dataclasses import dataclass

from integrations.connectors.json_document.pointers import BadPointer, pointer_to, steps_of
from integrations.fieldmaps.declaration import Declaration, MapNotUnderstood, Rule
from integrations.models import Direction
from integrations.records.schemas import DESCRIPTIONS
from integrations.records.schemas.description import Part, Term


@dataclass(frozen=True, slots=True)
class Misfit:
    place: str
    problem: str
    remedy: str


def require_fit(declaration: Declaration, *, direction: str, object_type: str) -> None:
    """Raises MapNotUnderstood for the first rule that names no field of the canonical document."""
    for found in misfits(declaration, direction=direction, object_type=object_type):
        raise MapNotUnderstood(found.problem, place=found.place, remedy=found.remedy)


def misfits(declaration: Declaration, *, direction: str, object_type: str) -> Iterator[Misfit]:
    described = DESCRIPTIONS[object_type]
    if direction == Direction.INBOUND:
        yield from _written(declaration.rules, described, described)
    else:
        yield from _read(declaration.rules, described, described)


def _written(rules: tuple[Rule, ...], into: Part, described: Part) -> Iterator[Misfit]:
    """The target of an inbound map is the canonical document."""
    for rule in rules:
        member = member_at(into, rule.to)
        if rule.each is None:
            if not isinstance(member, Term):
                yield _misfit(f"{rule.place}/to", pointer_to(*rule.to), into, described)
        elif isinstance(member, Part) and member.is_list:
            yield from _written(rule.rules, member, described)
        else:
            yield _misfit(f"{rule.place}/to", pointer_to(*rule.to), into, described)


def _read(rules: tuple[Rule, ...], row: Part, described: Part) -> Iterator[Misfit]:
    """The source of an outbound map is the canonical document."""
    for rule in rules:
        source = described if rule.top else row
        if rule.each is not None:
            member = _at(source, rule.each)
            if isinstance(member, Part) and member.is_list:
                yield from _read(rule.rules, member, described)
            else:
                yield _misfit(f"{rule.place}/each", rule.each, source, described)
        elif rule.value is None and rule.context is None:
            name = "sum" if rule.summed else "from"
            for path in rule.summed or (rule.source,):
                if path != "/version" and not isinstance(_at(source, path), Term):
                    yield _misfit(f"{rule.place}/{name}", path, source, described)
            for path in (rule.mapping.on, rule.mapping.entity) if rule.mapping else ():
                if path and not isinstance(_at(described, path), Term):
                    yield _misfit(f"{rule.place}/mapping", path, described, described)


def _at(part: Part, path: str) -> Part | Term | None:
    try:
        return member_at(part, steps_of(path))
    except BadPointer:
        return None


def member_at(part: Part, steps: tuple[str, ...]) -> Part | Term | None:
    """What a path leads to, past rows named by `*` or by a number; None when nothing is described there."""
    found: Part | Term | None = part
    passed_a_row = True
    for step in steps:
        if not isinstance(found, Part):
            return None
        if found.is_list and not passed_a_row and (step == "*" or step.isdigit()):
            passed_a_row = True
            continue
        found, passed_a_row = found.by_name.get(step), False
    return found


def _misfit(place: str, path: str, part: Part, described: Part) -> Misfit:
    known = ", ".join(f"/{member.name}" for member in part.members)
    what = f"a canonical {described.label.lower()}" if part is described else f"a {part.noun} of it"
    return Misfit(place, f"“{path}” is no field of {what}.", f"Known there: {known}.")
