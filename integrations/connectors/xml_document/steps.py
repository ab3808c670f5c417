"""One step of a correction, applied to a tree: `test`, `replace`, `add` or `remove`, RFC 6902 in meaning."""

from collections.abc import Sequence

from lxml import etree

from integrations.connectors.base import CorrectionError, Operation
from integrations.connectors.xml_document import paths
from integrations.connectors.xml_document.fragments import create_path, insert, new_child, read_fragments, tag_for
from integrations.connectors.xml_document.grammar import Grammar
from integrations.connectors.xml_document.trees import detach, same_content


def apply(grammar: Grammar, root: etree._Element, operation: Operation) -> None:
    """Apply one step below `root`; raises CorrectionError, and then the tree is not to be used any more."""
    kind, text, value = operation.get("op"), operation.get("path", ""), operation.get("value")
    if not all(isinstance(part, str) for part in (text, value or "")):
        raise CorrectionError("Path and value of a step are texts.", path=str(text), remedy="Send both as strings.")
    path = read_path(grammar, text, root)
    if kind == "remove":
        _remove(root, path)
    elif kind not in ("test", "replace", "add"):
        raise CorrectionError(f"{kind!r} is not a step.", path=text, remedy="Use test, replace, add or remove.")
    elif value is None:
        raise CorrectionError(f"The step {kind} has no value.", path=text, remedy="Give the value, or use remove.")
    else:
        {"test": _test, "replace": _replace, "add": _add}[kind](grammar, root, path, value)


def read_path(grammar: Grammar, text: str, root: etree._Element) -> paths.Path:
    """Read a path as paths.parse_path does; raises CorrectionError."""
    try:
        return paths.parse_path(text, root)
    except paths.PathError as error:
        remedy = f"Name the place step by step, such as {grammar.example}."
        raise CorrectionError(str(error), path=text, remedy=remedy) from None


def single(root: etree._Element, path: paths.Path) -> etree._Element:
    """The one element that a path names; raises CorrectionError when it names none or several."""
    found = paths.find_elements(path, root)
    if not found:
        raise CorrectionError(
            "The path names nothing in the document.", path=path.text, remedy="Use add for what is missing."
        )
    if len(found) > 1:
        raise _ambiguous(path, len(found))
    return found[0]


def value_at(element: etree._Element, attribute: str) -> str | None:
    """The text of an element, or of its attribute; None when the attribute is missing."""
    return element.get(attribute) if attribute else paths.text_of(element)


def _ambiguous(path: paths.Path, count: int) -> CorrectionError:
    return CorrectionError(
        f"The path names {count} places in the document.",
        path=path.text,
        remedy="Add a position, such as [2] after the name that repeats.",
    )


def _test(grammar: Grammar, root: etree._Element, path: paths.Path, value: str) -> None:
    """An empty value tests that there is nothing, or nothing but an empty element."""
    if not value.strip() and not paths.find_elements(path, root):
        return
    element = single(root, path)
    if not path.attribute and _is_xml(value) and next(element.iterchildren("*"), None) is not None:
        fragments = read_fragments(grammar, value, _parent_or_self(element), path=path.text)
        holds, stands = len(fragments) == 1 and same_content(fragments[0], element), "something else"
    else:
        stands = value_at(element, path.attribute) or ""
        holds = stands.strip() == value.strip()
    if not holds:
        raise CorrectionError(
            f"The document says “{_short(stands)}” here, not “{_short(value)}”.",
            path=path.text,
            remedy="The content has changed since: look at it and correct it anew.",
        )


def _replace(grammar: Grammar, root: etree._Element, path: paths.Path, value: str) -> None:
    element = single(root, path)
    if path.attribute:
        if element.get(path.attribute) is None:
            raise CorrectionError("The attribute is not there.", path=path.text, remedy="Use add.")
        _set_attribute(element, value, path)
    elif _is_whole(grammar, value, element.tag, _parent_or_self(element), path):
        _exchange(grammar, element, value, path)
    elif grammar.children(element) or next(element.iterchildren("*"), None) is not None:
        raise _not_a_text(path)
    else:
        _set_text(element, value, path)


def _exchange(grammar: Grammar, element: etree._Element, value: str, path: paths.Path) -> None:
    parent = element.getparent()
    fragments = read_fragments(grammar, value, _parent_or_self(element), path=path.text)
    if len(fragments) != 1:
        raise CorrectionError("One element is replaced by one.", path=path.text, remedy="Use add for the others.")
    if parent is not None:
        fragments[0].tail = element.tail
        parent.replace(element, fragments[0])
        return
    # The root itself stays, so that the comments before it stay.
    for child in list(element):
        element.remove(child)
    element.text = fragments[0].text
    for name in element.attrib:
        del element.attrib[name]
    element.attrib.update(fragments[0].attrib)
    element.extend(list(fragments[0]))


