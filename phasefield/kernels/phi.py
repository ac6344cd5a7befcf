"""φ-functions of many numbers at once, by the series of the stage kernels: for tables over all modes of a large grid."""

from __future__ import annotations

import numpy as np

from phasefield.kernels.cache import load_module
from phasefield.kernels.stages import HALF_NAMES, PHI_NAMES, dependency

_SOURCE = """\
# Depends on kernels/cpu.py {dependency}.
from numba import njit
from phasefield.kernels.cpu import phi_functions


@njit(cache=True, nogil=True, error_model="numpy", fastmath={{"contract"}})
def tabulate(z, out):
    for i in range(z.size):
        out[0, i], out[1, i], out[2, i], out[3, i] = phi_functions(z[i])
"""


def phi_values(z: np.ndarray) -> dict[str, np.ndarray]:
    """z, e^z, φ₁, φ₂, φ₃ and the same of z/2 by the names of stage tables, in the shape of z, to a few ulp."""
    tabulate = load_module(_SOURCE.format(dependency=dependency()), "phi").tabulate
    z = np.ascontiguousarray(z, float)
    result = {"z": z}
    for names, argument in ((PHI_NAMES, z), (HALF_NAMES, 0.5 * z)):
        values = np.empty((4, z.size))
        tabulate(argument.reshape(-1), values)
        result |= {name: row.reshape(z.shape) for name, row in zip(names, values, strict=True)}
    return result
