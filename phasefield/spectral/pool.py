"""Threads that share the blocks of a pass over memory."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


class Pool:
    """Contiguous shares of the blocks on a fixed set of threads; the calling thread takes the first share."""

    def __init__(self, threads: int):
        self.threads = threads
        self._executor = ThreadPoolExecutor(threads - 1) if threads > 1 else None

    def run(self, work: Callable[[int, int, int], None], blocks: int) -> None:
        """Call work(thread, first, last) so that [first, last) covers all blocks."""
        if self._executor is None:
            work(0, 0, blocks)
            return
        bounds = [blocks * t // self.threads for t in range(self.threads + 1)]
        futures = [
            self._executor.submit(work, t, bounds[t], bounds[t + 1])
            for t in range(1, self.threads)
            if bounds[t + 1] > bounds[t]
        ]
        try:
            work(0, bounds[0], bounds[1])
        finally:
            for future in futures:
                future.result()

    def close(self) -> None:
        """End the threads; what is still asked for runs on the calling thread."""
        if self._executor is not None:
            self._executor.shutdown()
            self._executor = None
