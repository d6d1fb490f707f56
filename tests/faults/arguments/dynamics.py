"""Valid calls of `dynboltz.dynamics`."""

from __future__ import annotations

from typing import Any

import diffrax
import jax.numpy as jnp
import numpy as np
from bad_arguments import call

from dynboltz import dynamics
from dynboltz.elements import ElementSpace, RadialSpace
from dynboltz.particles import Box

TIMES = np.linspace(0.0, 0.2, 3)
NAMES = ("a", "b")


def const(x):
    return dynamics.Constant(jnp.asarray(x))


def calls() -> dict[str, Any]:
    grid = dynamics.HermiteGrid(NAMES, (1.0, 1.0), (0.0, 0.0), (-2.0, -2.0), (2.0, 2.0), "clamp")
    field = dynamics.HermiteField.zeros(NAMES, {"a": grid, "b": grid}).allocate(np.zeros((1, 2)))
    function = field.functions[0]
    line = dynamics.FunctionField(NAMES, lambda theta, k: -k * theta, jnp.asarray(1.0))
    theta = np.array([[0.1, 0.2]])
    path = np.tile(theta[:, None], (1, 3, 1))
    solver = dynamics.HermiteSolver(field)
    u = solver.flatten(tuple(np.asarray(f.u) for f in field.functions))
    solved = solver.solve(u, theta, TIMES)
    box = Box((1.0,), "periodic")
    space = ElementSpace(box, (3,), "P1")
    equation = dynamics.Equation(const(0.1), const(-0.1), const(0.0))
    functional = dynamics.FunctionalField(space, ("A",), (equation,))
    radial = RadialSpace(1.0, 2)
    single = dynamics.UniformEquation(const(0.0), (None,))
    pair = dynamics.PairField(radial, 2, ("A",), (("A", "A"),), (single,), (equation,))
    one = jnp.asarray(theta[0])
    curve = dynamics.HermiteCurve(-1.0, 1.0, jnp.zeros((3, 2)))
    nu = jnp.zeros(1)
    pt = jnp.zeros(pair.space.size + 1)
    l2 = dynamics.L2(0.1, np.zeros(2))
    weights = dynamics.time_weights(TIMES)
    return {
        "Conserving": call(diffusion=curve, species=0),
        "Conserving.__call__": call(dynamics.Conserving(curve, 0), nu=nu),
        "Constant": call(value=jnp.asarray(1.0)),
        "Constant.__call__": call(const(1.0), nu=nu),
        "CorrelationWithin": call(exponents=(1.0, 1.0), radius=0.5),
        "CorrelationWithin.__call__": call(
            dynamics.CorrelationWithin((1.0, 1.0), 0.5), arguments=jnp.zeros(3)
        ),
        "ExponentialWithin": call(exponents=(1.0, 1.0), radius=0.5),
        "ExponentialWithin.__call__": call(
            dynamics.ExponentialWithin((1.0, 1.0), 0.5), arguments=jnp.zeros(3)
        ),
        "Dictionary": call(functions=(dynamics.Exponential((1.0,)),), weights=jnp.ones(1)),
        "Dictionary.__call__": call(
            dynamics.Dictionary((dynamics.Exponential((1.0,)),), jnp.ones(1)), nu=nu
        ),
        "Equation": call(laplacian=curve, gradient_squared=curve, source=curve),
        "Equation.conserving": call(dynamics.Equation, diffusion=curve, source=curve, species=0),
        "Equation.weak": call(equation, arguments=nu, slopes=jnp.zeros((1, 1)), own=jnp.zeros(1)),
        "Exponential": call(exponents=(1.0,)),
        "Exponential.__call__": call(dynamics.Exponential((1.0,)), nu=nu),
        "FunctionField": call(coefficients=NAMES, function=lambda t, p: t, parameters=None),
        "FunctionField.__call__": call(line, theta=one),
        "FunctionalField": call(space=space, species=("A",), equations=(equation,)),
        "FunctionalField.__call__": call(functional, theta=jnp.zeros(space.size)),
        "FunctionalField.stiff_operator": call(functional, theta=jnp.zeros(space.size)),
        "HermiteCurve": call(lower=-1.0, upper=1.0, u=jnp.zeros((3, 2)), species=0),
        "HermiteCurve.__call__": call(curve, nu=nu),
        "HermiteCurve.constant": call(
            dynamics.HermiteCurve,
            value=1.0,
            lower=-1.0,
            upper=1.0,
            n_elements=3,
            species=0,
            _waits="n_elements",
        ),
        "HermiteField": call(coefficients=NAMES, functions=field.functions),
        "HermiteField.__call__": call(field, theta=one),
        "HermiteField.allocate": call(field, thetas=theta),
        "HermiteField.arguments": call(field, function=function),
        "HermiteField.basis": call(field, thetas=theta),
        "HermiteField.outside": call(field, thetas=theta),
        "HermiteField.visited": call(field, thetas=theta),
        "HermiteField.zeros": call(
            dynamics.HermiteField, coefficients=NAMES, grids={"a": grid, "b": grid}, dtype=None
        ),
        "HermiteFunction": call(grid=grid, outputs=NAMES, keys=function.keys, u=function.u),
        "HermiteFunction.__call__": call(function, x=one),
        "HermiteFunction.allocate": call(function, points=theta),
        "HermiteFunction.basis": call(function, x=one),
        "HermiteFunction.zeros": call(
            dynamics.HermiteFunction, grid=grid, outputs=NAMES, dtype=None
        ),
        "HermiteGrid": call(
            arguments=NAMES,
            cell=(1.0, 1.0),
            origin=(0.0, 0.0),
            lower=(-2.0, -2.0),
            upper=(2.0, 2.0),
            outside="clamp",
        ),
        "HermiteGrid.locate": call(grid, points=theta),
        "HermiteSolver": call(field=field, method="euler", substeps=1, _waits="substeps"),
        "HermiteSolver.flatten": call(
            solver, parts=tuple(np.asarray(f.u) for f in field.functions)
        ),
        "HermiteSolver.solve": call(solver, u=u, theta0=theta, times=TIMES),
        "HermiteSolver.pull_back": call(
            solver, u=u, path=solved, first=0, times=TIMES, cotangents=path
        ),
        "L2": call(strength=0.1, target=np.zeros(2)),
        "L2.penalty": call(l2, theta=path, weights=weights),
        "L2.gradient": call(l2, theta=path),
        "PairField": call(
            space=radial,
            dim=2,
            species=("A",),
            pairs=(("A", "A"),),
            single=(single,),
            pair=(equation,),
        ),
        "PairField.__call__": call(pair, theta=pt),
        "PairField.stiff_operator": call(pair, theta=pt),
        "Positive": call(logarithm=curve),
        "Positive.__call__": call(dynamics.Positive(curve), nu=nu),
        "UniformEquation": call(local=curve, integrands=(None,)),
        "check_solution": call(field=field, theta=path, times=TIMES),
        "discrete_adjoint": call(
            field=line,
            theta0=theta,
            times=TIMES,
            cotangents=path,
            method="euler",
            substeps=1,
            _waits="substeps",
            rtol=1e-6,
            atol=1e-9,
        ),
        "explicit_adjoint": call(
            field=line,
            theta=path,
            times=TIMES,
            moment_difference=path,
            method="euler",
            substeps=1,
            _waits="substeps",
            regularisation=l2,
            window=(0, 2),
        ),
        "integrate": call(
            field=line,
            theta0=theta,
            times=TIMES,
            method="euler",
            substeps=1,
            rtol=1e-6,
            atol=1e-9,
            _waits="substeps",
        ),
        "solve_adaptive": call(
            field=line,
            theta0=jnp.asarray(theta),
            times=jnp.asarray(TIMES),
            solver=diffrax.Tsit5(),
            rtol=1e-3,
            atol=1e-3,
        ),
        "step_grid": call(
            times=np.array([0.0, 0.1, 0.3]), time_step=0.05, _waits="time_step times"
        ),
        "solve_fixed": call(
            field=line,
            theta0=jnp.asarray(theta),
            times=jnp.asarray(TIMES),
            method="euler",
            substeps=1,
            _waits="substeps",
        ),
        "solve_implicit": call(
            field=line,
            theta0=jnp.asarray(theta),
            times=jnp.asarray(TIMES),
            operator=-jnp.eye(2),
            substeps=1,
            _waits="substeps",
        ),
        "time_weights": call(times=TIMES, rule="left", window=(0, 2)),
        "unlimited": call(field=line),
    }
