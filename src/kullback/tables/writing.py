"""Reports appear whole or not at all: an interrupted run leaves the old file as it was."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from kullback.errors import InvalidInputError
from kullback.wording import file_name


def check_target(path: str | os.PathLike[str]) -> Path:
    """The path of a file that may be written; to be asked before hours of work, not after.

    Raises `InvalidInputError` where it is a directory, a symbolic link (which would write somewhere else), a device,
    or lies in a directory that is missing or read-only.
    """
    target = Path(path)
    name = file_name(path)
    if "\0" in str(path):
        raise InvalidInputError(f"{name}: a file name cannot hold a NUL character")
    try:
        return _checked(target, name)
    except OSError as error:
        raise InvalidInputError(f"{name} cannot be written: {error.strerror or error}") from error


def _checked(target: Path, name: str) -> Path:
    if target.is_symlink():
        raise InvalidInputError(
            f"{name} is a symbolic link, which is not followed; name the file it points to"
        )
    if target.is_dir() or not target.name:
        raise InvalidInputError(f"{name} is a directory; name a file in it")
    if target.exists() and not target.is_file():
        raise InvalidInputError(f"{name} is not a regular file; name another one")
    if not target.parent.is_dir():
        raise InvalidInputError(f"{name}: there is no directory {file_name(target.parent)}; create it first")
    if not os.access(target.parent, os.W_OK):
        raise InvalidInputError(f"{name}: the directory {file_name(target.parent)} cannot be written to")
    return target


def write_atomically(path: str | os.PathLike[str], text: str) -> Path:
    """Put `text` at `path`, as UTF-8, in one step: whoever looks sees the old file or the new one, never a half.

    The text goes to a new file beside the target, is forced to disk, and takes the name by `os.replace`. Raises
    `InvalidInputError` as `check_target` does, and where the disk is full or the name is too long.
    """
    target = check_target(path)
    draft = target.with_name(f".kullback-{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        _write_through(draft, text.encode("utf-8", errors="backslashreplace"))
        os.replace(draft, target)
    except OSError as error:
        raise InvalidInputError(f"{file_name(path)} was not written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
    _sync_directory(target.parent)
    return target


def _write_through(path: Path, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags, 0o666), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    """The new name survives a power cut too, where the system lets a directory be synchronised (POSIX)."""
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
