"""New elements for a document: made from text or from a piece of XML, and put where the schema wants them."""

from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

from lxml import etree

from integrations.connectors.base import CorrectionError
from integrations.connectors.xml_document.grammar import Grammar
from integrations.connectors.xml_document.namespaces import PREFIX_OF, PREFIXES
from integrations.connectors.xml_document.paths import Step
from integrations.safe_xml import UnsafeXml, parse


def tag_for(grammar: Grammar, step: Step, parent: etree._Element, *, path: str) -> str:
    """The full name of the child that a step asks for below `parent`; raises CorrectionError when there is none."""
    known = next((tag for tag in grammar.children(parent) if etree.QName(tag).localname == step.local), "")
    if known and (not step.uris or etree.QName(known).namespace in step.uris):
        return known
    raise CorrectionError(
        f"{grammar.title} has no {step.local} below {etree.QName(parent).localname}.",
        path=path,
        remedy="Check the spelling of the path.",
    )


def create_path(grammar: Grammar, parent: etree._Element, steps: Sequence[Step], *, path: str) -> etree._Element:
    """Create element after element below `parent`, each with what its conditions say about it; returns the last."""
    element = parent
    for step in steps:
        if step.descendant or step.local == "*":
            raise CorrectionError(
                "The path does not say what to create.", path=path, remedy="Name every step, without // and *."
            )
        element = _create_child(grammar, element, step, path=path)
    return element


def _create_child(grammar: Grammar, parent: etree._Element, step: Step, *, path: str) -> etree._Element:
    child = new_child(grammar, parent, tag_for(grammar, step, parent, path=path), position=step.position)
    for equality in step.equalities:
        target = create_path(grammar, child, equality.steps, path=path)
        if equality.attribute:
            target.set(equality.attribute, equality.literal)
        else:
            target.text = equality.literal
    grammar.finish(child)
    return child


def new_child(grammar: Grammar, parent: etree._Element, tag: str, *, position: int | None = None) -> etree._Element:
    """An empty element in its place, with the prefix that the document uses."""
    namespace = etree.QName(tag).namespace or ""
    prefix = PREFIX_OF.get(namespace)
    nsmap: dict[str, str] = {}
    if prefix is not None and prefix not in parent.nsmap and namespace not in parent.nsmap.values():
        nsmap = {prefix: namespace}
    child = etree.SubElement(parent, tag, nsmap=nsmap)
    grammar.complete(child)
    parent.remove(child)
    insert(grammar, parent, child, position=position)
    return child


def insert(grammar: Grammar, parent: etree._Element, child: etree._Element, *, position: int | None = None) -> None:
    """Put `child` at its place in the schema's sequence: last of its kind, or as number `position` of its kind."""
    children = list(parent.iterchildren("*"))
    same = [node for node in children if node.tag == child.tag]
    if position is not None and position <= len(same):
        _put_before(parent, child, same[position - 1])
        return
    order = {tag: rank for rank, tag in enumerate(grammar.children(parent))}
    own = order.get(child.tag, len(order))
    earlier = [node for node in children if order.get(node.tag, len(order)) <= own]
    if earlier:
        _put_after(parent, child, earlier[-1])
    elif children:
        _put_before(parent, child, children[0])
    else:
        _put_alone(parent, child)


def _put_before(parent: etree._Element, child: etree._Element, neighbour: etree._Element) -> None:
    child.tail = _indent_of(neighbour)
    parent.insert(parent.index(neighbour), child)


def _put_after(parent: etree._Element, child: etree._Element, neighbour: etree._Element) -> None:
    child.tail, indent = neighbour.tail, _indent_of(neighbour)
    parent.insert(parent.index(neighbour) + 1, child)
    neighbour.tail = indent


def _put_alone(parent: etree._Element, child: etree._Element) -> None:
    """The first child of an empty element stands one level deeper than its parent."""
    outer = _indent_of(parent)
    child.tail = None
    if outer is not None and "\n" in outer:
        parent.text, child.tail = outer + ("\t" if "\t" in outer else "  "), outer
    parent.append(child)


def _indent_of(element: etree._Element) -> str | None:
    """The white space before an element."""
    previous, parent = element.getprevious(), element.getparent()
    if parent is None:
        return None
    text = previous.tail if previous is not None else parent.text
    return text if text is not None and not text.strip() else None


def read_fragments(grammar: Grammar, value: str, parent: etree._Element, *, path: str) -> list[etree._Element]:
    """A piece of XML as elements that fit below `parent`. Names without a namespace are the standard's."""
    declared: dict[str, str] = {**PREFIXES}
    declared.update((prefix, uri) for prefix, uri in parent.nsmap.items() if prefix is not None)
    opening = " ".join(f"xmlns:{prefix}={quoteattr(uri)}" for prefix, uri in declared.items())
    try:
        wrapper = parse(f"<wrapper {opening}>{value}</wrapper>".encode()).getroot()
    except UnsafeXml as error:
        raise CorrectionError(f"The XML cannot be read: {error.problem}", path=path, remedy=error.remedy) from None
    except UnicodeEncodeError:
        raise CorrectionError("The XML contains half a character.", path=path, remedy="Remove it.") from None
    fragments = list(wrapper.iterchildren("*"))
    if not fragments or (wrapper.text or "").strip() or any((node.tail or "").strip() for node in fragments):
        raise CorrectionError("The XML must be whole elements.", path=path, remedy="Remove the text around them.")
    for fragment in fragments:
        fragment.tail = None
        _give_namespaces(grammar, fragment, parent.tag)
    return fragments


def _give_namespaces(grammar: Grammar, element: etree._Element, parent_tag: str) -> None:
    if etree.QName(element).namespace is None:
        element.tag = grammar.qualify(element.tag, parent_tag) or element.tag
    for child in element.iterchildren("*"):
        _give_namespaces(grammar, child, element.tag)
