"""A file object under HDF5 through which a change reaches the disk as a whole or not at all.

HDF5 writes what it has cached in no particular order and updates blocks in place. A kill, a full disk or
a power cut in the middle can leave the index of a dataset pointing at nothing, and then all its frames are
lost, not only the last: once in 32 chunks an index node is split, which moves half of its old entries.

Here only blocks beyond the end of the file are written at once, where nothing refers to them yet. Blocks
that overwrite old ones wait in memory until HDF5 flushes. Then a journal of them is put behind the new data
and both are brought to the disk; then the blocks are written in place, then the journal is cut off. A journal
found at the end of a file is one whose blocks may not all be in place: the next writer puts them there.

Readers that know nothing of this find a sound file after each single write, too: of the blocks written in
place, the superblock goes first when the file grows and last when it shrinks, the rest in HDF5's order.
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
from pathlib import Path

_JOURNAL = b"phasefield redo\n"
# Magic, bytes of blocks before this footer, end of the file without journal, SHA-256 of the blocks.
_FOOTER = struct.Struct("<16sQQ32s")
_BLOCK = struct.Struct("<QQ")


class Transaction:
    """Read–write file object for `h5py.File(Transaction(path), "r+")`; `flush` commits, `finish` too.

    Errors of the disk do not pass through HDF5, which would be left half closed: they are kept, all later
    writes are ignored, and `finish` raises the first as OSError.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("r+b", buffering=0)
        self._recover()
        self._committed = self._end = self._size()
        self._position = 0
        self._pending: list[tuple[int, bytes]] = []
        self._given_up = False
        self._error: OSError | None = None

    # ------------------------------------------------- what h5py asks of a file

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._end}[whence]
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: memoryview) -> int:
        view = memoryview(buffer).cast("B")
        view[:] = self._peek(self._position, len(view))
        self._position += len(view)
        return len(view)

    def read(self, size: int) -> bytes:
        self._position += size
        return bytes(self._peek(self._position - size, size))

    def write(self, block: bytes) -> int:
        offset, size = self._position, len(block)
        self._position += size
        self._end = max(self._end, self._position)
        if offset < self._committed or self._given_up:
            # HDF5 writes the superblock at each turn, changed or not.
            if self._peek(offset, size) != block:
                self._pending.append((offset, bytes(block)))
        else:
            try:
                self._put(offset, block)
            except OSError as error:
                self.give_up(error)
        return size

    def truncate(self, size: int) -> int:
        self._end = size
        return size

    def flush(self) -> None:
        """Commit: bring the change to the disk."""
        if self._given_up or (not self._pending and self._end == self._committed):
            return
        grown = self._end > self._committed
        # No reference may point behind the end of the file that the superblock, at offset 0, states.
        self._pending.sort(key=lambda item: (item[0] == 0) != grown)
        # A single block needs no journal: it is written by one call to the system.
        journal = self._journal() if len(self._pending) > 1 else b""
        try:
            if self._end > self._size():
                self._file.truncate(self._end)
            if journal:
                self._put(self._size(), journal)
            os.fsync(self._file.fileno())
        except OSError as error:
            self.give_up(error)
            return
        try:
            for offset, block in self._pending:
                self._put(offset, block)
            if journal:
                os.fsync(self._file.fileno())
            self._file.truncate(self._end)
        except OSError as error:  # the journal stays for the next writer
            self._given_up, self._error = True, error
            return
        self._pending.clear()
        self._committed = self._end

    # ---------------------------------------------------------------- its owner

    def give_up(self, error: OSError | None = None) -> None:
        """Forget everything since the last commit."""
        if not self._given_up:
            self._given_up, self._error = True, error
            self._file.truncate(self._committed)

    def finish(self) -> None:
        """Commit what HDF5 wrote while closing; raises the OSError that stopped the change, if one did."""
        self.flush()
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        self._file.close()

    # ---------------------------------------------------------------- internals

    def _size(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def _peek(self, start: int, size: int) -> bytearray:
        """The bytes at a place as they will be after the next commit; zeros behind the end."""
        data = bytearray(size)
        view, done = memoryview(data), 0
        self._file.seek(start)
        while done < size and (count := self._file.readinto(view[done:])):
            done += count
        for offset, block in self._pending:
            low, high = max(start, offset), min(start + size, offset + len(block))
            if low < high:
                view[low - start : high - start] = block[low - offset : high - offset]
        return data

    def _put(self, offset: int, block: bytes) -> None:
        self._file.seek(offset)
        view = memoryview(block)
        while view:
            view = view[self._file.write(view) :]

    def _journal(self) -> bytes:
        """All pending blocks and a footer by which they are recognised."""
        blocks = b"".join(_BLOCK.pack(offset, len(block)) + block for offset, block in self._pending)
        footer = _FOOTER.pack(_JOURNAL, len(blocks), self._end, hashlib.sha256(blocks).digest())
        return blocks + footer

    def _recover(self) -> None:
        """Finish the commit of a writer that was killed in the middle of it."""
        start = self._size() - _FOOTER.size
        if start < 0:
            return
        self._file.seek(start)
        magic, length, end, digest = _FOOTER.unpack(self._file.read(_FOOTER.size))
        if magic != _JOURNAL or length > start:
            return
        self._file.seek(start - length)
        blocks = self._file.read(length)
        if hashlib.sha256(blocks).digest() != digest:
            return
        position = 0
        while position < length:
            offset, size = _BLOCK.unpack_from(blocks, position)
            position += _BLOCK.size + size
            self._put(offset, blocks[position - size : position])
        os.fsync(self._file.fileno())
        self._file.truncate(end)
