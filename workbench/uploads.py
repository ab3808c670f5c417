"""Files in forms: one small one, in memory, where a page takes a proof; every other is passed over unread."""

from io import BytesIO
from typing import Any

from django.core.files.uploadedfile import InMemoryUploadedFile, UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile

FIELD = "file"
LARGEST = 5_000_000  # bytes that are kept; of a larger one its page learns the size, and says that it is too large


class OneProof(FileUploadHandler):
    """Nothing is written to a disk, and no request keeps more than one file."""

    _kept: BytesIO | None = None

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        if self.field_name != FIELD or self._kept is not None:
            raise SkipFile
        self._kept = BytesIO()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if self._kept is not None and self._kept.tell() < LARGEST:
            self._kept.write(raw_data[: LARGEST - self._kept.tell()])

    def file_complete(self, file_size: int) -> UploadedFile | None:
        if self._kept is None:
            return None
        self._kept.seek(0)
        return InMemoryUploadedFile(
            self._kept, self.field_name, self.file_name, self.content_type, file_size, self.charset
        )
