"""The formats in which the log is handed out, written page by page so that a writer may die between two of them.

What a writer has to know of the pages before is told with each page, as JSON, and kept beside its bytes. So the bytes
of all pages, one after the other, are the file: nothing is put together at the end, and nothing is written twice.
"""

from audit.formats.base import ENDINGS, EVIDENCE, FORMATS, MEDIA_TYPES, Asked, Told, TooLarge, writer_of

__all__ = ["ENDINGS", "EVIDENCE", "FORMATS", "MEDIA_TYPES", "Asked", "Told", "TooLarge", "writer_of"]
