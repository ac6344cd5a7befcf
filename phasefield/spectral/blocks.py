"""How large a block of a pass over memory may be."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from phasefield.errors import InputError

CACHE_INFORMATION = "/sys/devices/system/cpu/cpu0/cache"


@cache
def cache_block_bytes() -> int:
    """Bytes of a block that stays in the second-level cache together with what the stage reads beside it.

    A quarter of that cache, between 128 KiB and 1 MiB; 256 KiB where its size is not known. The environment variable
    `PHASEFIELD_BLOCK_KIB` overrides it.

    Raises:
        InputError: the variable is no positive whole number.
    """
    text = os.environ.get("PHASEFIELD_BLOCK_KIB")
    if text is not None:
        if not (text.isascii() and text.isdecimal() and int(text) > 0):
            raise InputError(f"PHASEFIELD_BLOCK_KIB must be a positive whole number of KiB, got '{text}'")
        return int(text) * 1024
    for index in sorted(Path(CACHE_INFORMATION).glob("index*")):
        try:
            level, size = (index / "level").read_text().strip(), (index / "size").read_text().strip()
        except OSError:
            continue
        if level == "2" and size.endswith("K") and size[:-1].isdecimal():
            return min(max(int(size[:-1]) * 1024 // 4, 128 * 1024), 1024 * 1024)
    return 256 * 1024
