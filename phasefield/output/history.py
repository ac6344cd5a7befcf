"""Scalar histories: rows kept in memory and written to `/history` in batches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from phasefield.output.fields import FieldsFile

ROWS_PER_FLUSH = 256


class HistoryWriter:
    """Buffers rows `{name: number}` with the columns `names`, `time` among them."""

    def __init__(self, file: FieldsFile, names: Iterable[str]) -> None:
        self.file = file
        self.names = tuple(names)
        if "time" not in self.names:
            raise ValueError(f"a history needs the column 'time', got {self.names}")
        self._rows: list[tuple[float, ...]] = []

    def add(self, row: Mapping[str, float]) -> None:
        """Add one row; every column must be there. Writes when 256 rows have gathered."""
        if row.keys() != set(self.names):
            raise ValueError(f"the history has the columns {sorted(self.names)}, got {sorted(row)}")
        self._rows.append(tuple(float(row[name]) for name in self.names))
        if len(self._rows) >= ROWS_PER_FLUSH:
            self.flush()

    def flush(self) -> None:
        """Write what is buffered; rows stay buffered when writing fails."""
        if self._rows:
            self.file.append_history(dict(zip(self.names, np.array(self._rows).T, strict=True)))
            self._rows.clear()
