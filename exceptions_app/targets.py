"""Where documents are sent, as a person is told it."""

from urllib.parse import urlsplit


def without_secrets(url: str) -> str:
    """An address that can be shown: without user, password, query and fragment."""
    if not url:
        return ""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"
