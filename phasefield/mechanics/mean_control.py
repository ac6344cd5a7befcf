"""Mean strains and mean stresses of a periodic cell: what is prescribed along each direction of strain space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from phasefield.errors import InputError


class MeanControl:
    """Along every direction of strain space either the mean strain or the mean stress.

    Args:
        kinds: "strain" or "stress" for each of the m directions.
        values: the prescribed ε̄·n_i or σ̄·n_i (Mandel components).
        directions: (m, m), orthonormal columns n_i; the components themselves by default. A proportional stress σ̄ = s n of
            unknown size s under a given strain ε̄·n = e is n as the first column, kinds ("strain", "stress", …), values (e, 0, …).

    Attributes: `strain`, `stress` (m,), the prescribed parts; `free` (m, q), the directions whose mean strain is unknown.
    """

    def __init__(self, kinds: Sequence[str], values: Sequence[float], directions: np.ndarray | None = None):
        m = len(kinds)
        given = np.asarray(values, float)
        basis = np.eye(m) if directions is None else np.asarray(directions, float)
        if m not in (3, 6) or given.shape != (m,) or basis.shape != (m, m) or not set(kinds) <= {"strain", "stress"}:
            raise InputError(
                "the mean needs 3 (plane) or 6 kinds, 'strain' or 'stress', and as many values and directions"
            )
        if not np.allclose(basis.T @ basis, np.eye(m), atol=1e-10):
            raise InputError("the directions of a mean control must be orthonormal columns")
        free = np.array([kind == "stress" for kind in kinds])
        self.strain = basis[:, ~free] @ given[~free]
        self.stress = basis[:, free] @ given[free]
        self.free = basis[:, free]
