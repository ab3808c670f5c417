"""How the inputs of business fields are called, on every page and in a draft."""

import hashlib


def field_name(path: str) -> str:
    """The form name of the field at a path: the same on every page, whatever characters the path has."""
    return "f_" + hashlib.sha256(path.encode()).hexdigest()[:12]
