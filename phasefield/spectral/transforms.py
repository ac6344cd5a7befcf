"""FFT engines: one-dimensional batches and small planes, always one thread per call, always into given arrays.

Forward transforms of periodic boxes divide by the number of points, inverse ones do not: coefficients are those of the Fourier
series and the k = 0 coefficient is the mean. Transforms of single axes are real and orthogonal: of a no-flux axis the cosine
transform DCT-II, of a fixed one the sine transform DST-II, of a periodic one that of Hartley, cos − sin. Values at the corners of
cells ask for the other types of cosine and sine transform; see `Engine.trigonometric`.

`ducc0` is the default; `scipy` takes over when it is not installed.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from phasefield.errors import InputError
from phasefield.registry import lookup, names, register

logger = logging.getLogger(__name__)


class Engine(Protocol):
    """What a sweep asks of an FFT library."""

    name: str

    def complex(self, a: np.ndarray, axis: int, forward: bool, out: np.ndarray) -> None:
        """Complex transform along one axis; `out` may be `a`."""

    def real_forward(self, a: np.ndarray, axes: Sequence[int], out: np.ndarray) -> None:
        """Real-to-complex along axes[-1], complex along the others."""

    def real_backward(self, a: np.ndarray, axes: Sequence[int], out: np.ndarray) -> None:
        """The inverse of `real_forward`; may destroy `a`."""

    def orthogonal(self, boundary: str, a: np.ndarray, axis: int, forward: bool, out: np.ndarray) -> None:
        """Real and orthogonal transform along one axis with the waves of its boundary; `out` may be `a`."""

    def trigonometric(self, family: str, kind: int, a: np.ndarray, axis: int, out: np.ndarray) -> None:
        """Orthogonal `dct` or `dst` of kind 1, 2 or 3 along one axis; 1 is its own inverse, 2 and 3 are inverse to each other.

        Orthogonal means that values at the ends carry a factor √½: in the matrix √(2/n) cos(πjk/n), j, k = 0 … n, of the DCT-I
        those of 0 and n, in √(2/n) cos(π(j+½)k/n) of the DCT-II k = 0, in √(2/n) sin(π(j+½)k/n), k = 1 … n, of the DST-II k = n.
        `out` may be `a`.
        """


@register("fft_engine", "ducc0")
class Ducc0:
    """ducc0.fft: no planning, SIMD over many transforms, repeatable bits."""

    name = "ducc0"

    def __init__(self) -> None:
        import ducc0.fft

        self._fft = ducc0.fft

    def complex(self, a: np.ndarray, axis: int, forward: bool, out: np.ndarray) -> None:
        self._fft.c2c(a, axes=(axis,), forward=forward, inorm=2 if forward else 0, out=out, nthreads=1)

    def real_forward(self, a: np.ndarray, axes: Sequence[int], out: np.ndarray) -> None:
        self._fft.r2c(a, axes=axes, inorm=2, out=out, nthreads=1)

    def real_backward(self, a: np.ndarray, axes: Sequence[int], out: np.ndarray) -> None:
        self._fft.c2r(
            a,
            axes=axes,
            lastsize=out.shape[axes[-1]],
            forward=False,
            out=out,
            nthreads=1,
            allow_overwriting_input=True,
        )

    def orthogonal(self, boundary: str, a: np.ndarray, axis: int, forward: bool, out: np.ndarray) -> None:
        if boundary == "periodic":
            self._fft.separable_hartley(a, axes=(axis,), inorm=1, out=out, nthreads=1)
            return
        transform = self._fft.dct if boundary == "no_flux" else self._fft.dst
        transform(a, type=2 if forward else 3, axes=(axis,), inorm=1, out=out, nthreads=1)

    def trigonometric(self, family: str, kind: int, a: np.ndarray, axis: int, out: np.ndarray) -> None:
        getattr(self._fft, family)(a, type=kind, axes=(axis,), inorm=1, out=out, nthreads=1)


@register("fft_engine", "scipy")
class Scipy:
    """scipy.fft (pocketfft): permissive licence, always there, allocates its results."""

    name = "scipy"

    def __init__(self) -> None:
        import scipy.fft

        self._fft = scipy.fft

    def complex(self, a: np.ndarray, axis: int, forward: bool, out: np.ndarray) -> None:
        transform = self._fft.fft if forward else self._fft.ifft
        out[...] = transform(a, axis=axis, norm="forward", workers=1)

    def real_forward(self, a: np.ndarray, axes: Sequence[int], out: np.ndarray) -> None:
        out[...] = self._fft.rfftn(a, axes=axes, norm="forward", workers=1)

    def real_backward(self, a: np.ndarray, axes: Sequence[int], out: np.ndarray) -> None:
        sizes = [out.shape[i] for i in axes]
        out[...] = self._fft.irfftn(a, s=sizes, axes=axes, norm="forward", workers=1, overwrite_x=True)

    def orthogonal(self, boundary: str, a: np.ndarray, axis: int, forward: bool, out: np.ndarray) -> None:
        if boundary == "periodic":
            whole = self._fft.fft(a, axis=axis, norm="ortho", workers=1)
            out[...] = np.real(whole) + np.imag(whole)  # pyright: ignore[reportArgumentType,reportCallIssue]
            return
        transform = self._fft.dct if boundary == "no_flux" else self._fft.dst
        out[...] = transform(a, type=2 if forward else 3, axis=axis, norm="ortho", workers=1)

    def trigonometric(self, family: str, kind: int, a: np.ndarray, axis: int, out: np.ndarray) -> None:
        out[...] = getattr(self._fft, family)(a, type=kind, axis=axis, norm="ortho", workers=1)


def make_engine(name: str = "auto") -> Engine:
    """The FFT engine called `name`; `auto` is ducc0, or scipy with one log line where ducc0 is not installed."""
    if name == "auto":
        try:
            return Ducc0()
        except ImportError:
            logger.warning("ducc0 is not installed: transforms run on scipy.fft (slower, same results to rounding)")
            return Scipy()
    try:
        return lookup("fft_engine", name)()
    except ImportError as error:
        raise InputError(
            f"FFT engine '{name}' is not installed ({error}); choose one of {['auto', *names('fft_engine')]}"
        ) from None
