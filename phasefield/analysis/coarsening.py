"""How fast a pattern of domains coarsens: three lengths of a run over time, and the law L³ = L₀³ + K t.

    interface spacing   V/A = γV/(F − F_bulk)          volume per area of interface; γ the energy per area
    first zero          smallest r with g(r) = 0        g(r) = Σ_k |ĉ_k|² j(kr) / Σ_k |ĉ_k|², the pair correlation
    mean wavelength     2π/⟨k⟩                          ⟨k⟩ = Σ_k k |ĉ_k|² / Σ_k |ĉ_k|²

over all modes k ≠ 0; j = cos, J₀ and sin(x)/x in one, two and three dimensions. F_bulk is the energy of the two phases in the
shares that the mean asks for. Domains of a conserved field grow by diffusion as L³ − L₀³ ∝ t, those of a non-conserved one as
L² − L₀² ∝ t, so that the slope of log L against log t reaches 1/3 or 1/2 only when L³ ≫ L₀³.

The mean wavelength has a logarithm in it. Interfaces of area A in which c jumps by Δc put the power A Δc²/(πVk²) dk into the
modes between k and k + dk, in any number of dimensions, up to k ~ 1/δ. Hence with the variance s² and ℓ = V/A

    ⟨k⟩ = Δc²/(π s² ℓ) · (log(ℓ/δ) + C),

and where ℓ grows as t^n the slope of 2π/⟨k⟩ is n (1 − 1/(log(ℓ/δ) + C)), plus what s² adds while it still rises.

Source: I. M. Lifshitz, V. V. Slyozov, J. Phys. Chem. Solids 19 (1961) 35, doi:10.1016/0022-3697(61)90054-3. The power at
large k is Porod's law, derived in docs/theory/coarsening.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phasefield.analysis.interface import Interface, flat_interface
from phasefield.analysis.modes import NotApplicable
from phasefield.output.reader import Run
from phasefield.scenario import LoadedScenario, load_scenario

LEAST_ROWS = 4


@dataclass(frozen=True)
class GrowthLaw:
    """Lengths over a window of time: a power of t, and L^p = L₀^p + K t with p = 3 (conserved) or 2.

    exponent: slope of log L against log t. rate, offset: K and L₀^p, by least squares of the relative deviations of L^p.
    deviation: rms relative deviation of L from that law. offset_exponent: slope of log L against log(t + L₀^p/K).
    """

    exponent: float
    rate: float
    offset: float
    deviation: float
    offset_exponent: float
    rows: int
    window: tuple[float, float]


@dataclass(frozen=True)
class Coarsening:
    """Lengths at the times of the frames, all (frames,); nan where a length does not exist.

    step_size: time per step since the frame before, nan for the first. variance: Σ_k |ĉ_k|². power: p of the law.
    """

    time: np.ndarray
    interface_spacing: np.ndarray
    first_zero: np.ndarray
    mean_wavelength: np.ndarray
    step_size: np.ndarray
    variance: np.ndarray
    interface: Interface
    box: float
    power: int

    def window(self, decades: float, largest: float = 0.125) -> tuple[float, float]:
        """The last so many decades of time before the mean wavelength passes the share `largest` of the shortest side.

        Raises:
            NotApplicable: the run does not reach back so far.
        """
        small = np.flatnonzero(self.mean_wavelength <= largest * self.box)
        end = float(self.time[small[-1]]) if small.size else 0.0
        start = end / 10.0**decades
        if not self.time[self.time > 0.0].min(initial=np.inf) <= start * (1.0 + 1e-9):
            raise NotApplicable(
                f"frames span less than {decades:g} decades before domains reach {largest:g} of the box"
            )
        return start, end

    def law(self, length: str, window: tuple[float, float]) -> GrowthLaw:
        """Fit one of the lengths, by its name, between two times; every frame counts alike.

        Raises:
            NotApplicable: fewer than 4 frames lie between these times.
        """
        t, L = self._inside(getattr(self, length), window)
        lengths = L**self.power
        # Rows are divided by L^p: without that the last few would decide alone.
        rate, offset = np.linalg.lstsq(
            np.stack([t, np.ones(t.size)], 1) / lengths[:, None], np.ones(t.size), rcond=None
        )[0]
        fitted = np.maximum(rate * t + offset, 0.0) ** (1.0 / self.power)
        later = t + offset / rate
        return GrowthLaw(
            exponent=_slope(t, L),
            rate=float(rate),
            offset=float(offset),
            deviation=float(np.sqrt(np.mean((fitted / L - 1.0) ** 2))),
            offset_exponent=_slope(later, L) if rate > 0.0 and later[0] > 0.0 else np.nan,
            rows=int(t.size),
            window=(float(t[0]), float(t[-1])),
        )

    def step_exponent(self, window: tuple[float, float]) -> float:
        """Slope of the logarithm of the mean step against log t.

        Raises:
            NotApplicable: as `law`.
        """
        return _slope(*self._inside(self.step_size, window))

    @property
    def tail_constant(self) -> np.ndarray:
        """C = π s² ℓ⟨k⟩/Δc² − log(ℓ/δ), which the tail of the structure factor leaves constant; 2δ is the interface width."""
        spacing, jump = self.interface_spacing, self.interface.high - self.interface.low
        first_moment = 2.0 * np.pi / self.mean_wavelength
        return np.pi * self.variance * spacing * first_moment / jump**2 - np.log(2.0 * spacing / self.interface.width)

    def _inside(self, values: np.ndarray, window: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
        start, end = window
        inside = (self.time >= start * (1.0 - 1e-9)) & (self.time <= end * (1.0 + 1e-9)) & np.isfinite(values)
        if np.count_nonzero(inside) < LEAST_ROWS or start <= 0.0:
            raise NotApplicable(f"fewer than {LEAST_ROWS} frames show it between t = {start:g} and {end:g}")
        return self.time[inside], values[inside]


def coarsening(run: Run | str) -> Coarsening:
    """Lengths of the domains of a run at the times of its frames, without the first one at t = 0.

    Args:
        run: a run, its folder or its fields file; its history should be finer than its frames are apart.

    Raises:
        NotApplicable: several fields, elasticity or noise, no two phases, or no spectra in the file.
    """
    run = run if isinstance(run, Run) else Run(run)
    scenario = load_scenario(run.scenario)
    model, data = scenario.model, run.spectrum
    if len(model.fields) != 1 or model.coupling is not None or model.explicit or model.thermal_energy:
        raise NotApplicable("interface energy is known for one field without elasticity and noise")
    (name,) = model.fields
    if data is None:
        raise NotApplicable("the file holds no spectra")
    history = run.history.load()
    t, mean = history["time"].values, history[f"mean_{name}"].values
    interface = flat_interface(model, float(mean[0]))
    if interface is None:
        raise NotApplicable(f"there are no two phases into which {name} = {mean[0]:.4g} separates")
    later = data["time"].values > 0.0
    time = data["time"].values[later]
    k, shells = _shells(run, name)
    volume = float(np.prod([a.length for a in scenario.grid.axes]))
    excess = history["energy"].values - volume * _bulk_energy(scenario, interface, mean)
    # Between rows both are close to powers of t.
    rows = (t > 0.0) & (excess > 0.0)
    energy, steps = (
        np.exp(np.interp(np.log(time), np.log(t[rows]), np.log(values[rows]), left=np.nan, right=np.nan))
        for values in (excess, history["steps"].values)
    )
    return Coarsening(
        time=time,
        interface_spacing=volume * interface.energy / energy,
        first_zero=first_zero(k, shells[later], scenario.grid.dimensions, min(scenario.grid.spacing)),
        mean_wavelength=mean_wavelength(run, name)[1][later],
        step_size=np.diff(time, prepend=np.nan) / np.diff(steps, prepend=np.nan),
        variance=shells[later].sum(axis=1),
        interface=interface,
        box=min(a.length for a in scenario.grid.axes),
        power=3 if model.fields[name].conserved else 2,
    )


def mean_wavelength(run: Run, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Times of the stored spectra and 2π/⟨k⟩, ⟨k⟩ = Σ k|ĉ_k|²/Σ|ĉ_k|² over k ≠ 0; nan where the field is constant."""
    if run.spectrum is None:
        return np.zeros(0), np.zeros(0)
    k, shells = _shells(run, name)
    moment = (shells * k).sum(axis=1)
    wavelength = np.full(moment.size, np.nan)
    np.divide(2.0 * np.pi * shells.sum(axis=1), moment, out=wavelength, where=moment > 0.0)
    return run.spectrum["time"].values, wavelength


