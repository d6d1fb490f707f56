"""Valid calls of `dynboltz.learning`."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from bad_arguments import call

from dynboltz import dynamics as d
from dynboltz import learning as l
from dynboltz.distributions import (
    ClampedStatistics,
    LatticeModel,
    Layer,
    PointProcessModel,
    PoissonSolution,
    TransferMatrix,
)
from dynboltz.elements import ElementSpace, RadialSpace
from dynboltz.lattices import Lattice, neighbour_moments
from dynboltz.particles import Box, PointPatterns
from dynboltz.sampling import GibbsSampler, start_random


class Memory:
    def load(self):
        return None

    def is_due(self):
        return False

    def save(self, arrays):
        pass


def calls() -> dict[str, Any]:
    lattice = Lattice((6,))
    model = LatticeModel.from_names(lattice, ["A"], ["b.A", "J.A.A"])
    names = model.coefficients
    solution = TransferMatrix(model)
    clamped = ClampedStatistics(model)
    terms = neighbour_moments(["A"], 1, max_order=2)
    times = np.array([0.0, 0.1, 0.2])
    rng = np.random.default_rng(0)
    states = (rng.random((2, 4, 3, 6)) < 0.4).astype(np.uint8)  # i, r, t, s
    summaries = np.stack([l.summarise(clamped, own) for own in states])
    initial = np.array([[-0.5, 0.1], [-0.4, 0.0]])
    reader = lambda i, t, r: states[i][np.ix_(r, t)].swapaxes(0, 1)
    data = l.TrainingData(times, initial, summaries, reader, 4)
    settings = l.FitSettings(steps=2)
    sampled = l.FitSettings(steps=2, moments="contrastive-divergence", optimiser="sgd")
    persistent = l.FitSettings(steps=2, moments="persistent", chains=4, sweeps=1)
    grid = d.HermiteGrid(names, (1.0, 1.0), (0.0, 0.0), (-6.0, -6.0), (6.0, 6.0), "clamp")
    grids = {n: grid for n in names}
    learning = l.LearningSettings(steps=1, velocity_prior="none")
    seed = np.random.SeedSequence(0)
    sampler = GibbsSampler(model)
    selection = l.Selection(np.array([0, 1]), np.arange(3))
    theta = np.tile(initial[:, None], (1, 3, 1))
    metric = np.asarray(solution.batch_fisher(theta.reshape(-1, 2))).reshape(2, 3, 2, 2)
    field = l.allocate_with_margin(d.HermiteField.zeros(names, grids), theta.reshape(-1, 2))
    exact = l.ExactMoments(solution, data)
    cd = l.SampledMoments(sampler, data, 2, 1, seed)
    ch = l.ChainMoments(sampler, data, replicas=2, chains=2, sweeps=1, persistent=True, seed=seed)
    average = l.HiddenAverage(sampler)
    chains = start_random(model, 4, seed=0)
    flat = states[0].reshape(-1, 6)
    rough = l.roughness(field.functions[0])
    vp = l.VelocityPrior(theta[:, 0], np.zeros((2, 2)), metric[:, 0], 1.0)
    pen = l.Penalties(1e-8, (rough,), vp, field.basis(vp.points))
    values = tuple(np.asarray(f.u) for f in field.functions)
    reduced = l.ReducedModel(model, field, 0.1)
    mr = l.fit_moment_regression(solution, theta, summaries, times)
    # continuous
    box = Box((1.0,), "periodic")
    space = ElementSpace(box, (3,), "P1")
    pm = PointProcessModel(box, ("A",), {"A": space})
    ps = PoissonSolution(pm)
    eq = d.Equation(*(d.Constant(jnp.asarray(x)) for x in (0.1, -0.1, 0.0)))
    ff = d.FunctionalField(space, ("A",), (eq,))
    op = ff.stiff_operator(jnp.zeros(space.size))

    def solve(f, t0):
        return d.solve_implicit(f, t0, jnp.asarray(times), operator=op)

    start = np.full((2, 3), -3.0)
    means = np.stack([[np.asarray(ps.moments(jnp.asarray(s)))] * 3 for s in start])
    like = l.PoissonLikelihood(ps, 10)
    lin = l.Linearised(
        start[:, None].repeat(3, 1), np.zeros((2, 3, 3)), np.tile(np.eye(3), (2, 3, 1, 1))
    )
    one_lin = l.Linearised(*(x[0] for x in lin))
    pats = [
        PointPatterns(rng.random((4, 3, 5, 1)), np.ones((4, 3, 5), np.uint8), ("A",), box)
        for _ in range(2)
    ]
    weights = np.array([0.05, 0.1, 0.05])
    pmoments = l.PointMoments(pm, pats, chains=2, samples=2, proposals=1.0, seed=0)
    gs = l.GaussNewtonSettings(steps=1)
    sgs = l.SampledGaussNewtonSettings(steps=1, chains=2, samples=2, proposals=1.0)
    reps = [rng.random((4, 3, 3)) + 1 for _ in range(2)]
    t1 = jnp.asarray(initial[0])
    return {
        "ChainMoments": call(
            sampler=sampler, data=data, replicas=2, chains=2, sweeps=1, persistent=True, seed=seed
        ),
        "ChainMoments.__call__": call(ch, theta=theta, selection=selection),
        "ChainMoments.restore": call(ch, state=ch.state()),
        "ExactMoments": call(solution=solution, data=data),
        "ExactMoments.__call__": call(exact, theta=theta, selection=selection),
        "ExactMoments.restore": call(exact, state={}),
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
        "HiddenAverage": call(sampler=sampler),
        "HiddenAverage.of_chains": call(average, theta=initial, chains=chains),
        "HiddenAverage.of_states": call(average, theta=initial, visible=flat, seed=seed),
        "HiddenAverage.of_summaries": call(average, theta=initial, summaries=summaries[:, 0]),
        "HiddenAverage.summaries": call(average, visible=flat, n_groups=3),
        "LearningSettings": call(
            moments="exact",
            warm_start=True,
            velocity_prior="none",
            smoothness=1e-8,
            optimiser="adam",
            learning_rate=0.1,
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
        "Linearised.around_fits": call(l.Linearised, theta=theta, covariance=metric),
        "LinearisedLikelihood.__call__": call(
            l.LinearisedLikelihood(), theta=jnp.asarray(one_lin.theta), data=one_lin
        ),
        "MomentRegression.patterns": call(mr, theta=t1),
        "MomentRegression.velocity": call(mr, theta=t1, step=0.1),
        "MomentRegression.sample_velocities": call(
            mr, thetas=initial, step=0.1, largest=np.full(2, 10.0)
        ),
        "Penalties.value": call(pen, field=field, values=values),
        "PointFitSettings": call(
            steps=1, learning_rate=0.1, chains=4, proposals=1.0, ridge=0.1, slots=60
        ),
        "PointMoments": call(model=pm, patterns=pats, chains=2, samples=2, proposals=1.0, seed=0),
        "PointMoments.__call__": call(pmoments, theta=start[:, None].repeat(3, 1)),
        "PoissonLikelihood": call(solution=ps, n_replicas=10),
        "PoissonLikelihood.__call__": call(
            like, theta=jnp.asarray(start), data=jnp.asarray(means[:, 0])
        ),
        "ReducedModel": call(
            model=model, field=field, time_step=0.1, method="euler", substeps=1, history={}
        ),
        "ReducedModel.moments": call(reduced, theta=initial, terms=terms),
        "ReducedModel.predict": call(reduced, theta0=initial, times=times),
        "ReducedModel.sample": call(reduced, theta=initial[0], n_samples=2, seed=0),
        "ReducedModel.steps": call(reduced, times=times),
        "Roughness.assemble": call(rough, n_vertices=len(field.functions[0].u)),
        "Roughness.value": call(rough, values=values[0]),
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
        "SampledMoments": call(sampler=sampler, data=data, replicas=2, sweeps=1, seed=seed),
        "SampledMoments.__call__": call(cd, theta=theta, selection=selection),
        "SampledMoments.restore": call(cd, state=cd.state()),
        "VelocityPrior.value": call(vp, field_values=jnp.zeros((2, 2))),
        "allocate_with_margin": call(field=field, thetas=initial),
        "clamped_statistics": call(model=model),
        "fit_initial": [
            call(model=model, summaries=summaries[:, 0], settings=settings, solution=solution),
            call(
                model=model,
                summaries=summaries[:, 0],
                settings=l.FitSettings(steps=2, optimiser="adam"),
                solution=None,
            ),
        ],
        "fit_initial_persistent": call(
            model=model, states=states[:, :, 0], settings=persistent, seed=seed
        ),
        "fit_initial_sampled": call(
            model=model, states=states[:, :, 0], settings=sampled, seed=0, progress=None
        ),
        "fit_moment_regression": call(
            solution=solution,
            theta=theta,
            summaries=summaries,
            times=times,
            method="euler",
            substeps=1,
        ),
        "fit_point_process": call(
            model=pm,
            patterns=pats[0][:, 0],
            settings=l.PointFitSettings(steps=1, chains=2, proposals=1.0),
            start=start[0],
            seed=0,
        ),
        "fit_poisson": call(model=pm, means=means[:, 0], n_replicas=10, ridge=1.0),
        "fit_pseudolikelihood": call(
            model=pm, patterns=pats[0][:, 0], ridge=0.1, n_points=4, seed=0
        ),
        "fit_trajectories": call(model=model, data=data, settings=settings, solution=solution),
        "fit_trajectories_sampled": call(
            model=model, data=data, settings=persistent, seed=seed, progress=None
        ),
        "gauss_newton": call(
            field=ff,
            initial=start,
            solution=solve,
            source=like,
            data=jnp.asarray(means),
            weights=weights,
            settings=gs,
            progress=None,
        ),
        "learn": [
            call(
                model=model,
                grids=grids,
                data=data,
                settings=learning,
                theta=theta,
                metric=None,
                matching=None,
                seed=0,
                progress=None,
                checkpoint=Memory(),
            ),
            call(
                model=model,
                grids=grids,
                data=data,
                settings=learning,
                theta=theta,
                metric=metric,
                matching=None,
                seed=0,
            ),
        ],
        "load_reduced_model": call(dataset=l.reduced_model_dataset(reduced)),
        "natural_gradient_fit": call(
            solution=solution,
            clamped=clamped,
            summary=jnp.asarray(summaries[0, 0]),
            start=t1,
            prior_strength=0.1,
            steps=2,
        ),
        "pattern_terms": call(model=model, window=2),
        "reduced_model_dataset": call(learned=reduced),
        "robust_covariance": call(
            field=ff, initial=start, solution=solve, source=like, replicas=reps, weights=weights
        ),
        "roughness": call(function=field.functions[0]),
        "sampled_gauss_newton": call(
            field=ff,
            initial=start,
            solution=solve,
            model=pm,
            patterns=pats,
            weights=weights,
            settings=sgs,
            seed=0,
            progress=None,
        ),
        "summarise": call(clamped=clamped, states=states[0]),
        "train": call(
            field=field,
            data=data,
            source=exact,
            settings=l.LearningSettings(steps=1),
            prior=vp,
            seed=seed,
            progress=None,
            checkpoint=None,
        ),
        "warm_start": call(
            field=field,
            times=times,
            theta=theta,
            metric=metric,
            smoothness=1e-6,
            prior=vp,
            method="euler",
            substeps=1,
        ),
        "window_at": call(settings=l.LearningSettings(window=1), step=1, n_times=3),
    }
