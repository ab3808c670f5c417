"""Archives outside: a file is written once, read back, and only then counts as kept there."""

from integrations.archives.keeping import ArchiveFailed, FileChanged, Parcel, keep

__all__ = ["ArchiveFailed", "FileChanged", "Parcel", "keep"]
