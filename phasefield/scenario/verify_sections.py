"""The section `verify:` of a scenario: the checks made at the end of a run."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, NonNegativeFloat, PositiveFloat, Tag
from pydantic_core import PydanticCustomError

from phasefield.models.base import Strict
from phasefield.scenario.kinds import Number, Off, by_kind


class LinearStabilityCheck(Strict):
    """Tolerances of the comparison with linear-stability theory."""

    wavelength: PositiveFloat = Field(default=0.03, description="relative error of the fastest-growing wavelength")
    growth_rate: PositiveFloat = Field(
        default=0.02,
        description="error of the largest growth rate, and rms error of the growth curve, relative to the largest rate",
    )
    discrete: PositiveFloat = Field(
        default=0.01,
        description="rms error of the growth curve against the exact factors of the time scheme, relative as above",
    )


class TwinsCheck(Strict):
    """What a transformed martensite has to show in its last frame; fractions and mean strain in a clamped box only."""

    share: float = Field(
        default=0.99,
        gt=0.0,
        lt=1.0,
        description="least share of the structure factor within 15° of compatible wall normals",
    )
    direction: PositiveFloat = Field(
        default=0.5, description="intensity-weighted deviation from them, in degrees (two dimensions)"
    )
    fractions: PositiveFloat = Field(default=0.03, description="difference between the volume fractions of variants")
    mean_strain: PositiveFloat = Field(
        default=0.02, description="mean transformation strain, relative to that of a single variant"
    )


class CrackAreaCheck(Strict):
    """What breaks in the run, against the energy that this dissipates."""

    area: PositiveFloat = Field(description="area of the new crack, its length in the plane")
    tolerance: PositiveFloat = Field(default=0.05, description="relative error of the dissipated energy")


def _in_order(window: list[float]) -> list[float]:
    if not window[0] < window[1]:
        raise PydanticCustomError(
            "order", "{text}", {"text": f"the first number must be the smaller (got {window[0]:g} and {window[1]:g})"}
        )
    return window


# [lowest, highest].
Window = Annotated[list[NonNegativeFloat], Field(min_length=2, max_length=2), AfterValidator(_in_order)]


class RunningCrackCheck(Strict):
    """What the crack of a body with inertia is expected to do: each [lowest, highest]."""

    start: Window | None = Field(default=None, description="time at which the crack has grown by ℓ")
    branching: Window | None = Field(
        default=None, description="time at which it passes the first fork of the last frame"
    )
    arrival: Window | None = Field(default=None, description="time at which its tip is within ℓ of a face")
    angle: Window | None = Field(default=None, description="between the notch and the crack, degrees")
    fastest: Window | None = Field(default=None, description="highest speed of the tip over that of Rayleigh waves")


class CrackRowCheck(Strict):
    """The cracks that a quenched face sends in, against the stability of the damaged layer from which they come."""

    face: str = Field(description="x.low, x.high, y.low or y.high")
    depth: PositiveFloat = Field(description="distance from the face at which cracks are counted, about ℓ")
    tolerance: PositiveFloat = Field(default=0.15, description="relative error of the mean spacing")


class VerifySection(Strict):
    """Checks made at the end of a run."""

    linear_stability: Annotated[
        Off | Annotated[LinearStabilityCheck, Tag("{section}")],
        by_kind("false or a section of tolerances such as {wavelength: 0.03}"),
    ] = Field(
        default=LinearStabilityCheck(), description="growth of small fluctuations against theory; false turns it off"
    )
    mass: Annotated[Number | Off, by_kind("false or a number, the tolerance")] = Field(
        default=1e-13,
        description="drift of the mean of a conserved field, relative to its largest magnitude (1e-6 in single precision)",
    )
    energy: bool = Field(default=True, description="the energy never grows")
    shrinking_radius: Annotated[Number | Off, by_kind("false or a number, the tolerance")] = Field(
        default=False, description="relative error of R² = R₀² − 2(d−1)Lκt for a disc or sphere (non-conserved fields)"
    )
    structure_factor: Annotated[Number | Off, by_kind("false or a number, the tolerance")] = Field(
        default=False, description="rms error of ⟨|φ̂_k|²⟩V(f″+κk̃²)/kT of a stable state with thermal noise"
    )
    avrami: Annotated[Number | Off, by_kind("false or a number, the tolerance")] = Field(
        default=False,
        description="relative error of the Avrami exponent: d for seeds at one time, d + 1 for a constant rate",
    )
    twins: Annotated[
        Off | Annotated[TwinsCheck, Tag("{section}")],
        by_kind("false or a section of tolerances such as {share: 0.99}"),
    ] = Field(default=False, description="orientation of walls and balance of variants when martensite has formed")
    balance: PositiveFloat = Field(
        default=0.01,
        description="energy and dissipation of a cracking body against the work of its load, relative to it",
    )
    crack_area: Annotated[
        Off | Annotated[CrackAreaCheck, Tag("{section}")], by_kind("false or a section such as {area: 0.5}")
    ] = Field(default=False, description="energy dissipated at the end, against the area that has broken")
    homogeneous: Annotated[Number | Off, by_kind("false or a number, the tolerance")] = Field(
        default=False,
        description="damage and stress of a body that is damaged everywhere alike, against the closed form",
    )
    strip: Annotated[Number | Off, by_kind("false or a number, the tolerance")] = Field(
        default=False,
        description="energy release rate of a running crack in a periodic strip, against what breaks a column of its cells",
    )
    band_profile: Annotated[Number | Off, by_kind("false or a number, the tolerance")] = Field(
        default=False,
        description="φ across a straight crack along the grid in the last frame, largest difference from that of a crack at rest",
    )
    mirror: list[Literal["x", "y", "z"]] = Field(
        default=[], description="axes in which frames of φ must have the bits of their mirror images"
    )
    running_crack: Annotated[
        Off | Annotated[RunningCrackCheck, Tag("{section}")],
        by_kind("false or a section such as {fastest: [0.4, 0.6]}"),
    ] = Field(default=False, description="start, branching, arrival, direction and speed of a running crack")
    crack_row: Annotated[
        Off | Annotated[CrackRowCheck, Tag("{section}")],
        by_kind("false or a section such as {face: y.low, depth: 1.0}"),
    ] = Field(default=False, description="spacing of the first cracks of a quenched face in plane stress, AT1")
    manufactured: Annotated[Number | Off, by_kind("false or a number, the tolerance")] = Field(
        default=1e-3, description="relative L2 error of the last frame, where the scenario has a manufactured solution"
    )


# Checks of some kinds of evolution alone. Others do not make them: in their resolved scenarios they stand only where they were
# set.
CHECKS_OF = {
    "gradient_flow": (
        "linear_stability",
        "mass",
        "shrinking_radius",
        "structure_factor",
        "avrami",
        "twins",
        "manufactured",
    ),
    "crack_growth": ("linear_stability", "balance", "crack_area", "homogeneous", "strip", "band_profile"),
    "crack_dynamics": ("balance", "crack_area", "mirror", "running_crack", "crack_row"),
}
