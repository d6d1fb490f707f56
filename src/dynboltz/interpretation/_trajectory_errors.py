"""How far the solutions of a readable equation stay from those of the field it was read from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from jaxtyping import Float64

from dynboltz._arguments import checked
from dynboltz._numbers import check_finite
from dynboltz.dynamics import AbstractVectorField, Method, integrate

from ._known import warn_of_unknown


@final
@checked
@dataclass(frozen=True, eq=False)
class TrajectoryErrors:
    """Distances between solutions from the same initial conditions.

    Attributes
    ----------
    coefficients
        Names.
    absolute
        Root mean square over initial conditions and times.
    displacement
        Root mean square of how far the given solutions get from where they begin.
    """

    coefficients: tuple[str, ...]
    absolute: Float64[np.ndarray, " coefficients"]
    displacement: Float64[np.ndarray, " coefficients"]

    def to_text(self) -> str:
        """One line."""
        parts = (
            f"{record['coefficient']} {record['rmse']:.2g}"
            + ("" if record["relative"] is None else f" ({record['relative']:.1%})")
            for record in self.to_records()
        )
        return ", ".join(parts)

    def to_records(self) -> list[dict[str, Any]]:
        """Numbers and text; relative errors are those over the displacement."""
        return [
            {
                "coefficient": name,
                "rmse": float(error),
                "relative": float(error / moved) if moved else None,
            }
            for name, error, moved in zip(
                self.coefficients, self.absolute, self.displacement, strict=True
            )
        ]


@checked
def trajectory_errors(
    field: AbstractVectorField,
    trajectories: Float64[np.ndarray, "initial_conditions times coefficients"],
    times: Float64[np.ndarray, " times"],
    *,
    method: Method = "euler",
    substeps: int = 1,
) -> TrajectoryErrors:
    """Integrate a field from where trajectories begin, and compare.

    Parameters
    ----------
    field
        The field, such as `Projection.field()`.
    trajectories
        Solutions to compare with.
    times
        Their times [time].
    method, substeps
        Integrator, that of the solutions.

    Raises
    ------
    ValueError
        If there is no trajectory, one is not finite, or as `dynboltz.dynamics.integrate`.
    FloatingPointError
        If a solution of the field is not finite, or so large that its square is not.

    Warns
    -----
    ExtrapolationWarning
        If a solution goes where the field knows nothing, see `ProjectedField.visited` and
        `HermiteField.visited`.
    """
    if not len(trajectories):
        raise ValueError("trajectory_errors: `trajectories` must hold one or more, got none.")
    axes = ("initial condition", "time", "coefficient")
    check_finite("trajectory_errors", "`trajectories`", trajectories, axes)
    found = np.asarray(
        integrate(field, trajectories[:, 0], times, method=method, substeps=substeps)
    )
    with np.errstate(over="ignore"):
        error = np.sqrt(np.mean((found - trajectories) ** 2, axis=(0, 1)))
    if not np.all(np.isfinite(error)):
        raise FloatingPointError("trajectory_errors: a solution of the field grows without bound.")
    warn_of_unknown("trajectory_errors", "solutions", field, found)
    return TrajectoryErrors(
        field.coefficients,
        error,
        np.sqrt(np.mean((trajectories - trajectories[:, :1]) ** 2, axis=(0, 1))),
    )
