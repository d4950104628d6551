"""How large the record batches of an Arrow stream become, told from their metadata alone.

A compressed buffer begins with its length after decompression, and a decoder allocates that many bytes before it
looks at the rest. No reader offers these lengths beforehand, so they are looked up here: an Arrow message carries its
metadata as a FlatBuffer, in which a table begins with the (negative) distance to its list of field positions.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from types import ModuleType
from typing import Any

FILE_MAGIC = b"ARROW1"

_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3
# Positions of the fields in the schemas of Arrow's metadata, version 5 (Message.fbs, File.fbs).
_HEADER_TYPE, _HEADER = 1, 2
_DICTIONARY_DATA = 1
_LENGTH, _BUFFERS, _COMPRESSION = 0, 2, 3
_DICTIONARIES, _RECORD_BATCHES = 2, 3
_BUFFER_BYTES = 16  # two 64-bit integers: offset, length
_BLOCK_BYTES = 24  # offset, length of the metadata, padding, length of the body


def claim(arrow: ModuleType, data: memoryview) -> tuple[int, int]:
    """Rows, and bytes after decompression, that the messages of an Arrow file or stream announce.

    Raises `struct.error` or `ValueError` where the metadata point outside the data.
    """
    messages = _of_file(arrow, data) if data[:6] == FILE_MAGIC else _of_stream(arrow, data)
    rows = total = 0
    for message in messages:
        metadata = memoryview(message.metadata)
        kind, batch = _batch(metadata)
        if batch >= 0:
            length, size = _measure(metadata, batch, memoryview(message.body or b""))
            rows += length if kind == _RECORD_BATCH else 0
            total += size
    return rows, total


def _of_stream(arrow: ModuleType, data: memoryview) -> Iterator[Any]:
    reader = arrow.ipc.MessageReader.open_stream(data)
    while True:
        try:
            yield reader.read_next_message()
        except StopIteration:
            return


def _of_file(arrow: ModuleType, data: memoryview) -> Iterator[Any]:
    """The messages that the footer points to, which are the ones that a reader of the file form decodes."""
    size = _read("<i", data, len(data) - len(FILE_MAGIC) - 4)
    end = len(data) - len(FILE_MAGIC) - 4
    footer = data[max(end - size, 0) : end]
    table = _follow(footer, 0)
    for index in (_DICTIONARIES, _RECORD_BATCHES):
        at = _field(footer, table, index)
        vector = _follow(footer, at) if at else 0
        for i in range(_read("<I", footer, vector) if at else 0):
            offset, head, body = struct.unpack_from(
                "<qixxxxq", _within(footer, vector + 4 + i * _BLOCK_BYTES)
            )
            if head <= 0 or body < 0:
                raise ValueError(f"a message of {head} + {body} bytes")
            yield arrow.ipc.read_message(_within(data, offset)[: head + body])


def _batch(metadata: memoryview) -> tuple[int, int]:
    """The kind of a message and where its record batch stands, −1 where it has none."""
    message = _follow(metadata, 0)
    kind_at, header_at = (_field(metadata, message, index) for index in (_HEADER_TYPE, _HEADER))
    if not kind_at or not header_at:
        return 0, -1
    kind, header = metadata[kind_at], _follow(metadata, header_at)
    if kind == _RECORD_BATCH:
        return kind, header
    data_at = _field(metadata, header, _DICTIONARY_DATA) if kind == _DICTIONARY_BATCH else 0
    return kind, _follow(metadata, data_at) if data_at else -1


def _measure(metadata: memoryview, batch: int, body: memoryview) -> tuple[int, int]:
    length_at, buffers_at, compressed = (
        _field(metadata, batch, i) for i in (_LENGTH, _BUFFERS, _COMPRESSION)
    )
    rows = _read("<q", metadata, length_at) if length_at else 0
    if rows < 0:
        raise ValueError(f"a record batch of {rows} rows")
    if not buffers_at or not compressed:
        return rows, len(body)
    vector = _follow(metadata, buffers_at)
    total = 0
    for i in range(_read("<I", metadata, vector)):
        offset, size = struct.unpack_from("<qq", _within(metadata, vector + 4 + i * _BUFFER_BYTES))
        if size > 0:
            claimed = _read("<q", body, offset)
            total += size if claimed == -1 else claimed
            if claimed < -1:
                raise ValueError(f"a buffer of {claimed} bytes")
    return rows, total


def _field(data: memoryview, table: int, index: int) -> int:
    """Where a field of a table stands, 0 where it is absent and has its default."""
    slots = table - _read("<i", data, table)
    slot = 4 + 2 * index
    if slot + 2 > _read("<H", data, slots):
        return 0
    distance = _read("<H", data, slots + slot)
    return table + distance if distance else 0


def _follow(data: memoryview, at: int) -> int:
    return at + _read("<I", data, at)


def _read(form: str, data: memoryview, at: int) -> Any:
    return struct.unpack_from(form, _within(data, at))[0]


def _within(data: memoryview, at: int) -> memoryview:
    if not 0 <= at < len(data):
        raise ValueError(f"a reference to byte {at} of {len(data)}")
    return data[at:]
