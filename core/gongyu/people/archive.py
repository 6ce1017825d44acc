"""A zip whose bytes depend on its content only, and that is there whole or not at all."""

import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["SteadyZip", "steady_zip"]

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can say
_UNIX = 3


class SteadyZip(zipfile.ZipFile):
    """Entries get neither the time nor the system at which they were written."""

    def write(
        self,
        filename: str | os.PathLike[str],
        arcname: str | os.PathLike[str] | None = None,
        compress_type: int | None = None,  # noqa: ARG002 - the signature of zipfile
        compresslevel: int | None = None,  # noqa: ARG002 - as above
    ) -> None:
        entry = _entry(os.fspath(arcname or filename))
        # Its size tells zipfile whether the entry will need the 64-bit form.
        entry.file_size = Path(filename).stat().st_size
        with Path(filename).open("rb") as source, self.open(entry, "w") as target:
            shutil.copyfileobj(source, target, 1 << 20)

    def writestr(
        self,
        zinfo_or_arcname: str | zipfile.ZipInfo,
        data: Any,  # noqa: ANN401 - text or a buffer, a type that only the stubs can name
        compress_type: int | None = None,
        compresslevel: int | None = None,
    ) -> None:
        name = zinfo_or_arcname if isinstance(zinfo_or_arcname, str) else zinfo_or_arcname.filename
        super().writestr(_entry(name), data, compress_type, compresslevel)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = _UNIX
    entry.external_attr = 0o644 << 16
    return entry


@contextmanager
def steady_zip(path: Path) -> Iterator[SteadyZip]:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with SteadyZip(draft, "w") as archive:
            yield archive
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
