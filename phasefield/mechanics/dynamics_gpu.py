"""Bodies that move on a GPU, in the plane: `dynamics.MovingBody` with u and v on the device, the same bits as on the CPU.

What is asked for now and then (histories, fields, steps of another length) comes to the host; a step brings over the velocities
of nodes that loads act on, and two sums.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from phasefield.errors import InputError
from phasefield.kernels.gpu import blocks_for, compiled, load_cupy
from phasefield.kernels.gpu_source import BLOCK
from phasefield.kernels.gpu_sums import DeviceSums
from phasefield.mechanics import dynamic_kernels as kernels
from phasefield.mechanics.dynamic_cuda import HIGH, WIDE, dynamic_source
from phasefield.mechanics.dynamics import SCHEMES, MovingBody
from phasefield.registry import register
from phasefield.spectral.grid import Grid


@register("moving_body", "gpu")
class GpuBody(MovingBody):
    """A `MovingBody` on the current device; masses, densities and dampers are on the host as well, for those who set up loads.

    Attributes: `u` and `v`, CuPy arrays (2, *nodes). φ and energies that methods take are on the device.

    Raises:
        InputError: three dimensions, more nodes than 32 bits count.
    """

    u: Any
    v: Any

    def __init__(self, grid: Grid, *arguments: Any, **options: Any):
        if grid.dimensions != 2:
            raise InputError("bodies with inertia run on a GPU in the plane only")
        if 2 * (grid.shape[0] + 1) * (grid.shape[1] + 1) >= 2**32:
            raise InputError("the grid has more nodes than a GPU kernel can count")
        super().__init__(grid, *arguments, **options)
        self._xp = load_cupy()
        self.u, self.v = (self._xp.zeros(a.shape, np.float64) for a in (self.u, self.v))
        self._inverse = self._device(self.inverse_mass)
        self._dampers: Any = None
        self._materials = [self._device(a) for a in self._cells]
        self._sums, self._kernels = DeviceSums(2), {}
        self._nothing = self._xp.zeros(1, np.float64)

    # --- u and v, wherever they are -----------------------------------------------------------------------------

    @property
    def displacement(self) -> np.ndarray:
        return self._xp.asnumpy(self.u)

    @property
    def velocity(self) -> np.ndarray:
        return self._xp.asnumpy(self.v)

    def put(self, u: np.ndarray | float, v: np.ndarray | float) -> None:
        shape = self.u.shape
        self.u, self.v = (self._device(np.broadcast_to(a, shape)) for a in (u, v))

    def place(self, index: tuple) -> Any:
        """Indices of the flattened u and v, on the device."""
        component, *where = index
        flat = np.ravel_multi_index(tuple(where), self.nodes) + component * int(np.prod(self.nodes))
        return self._xp.asarray(np.asarray(flat, np.int64))

    def displacement_at(self, place: Any) -> np.ndarray:
        return self._xp.asnumpy(self.u.reshape(-1)[place])

    def velocity_at(self, place: Any) -> np.ndarray:
        return self._xp.asnumpy(self.v.reshape(-1)[place])

    def set_velocity(self, place: Any, values: np.ndarray) -> None:
        self.v.reshape(-1)[place] = self._device(values)

    # --- a step -------------------------------------------------------------------------------------------------

    def damp(self, coefficients: np.ndarray) -> None:
        super().damp(coefficients)
        self._dampers = None

    def move(self, step: float) -> None:
        n = self.u.size
        self._kernel("move", False)((blocks_for(n),), (BLOCK,), (self.u, self.v, np.float64(step), np.uint32(n)))

    def push(self, phi: Any, step: float) -> None:
        if self._dampers is None:
            self._dampers = self._device(self._damping) if self._damped else self._nothing
        own = [n - p for n, p in zip(self.nodes, reversed(self.periodic), strict=True)]
        # One block per tile of nodes, as far as there are blocks.
        blocks = blocks_for(-(-own[0] // HIGH) * -(-own[1] // WIDE) * BLOCK)
        fields = (self.u, self.v, self._device(phi), self._inverse, self._dampers)
        numbers = (np.uint32(self._damped), np.float64(step), *(np.uint32(p) for p in self.periodic))
        cells = self._cell_arguments()
        self._kernel("push", False)((blocks,), (BLOCK,), (*fields, *numbers, self._sums.partial, *cells))
        total = self._sums.fetch(blocks, 2)
        self.kinetic = float(total[0])
        self.lost += float(total[1])

    def energies(self, plus: Any, minus: Any = None, *, driving: bool = False) -> None:
        fields = (self.u, plus, plus if minus is None else minus, np.uint32(minus is not None))
        blocks = blocks_for(self.grid.cells)
        self._kernel("energies", driving)((blocks,), (BLOCK,), (*fields, *self._cell_arguments()))

    def elastic(self, phi: Any) -> float:
        blocks = blocks_for(self.grid.cells)
        arguments = (self.u, self._device(phi), self._sums.partial, *self._cell_arguments())
        self._kernel("elastic", False)((blocks,), (BLOCK,), arguments)
        return float(self._sums.fetch(blocks, 1)[0]) * self.grid.cell_volume

    def _kernel(self, name: str, driving: bool) -> Any:
        key = (name, self._kind(driving), self._heat()[1])
        if key not in self._kernels:
            source = dynamic_source(key[1], SCHEMES[self.scheme], key[2])
            self._kernels[key] = compiled(source, contracted=False).get_function(name)
        return self._kernels[key]

    def _cell_arguments(self) -> tuple:
        """What all kernels of cells take in the end; thermal strains may change and are brought over every time."""
        heat, heated = self._heat()
        arrays = [*self._materials, self._materials[0] if heated == kernels.COLD else self._device(heat)]
        rows = (np.uint32(a.shape[0]) for a in arrays)
        ny, nx = self.grid.shape
        numbers = (np.float64(x) for x in self._numbers())
        return (*arrays, *rows, *numbers, np.uint32(nx), np.uint32(ny))

    def _device(self, values: Any) -> Any:
        """An array on the device as kernels take it."""
        return self._xp.asarray(values, np.float64, order="C")