def first_zero(k: np.ndarray, shells: np.ndarray, dimensions: int, spacing: float) -> np.ndarray:
    """Smallest r at which the pair correlation, averaged over directions, crosses zero; nan where it does not.

    Args:
        k: wavenumber of each shell, (shells,), positive.
        shells: power Σ|ĉ_k|² in each shell, (times, shells).
        dimensions: 1, 2 or 3.
        spacing: distance between the r that are looked at; between two of them g is taken as straight.
    """
    from scipy.special import j0

    waves = {1: np.cos, 2: j0, 3: lambda x: np.sinc(x / np.pi)}[dimensions]
    r = spacing * np.arange(int(np.pi / (k.min() * spacing)) + 1)
    g = shells @ waves(np.outer(k, r))
    negative = g <= 0.0
    after = np.argmax(negative, axis=1)
    found = (after > 0) & (shells.sum(axis=1) > 0.0)
    rows, after = np.arange(len(g)), np.maximum(after, 1)
    left, right = g[rows, after - 1], g[rows, after]
    share = np.divide(left, left - right, out=np.zeros(len(g)), where=found)
    return np.where(found, spacing * (after - 1 + share), np.nan)


def _shells(run: Run, name: str) -> tuple[np.ndarray, np.ndarray]:
    """k of every shell but k = 0, and the power in it, (frames, shells): the mean of its modes times their number."""
    data = run.spectrum
    assert data is not None
    return data["wavenumber"].values[1:], data[f"power_{name}"].values[:, 1:] * data["modes"].values[1:]


def _bulk_energy(scenario: LoadedScenario, interface: Interface, mean: np.ndarray) -> np.ndarray:
    """Energy density of two phases side by side: the tie line between them at the mean."""
    (name,) = scenario.model.fields
    bulk = next(t for t in scenario.model.terms_at(0.0) if t.pointwise is not None)
    ends = (interface.low, interface.high)
    low, high = (float(bulk.density({name: np.array([u])}, scenario.grid)[0]) for u in ends)
    return low + (high - low) * (mean - interface.low) / (interface.high - interface.low)


def _slope(t: np.ndarray, values: np.ndarray) -> float:
    return float(np.polyfit(np.log(t), np.log(values), 1)[0])
