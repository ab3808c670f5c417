"""Corrections of JSON documents, for every connector whose payload is JSON.

A step is RFC 6902 in meaning, with a JSON Pointer (RFC 6901) as its path and a text as its value:
- where a text stands, the value is that text as it is written, and stays a text;
- where a number stands, it is the number in digits, and stays a number, digit for digit;
- where an object, a list, true, false or null stands, it is JSON;
- what is added is JSON, or else a text: `1250.00` adds a number, `"1250.00"` and `CC-100` add a text.
A value changes its type only by being removed and added. What no step names keeps every byte.
"""

from integrations.connectors.json_document.correct import MAX_OPERATIONS, correct, operations_for
from integrations.connectors.json_document.differences import operations_between

__all__ = ["MAX_OPERATIONS", "correct", "operations_between", "operations_for"]