def _add(grammar: Grammar, root: etree._Element, path: paths.Path, value: str) -> None:
    if path.attribute:
        _set_attribute(_reach(grammar, root, path, path.steps), value, path)
        return
    found = paths.find_elements(path, root)
    if not path.steps or (found and found[0] is root):
        _insert_all(grammar, root, value, path, position=None)
        return
    last = path.steps[-1]
    if last.descendant:
        raise CorrectionError("The path does not say where to create.", path=path.text, remedy="Name every step.")
    parent = _parent_of(found, path) if found else _reach(grammar, root, path, path.steps[:-1])
    tag = found[0].tag if found else tag_for(grammar, last, parent, path=path.text)
    if _is_whole(grammar, value, tag, parent, path):
        _insert_all(grammar, parent, value, path, position=last.position)
    elif grammar.is_group(parent, tag):
        _insert_all(grammar, _reach(grammar, root, path, path.steps), value, path, position=None)
    elif found and not (grammar.repeats(parent, tag) and paths.text_of(found[0]).strip()):
        _set_text(single(root, path), value, path)  # RFC 6902: what can stand once is replaced
    else:
        _set_text(_another(grammar, parent, tag, last, path, beside=bool(found)), value, path)


def _parent_of(found: Sequence[etree._Element], path: paths.Path) -> etree._Element:
    parents = {node.getparent() for node in found}
    parent = parents.pop()
    if parents or parent is None:
        raise _ambiguous(path, len(found))
    return parent


def _another(
    grammar: Grammar, parent: etree._Element, tag: str, step: paths.Step, path: paths.Path, *, beside: bool
) -> etree._Element:
    if beside:
        return new_child(grammar, parent, tag, position=step.position)
    return create_path(grammar, parent, (step,), path=path.text)


def _reach(grammar: Grammar, root: etree._Element, path: paths.Path, steps: tuple[paths.Step, ...]) -> etree._Element:
    """The one element that the steps lead to; what is missing on the way is created."""
    for count in range(len(steps), 0, -1):
        found = paths.find_elements(paths.Path(steps[:count], path.absolute), root)
        if len(found) > 1:
            raise _ambiguous(path, len(found))
        if found:
            return create_path(grammar, found[0], steps[count:], path=path.text)
    if path.absolute:
        raise CorrectionError(
            "The path does not begin at the root of the document.",
            path=path.text,
            remedy="Begin with the root element.",
        )
    return create_path(grammar, root, steps, path=path.text)


def _insert_all(
    grammar: Grammar, parent: etree._Element, value: str, path: paths.Path, *, position: int | None
) -> None:
    if not _is_xml(value):
        raise _not_a_text(path)
    for fragment in read_fragments(grammar, value, parent, path=path.text):
        present = next(parent.iterchildren(fragment.tag), None)
        known = fragment.tag in grammar.children(parent)
        if present is not None and known and not grammar.repeats(parent, fragment.tag):
            name = etree.QName(fragment).localname
            raise CorrectionError(f"{name} is already there.", path=path.text, remedy="Use replace.")
        insert(grammar, parent, fragment, position=position)


def _is_xml(value: str) -> bool:
    return value.lstrip().startswith("<")


def _is_whole(grammar: Grammar, value: str, tag: str, parent: etree._Element, path: paths.Path) -> bool:
    """Whether a value is XML for the very element that is named; a text that merely begins with < is not."""
    local = etree.QName(tag).localname
    if not _is_xml(value) or local not in value or not (grammar.is_group(parent, tag) or value.rstrip().endswith(">")):
        return False
    try:
        fragments = read_fragments(grammar, value, parent, path=path.text)
    except CorrectionError:
        if grammar.is_group(parent, tag):
            raise
        return False
    return all(etree.QName(fragment).localname == local for fragment in fragments)


def _parent_or_self(element: etree._Element) -> etree._Element:
    parent = element.getparent()
    return element if parent is None else parent


def _remove(root: etree._Element, path: paths.Path) -> None:
    element = single(root, path)
    if path.attribute:
        if element.get(path.attribute) is None:
            raise CorrectionError("The attribute is not there.", path=path.text, remedy="Leave the step out.")
        del element.attrib[path.attribute]
    elif element is root:
        raise CorrectionError("The document itself cannot be removed.", path=path.text, remedy="Name a part of it.")
    else:
        detach(element)


def _set_text(element: etree._Element, value: str, path: paths.Path) -> None:
    for child in list(element):  # comments; a field has no elements inside
        element.remove(child)
    try:
        element.text = value
    except ValueError:
        raise _bad_characters(path) from None


def _set_attribute(element: etree._Element, value: str, path: paths.Path) -> None:
    try:
        element.set(path.attribute, value)
    except ValueError:
        raise _bad_characters(path) from None


def _bad_characters(path: paths.Path) -> CorrectionError:
    return CorrectionError(
        "The value contains characters that XML does not allow.", path=path.text, remedy="Remove them."
    )


def _not_a_text(path: paths.Path) -> CorrectionError:
    return CorrectionError(
        "This place holds other elements, not a text.", path=path.text, remedy="Name the field inside, or give XML."
    )


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 80 else f"{line[:79]}…"
