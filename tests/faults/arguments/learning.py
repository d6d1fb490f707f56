"""Valid calls of `dynboltz.learning`."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from bad_arguments import call

from dynboltz import dynamics, learning
from dynboltz.distributions import (
    ClampedStatistics,
    LatticeModel,
    PointProcessModel,
    PoissonSolution,
    TransferMatrix,
)
from dynboltz.elements import ElementSpace
from dynboltz.lattices import Lattice, neighbour_moments
from dynboltz.particles import Box, PointPatterns
from dynboltz.sampling import GibbsSampler, start_random

MODEL = LatticeModel.from_names(Lattice((6,)), ["A"], ["b.A", "J.A.A"])
TIMES = np.array([0.0, 0.1, 0.2])
STATES = (np.random.default_rng(0).random((2, 4, 3, 6)) < 0.4).astype(np.uint8)
"""Initial conditions, replicas, times, sites."""
INITIAL = np.array([[-0.5, 0.1], [-0.4, 0.0]])
THETA = np.tile(INITIAL[:, None], (1, 3, 1))
TERMS = neighbour_moments(["A"], 1, max_order=2)
SEED = np.random.SeedSequence(0)
GRID = dynamics.HermiteGrid(
    MODEL.coefficients, (1.0, 1.0), (0.0, 0.0), (-6.0, -6.0), (6.0, 6.0), "clamp"
)
GRIDS = dict.fromkeys(MODEL.coefficients, GRID)


class Memory:
    """A checkpoint that keeps nothing."""

    def load(self):
        return None

    def is_due(self):
        return False

    def save(self, arrays):
        pass


def report(state):
    pass


def read(initial_condition, times, replicas):
    return STATES[initial_condition][np.ix_(replicas, times)].swapaxes(0, 1)


class Chain(NamedTuple):
    """What exact learning on a chain is made of."""

    solution: TransferMatrix
    clamped: ClampedStatistics
    summaries: np.ndarray
    data: learning.TrainingData
    metric: np.ndarray
    field: dynamics.HermiteField
    prior: learning.VelocityPrior

    @classmethod
    def of(cls):
        solution, clamped = TransferMatrix(MODEL), ClampedStatistics(MODEL)
        summaries = np.stack([learning.summarise(clamped, own) for own in STATES])
        metric = np.asarray(solution.batch_fisher(THETA.reshape(-1, 2))).reshape(2, 3, 2, 2)
        zero = dynamics.HermiteField.zeros(MODEL.coefficients, GRIDS)
        return cls(
            solution,
            clamped,
            summaries,
            learning.TrainingData(TIMES, INITIAL, summaries, read, 4),
            metric,
            learning.allocate_with_margin(zero, THETA.reshape(-1, 2)),
            learning.VelocityPrior(INITIAL, np.zeros((2, 2)), metric[:, 0], 1.0),
        )


def calls() -> dict[str, Any]:
    chain = Chain.of()
    settings = {
        "FitSettings": call(
            moments="exact",
            optimiser="natural",
            learning_rate=0.1,
            steps=1,
            batch=2,
            prior_strength=0.1,
            weight_decay=0.0,
            chains=4,
            sweeps=1,
            start={"b.A": 0.1},
        ),
        "GaussNewtonSettings": call(steps=1, damping=0.1, tolerance=0.1, fit_initial=True),
        "LearningSettings": call(
            moments="exact",
            warm_start=True,
            velocity_prior="none",
            smoothness=1e-8,
            optimiser="adam",
            learning_rate={"b.A": 0.1},
            steps=1,
            batch=1,
            replicas=1,
            chains=1,
            until=1.0,
            window=1,
            shift_every=1,
            shift_by=1,
            sweeps=1,
            method="euler",
            substeps=1,
            regularisation=0.0,
        ),
        "PointFitSettings": call(
            steps=1, learning_rate=0.1, chains=4, proposals=1.0, ridge=0.1, slots=60
        ),
        "SampledGaussNewtonSettings": call(
            steps=1,
            learning_rate=0.5,
            largest_step=1.0,
            damping=0.1,
            chains=2,
            samples=2,
            proposals=1.0,
            ridge=0.1,
            fit_initial=True,
        ),
        "window_at": call(settings=learning.LearningSettings(window=1), step=1, n_times=3),
    }
    return settings | sources(chain) | fits(chain) | fields(chain) | particles()


def sources(chain: Chain) -> dict[str, Any]:
    sampler, data = GibbsSampler(MODEL), chain.data
    exact = learning.ExactMoments(chain.solution, data)
    sampled = learning.SampledMoments(sampler, data, 2, 1, SEED)
    how = {"replicas": 2, "chains": 2, "sweeps": 1, "persistent": True, "seed": SEED}
    chains = learning.ChainMoments(sampler, data, **how)
    selection = learning.Selection(np.array([0, 1]), np.arange(3))
    average, visible = learning.HiddenAverage(sampler), STATES[0].reshape(-1, 6)
    return {
        "ChainMoments": call(sampler=sampler, data=data, **how, _waits="chains sweeps"),
        "ChainMoments.__call__": call(chains, theta=THETA, selection=selection),
        "ChainMoments.restore": call(chains, state=chains.state()),
        "ExactMoments": call(solution=chain.solution, data=data),
        "ExactMoments.__call__": call(exact, theta=THETA, selection=selection),
        "ExactMoments.restore": call(exact, state={}),
        "HiddenAverage": call(sampler=sampler),
        "HiddenAverage.of_chains": call(
            average, theta=INITIAL, chains=start_random(MODEL, 4, seed=0)
        ),
        "HiddenAverage.of_states": call(average, theta=INITIAL, visible=visible, seed=SEED),
        "HiddenAverage.of_summaries": call(average, theta=INITIAL, summaries=chain.summaries[:, 0]),
        "HiddenAverage.summaries": call(average, visible=visible, n_groups=3),
        "SampledMoments": call(
            sampler=sampler, data=data, replicas=2, sweeps=1, seed=SEED, _waits="sweeps"
        ),
        "SampledMoments.__call__": call(sampled, theta=THETA, selection=selection),
        "SampledMoments.restore": call(sampled, state=sampled.state()),
        "clamped_statistics": call(model=MODEL),
        "summarise": call(clamped=chain.clamped, states=STATES[0]),
    }


def fits(chain: Chain) -> dict[str, Any]:
    natural = learning.FitSettings(steps=2)
    adam = learning.FitSettings(steps=2, optimiser="adam")
    sampled = learning.FitSettings(steps=2, moments="contrastive-divergence", optimiser="sgd")
    persistent = learning.FitSettings(steps=2, moments="persistent", chains=4, sweeps=1)
    first, states, data = chain.summaries[:, 0], STATES[:, :, 0], chain.data
    regression = learning.fit_moment_regression(chain.solution, THETA, chain.summaries, TIMES)
    theta = jnp.asarray(INITIAL[0])
    return {
        "MomentRegression.patterns": call(regression, theta=theta),
        "MomentRegression.sample_velocities": call(
            regression, thetas=INITIAL, step=0.1, largest=np.full(2, 10.0)
        ),
        "MomentRegression.velocity": call(regression, theta=theta, step=0.1),
        "fit_initial": [
            call(model=MODEL, summaries=first, settings=natural, solution=chain.solution),
            call(model=MODEL, summaries=first, settings=adam, solution=None),
        ],
        "fit_initial_contrastive": call(
            model=MODEL, states=states, settings=sampled, seed=0, progress=report
        ),
        "fit_initial_persistent": call(model=MODEL, states=states, settings=persistent, seed=SEED),
        "fit_moments": call(
            model=MODEL, moments=THETA[:, :2] * 0 + 0.2, guess=THETA[:, :2], seed=1
        ),
        "fit_moment_regression": call(
            solution=chain.solution,
            theta=THETA,
            summaries=chain.summaries,
            times=TIMES,
            method="euler",
            substeps=1,
        ),
        "fit_trajectories": call(model=MODEL, data=data, settings=natural, solution=chain.solution),
        "fit_trajectories_sampled": call(
            model=MODEL, data=data, settings=persistent, seed=SEED, progress=None
        ),
        "natural_gradient_fit": call(
            solution=chain.solution,
            clamped=chain.clamped,
            summary=jnp.asarray(first[0]),
            start=theta,
            prior_strength=0.1,
            steps=2,
            largest=1.0,
            _waits="steps",
        ),
        "pattern_terms": call(model=MODEL, window=2),
    }


def fields(chain: Chain) -> dict[str, Any]:
    field, function, prior = chain.field, chain.field.functions[0], chain.prior
    bending = learning.roughness(function)
    penalties = learning.Penalties(1e-8, (bending,), prior, field.basis(prior.points))
    reduced = learning.ReducedModel(MODEL, field, 0.1)
    learned = {
        "model": MODEL,
        "grids": GRIDS,
        "data": chain.data,
        "settings": learning.LearningSettings(steps=1, velocity_prior="none"),
        "theta": THETA,
        "seed": 0,
    }
    return {
        "Penalties.value": call(penalties, field=field, values=(np.asarray(function.u),)),
        "ReducedModel": call(
            model=MODEL, field=field, time_step=0.1, method="euler", substeps=1, history={}
        ),
        "ReducedModel.moments": call(reduced, theta=INITIAL, terms=TERMS),
        "ReducedModel.predict": call(reduced, theta0=INITIAL, times=TIMES),
        "ReducedModel.sample": call(
            reduced, theta=INITIAL[0], n_samples=2, seed=0, _waits="n_samples"
        ),
        "ReducedModel.visited": call(reduced, theta=THETA),
        "ReducedModel.steps": call(reduced, times=TIMES),
        "Roughness.assemble": call(bending, n_vertices=len(function.u)),
        "Roughness.value": call(bending, values=np.asarray(function.u)),
        "VelocityPrior.value": call(prior, field_values=jnp.zeros((2, 2))),
        "allocate_with_margin": call(field=field, thetas=INITIAL),
        "learn": [
            call(**learned, matching=None, progress=None, checkpoint=Memory()),
            call(**learned, metric=chain.metric),
        ],
        "load_reduced_model": call(dataset=learning.reduced_model_dataset(reduced)),
        "reduced_model_dataset": call(learned=reduced),
        "roughness": call(function=function),
        "train": call(
            field=field,
            data=chain.data,
            source=learning.ExactMoments(chain.solution, chain.data),
            settings=learning.LearningSettings(steps=1),
            prior=prior,
            seed=SEED,
            progress=None,
            checkpoint=None,
        ),
        "warm_start": call(
            field=field,
            times=TIMES,
            theta=THETA,
            metric=chain.metric,
            smoothness=1e-6,
            prior=prior,
            method="euler",
            substeps=1,
        ),
    }


def particles() -> dict[str, Any]:
    box, random = Box((1.0,), "periodic"), np.random.default_rng(0)
    space = ElementSpace(box, (3,), "P1")
    model = PointProcessModel(box, ("A",), {"A": space})
    poisson = PoissonSolution(model)
    equation = dynamics.Equation(*(dynamics.Constant(jnp.asarray(x)) for x in (0.1, -0.1, 0.0)))
    field = dynamics.FunctionalField(space, ("A",), (equation,))
    operator = field.stiff_operator(jnp.zeros(3))

    def solution(field, theta0):
        return dynamics.solve_implicit(field, theta0, jnp.asarray(TIMES), operator=operator)

    initial = np.full((2, 3), -3.0)
    theta = np.tile(initial[:, None], (1, 3, 1))
    means = np.tile(np.asarray(poisson.moments(jnp.asarray(initial[0]))), (2, 3, 1))
    likelihood = learning.PoissonLikelihood(poisson, 10)
    covariance = np.tile(np.eye(3), (2, 3, 1, 1))
    fits = learning.Linearised.around_fits(theta, covariance)
    patterns = [
        PointPatterns(random.random((4, 3, 5, 1)), np.ones((4, 3, 5), np.uint8), ("A",), box)
        for _ in range(2)
    ]
    chains = {"chains": 2, "samples": 2, "proposals": 1.0}
    moments = learning.PointMoments(model, patterns, **chains, seed=0)
    weights = np.array([0.05, 0.1, 0.05])
    searched = {"field": field, "initial": initial, "solution": solution, "weights": weights}
    return {
        "Linearised.around_fits": call(learning.Linearised, theta=theta, covariance=covariance),
        "LinearisedLikelihood.__call__": call(
            learning.LinearisedLikelihood(),
            theta=jnp.asarray(theta[0]),
            data=learning.Linearised(*(part[0] for part in fits)),
        ),
        "PointMoments": call(
            model=model, patterns=patterns, **chains, seed=0, _waits="chains samples proposals"
        ),
        "PointMoments.__call__": call(moments, theta=theta),
        "PoissonLikelihood": call(solution=poisson, n_replicas=10),
        "PoissonLikelihood.__call__": call(
            likelihood, theta=jnp.asarray(theta[0]), data=jnp.asarray(means[0])
        ),
        "fit_point_process": call(
            model=model,
            patterns=patterns[0][:, 0],
            settings=learning.PointFitSettings(steps=1, chains=2, proposals=1.0),
            start=initial[0],
            seed=0,
        ),
        "fit_poisson": call(model=model, means=means[0], n_replicas=10, ridge=1.0),
        "fit_pseudolikelihood": call(
            model=model,
            patterns=patterns[0][:, 0],
            ridge=0.1,
            n_points=4,
            seed=0,
            _waits="n_points",
        ),
        "gauss_newton": call(
            **searched,
            source=likelihood,
            data=jnp.asarray(means),
            settings=learning.GaussNewtonSettings(steps=1),
            progress=None,
        ),
        "robust_covariance": call(
            **searched,
            source=likelihood,
            replicas=[random.random((4, 3, 3)) + 1 for _ in range(2)],
        ),
        "sampled_gauss_newton": call(
            **searched,
            model=model,
            patterns=patterns,
            settings=learning.SampledGaussNewtonSettings(steps=1, **chains),
            seed=0,
            progress=None,
        ),
    }


def others() -> list[Any]:
    wide = LatticeModel.from_names(Lattice((3, 3), "closed"), ["A", "B"], ["b.A", "b.B"])
    hidden = learning.TrainingData(TIMES, INITIAL, None)
    prior = learning.VelocityPrior(INITIAL, INITIAL, np.zeros((2, 2, 2)), 1.0)
    return [
        wide,
        hidden,
        hidden._replace(times=TIMES[::-1]),
        hidden._replace(times=TIMES.tolist(), initial=INITIAL.tolist()),
        hidden._replace(summaries=np.zeros((2, 3, 7)), states=3),
        hidden._replace(initial=INITIAL[:1, :1], states=read),
        hidden._replace(states=lambda *_: np.zeros(3), n_replicas=2),
        learning.Selection(np.array([5]), np.array([-1, 0])),
        learning.Selection("a", None),
        learning.Selection([0, 1], [0, 1, 2]),
        learning.Linearised(np.zeros((3, 3)), np.zeros((3, 3)), np.zeros((3, 3))),
        prior,
        prior._replace(points=INITIAL[:1]),
        prior._replace(duration="long"),
        learning.FitSettings(steps=1, start={"b.Z": 1.0}),
        dynamics.FunctionField(("a",), lambda theta, _: theta),
    ]
