"""Kinds of values that a value mapping translates, and what people call both sides."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class ValueKind(StrEnum):
    """What a value is a name of, so that one mapping never answers for another."""

    TAX_CODE = "tax_code"
    PAYMENT_TERMS = "payment_terms"
    DEPARTMENT = "department"
    COST_CENTER = "cost_center"
    PROJECT = "project"
    GL_ACCOUNT = "gl_account"
    PRODUCT_FAMILY = "product_family"
    CUSTOMER = "customer"
    SUPPLIER = "supplier"


@dataclass(frozen=True, slots=True)
class KindWords:
    """One value of it in a sentence, many of them as a title, and what the target calls the other side."""

    noun: str
    title: str
    target: str


KIND_WORDS: Mapping[ValueKind, KindWords] = MappingProxyType(
    {
        ValueKind.TAX_CODE: KindWords("tax code", "Tax codes", "tax code of the target"),
        ValueKind.PAYMENT_TERMS: KindWords("payment terms", "Payment terms", "payment terms of the target"),
        ValueKind.DEPARTMENT: KindWords("department", "Departments", "department of the target"),
        ValueKind.COST_CENTER: KindWords("cost centre", "Cost centres", "cost centre of the target"),
        ValueKind.PROJECT: KindWords("project", "Projects", "project of the target"),
        ValueKind.GL_ACCOUNT: KindWords("G/L account", "G/L accounts", "G/L account of the target"),
        ValueKind.PRODUCT_FAMILY: KindWords("product family", "Product families", "revenue account"),
        ValueKind.CUSTOMER: KindWords("customer", "Customers", "customer account"),
        ValueKind.SUPPLIER: KindWords("supplier", "Suppliers", "supplier account"),
    }
)


def not_mapped(kind: ValueKind, value: str) -> str:
    """“The product family “ROBOTICS” is not mapped to a revenue account.”"""
    words = KIND_WORDS[kind]
    article = "" if kind is ValueKind.PAYMENT_TERMS else "a "
    return f"The {words.noun} “{value[:80]}” is not mapped to {article}{words.target}."


def kind_not_mapped(kind: ValueKind) -> str:
    """The same without the value, for what many transactions share."""
    verb = "are" if kind is ValueKind.PAYMENT_TERMS else "is"
    return f"The {KIND_WORDS[kind].noun} {verb} not mapped."
