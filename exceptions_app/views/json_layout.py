"""A JSON document on one line, laid out for reading: only white space is added, every other character stays."""

from integrations.safe_json import UnsafeJson, loads

_STEP = "  "


def laid_out(text: str) -> str:
    """One value to a line, indented. What has lines already, or is no JSON, stays as it is."""
    stripped = text.strip()
    if "\n" in stripped or not stripped.startswith(("{", "[")):
        return text
    try:
        loads(stripped.encode())
    except (UnsafeJson, UnicodeEncodeError):
        return text
    return _written(stripped)


def _written(text: str) -> str:
    written: list[str] = []
    depth, place = 0, 0
    while place < len(text):
        character = text[place]
        if character == '"':
            end = _end_of_string(text, place)
            written.append(text[place:end])
            place = end
            continue
        if character in "{[":
            depth += 1
            closes = _skip_space(text, place + 1)
            if text[closes] in "}]":  # an empty one takes no line of its own
                depth -= 1
                written.append(character + text[closes])
                place = closes + 1
                continue
            written.append(f"{character}\n{_STEP * depth}")
        elif character in "}]":
            depth -= 1
            written.append(f"\n{_STEP * depth}{character}")
        elif character == ",":
            written.append(f",\n{_STEP * depth}")
        elif character == ":":
            written.append(": ")
        elif not character.isspace():
            written.append(character)
        place += 1
    return "".join(written)


def _skip_space(text: str, place: int) -> int:
    while text[place].isspace():
        place += 1
    return place


def _end_of_string(text: str, start: int) -> int:
    place = start + 1
    while text[place] != '"':
        place += 2 if text[place] == "\\" else 1
    return place + 1
