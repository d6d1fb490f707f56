"""Every refusal of the settings, and what they accept."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import jaxtyping
import pytest

from dynboltz.learning import FitSettings, LearningSettings

NAN = float("nan")


@pytest.fixture(autouse=True)
def _annotations_are_not_run() -> Iterator[None]:
    # The type checker of the tests would refuse other words before the settings can.
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"moments": "gibbs"},
            r"`moments` must be 'exact', 'contrastive-divergence' or 'persistent', got",
        ),
        ({"optimiser": "newton"}, r"`optimiser` must be .*'natural'.* got 'newton'"),
        ({"learning_rate": 0.0}, "`learning_rate` must be positive, got 0.0"),
        ({"learning_rate": NAN}, "`learning_rate` must be positive, got nan"),
        ({"steps": 0}, "`steps` must be positive, got 0"),
        ({"batch": 0}, "`batch` must be positive, got 0"),
        ({"prior_strength": -1e-3}, "`prior_strength` must not be negative, got -0.001"),
        ({"chains": 1}, "`chains` must be at least 2, got 1"),
        ({"sweeps": 0}, "`sweeps` must be positive, got 0"),
        (
            {"moments": "contrastive-divergence"},
            'natural gradient needs `moments = "exact"` or "persistent"; choose the optimiser '
            '"adam" or "sgd"',
        ),
        (
            {"moments": "persistent", "optimiser": "adam"},
            '`moments = "persistent"` needs the optimiser "natural", got \'adam\'',
        ),
    ],
)
def test_fit_settings_refuse(options, message):
    with pytest.raises(ValueError, match="FitSettings: .*" + message):
        FitSettings(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"moments": "cd"}, "`moments` must be .*'gibbs'.*'persistent'.* got 'cd'"),
        ({"optimiser": "natural"}, r"`optimiser` must be 'adam' or 'sgd', got 'natural'"),
        ({"method": "rk45"}, r"`method` must be 'euler', 'heun' or 'rk4', got 'rk45'"),
        ({"batch": 0}, "`batch` must be positive, got 0"),
        ({"replicas": -1}, "`replicas` must be positive, got -1"),
        ({"chains": 0}, "`chains` must be positive, got 0"),
        ({"until": 0.0}, "`until` must be positive, got 0.0"),
        ({"until": NAN}, "`until` must be positive, got nan"),
        ({"window": 0}, "`window` must be positive, got 0"),
        ({"shift_every": 0}, "`shift_every` must be positive, got 0"),
        ({"shift_by": 0}, "`shift_by` must be positive, got 0"),
        ({"sweeps": 0}, "`sweeps` must be positive, got 0"),
        ({"substeps": 0}, "`substeps` must be positive, got 0"),
        ({"learning_rate": -0.1}, "`learning_rate` must be positive, got -0.1"),
        ({"learning_rate": {"b.A": 0.1, "J.A.A": 0.0}}, "`learning_rate` must be positive, got 0"),
        ({"smoothness": -1.0}, "`smoothness` must not be negative, got -1.0"),
        ({"regularisation": -1.0}, "`regularisation` must not be negative, got -1.0"),
        ({"steps": -1}, "`steps` must not be negative, got -1"),
    ],
)
def test_learning_settings_refuse(options, message):
    with pytest.raises(ValueError, match="LearningSettings: .*" + message):
        LearningSettings(**options)


def test_edges_of_what_is_allowed():
    # Zero steps keep the warm start, zero strengths switch penalties off.
    LearningSettings(steps=0, smoothness=0.0, regularisation=0.0, batch=1, replicas=1, window=1)
    LearningSettings(learning_rate={"b.A": 1e-9})
    LearningSettings(moments="short-run", chains=1, until=1e-9)
    FitSettings(moments="persistent", chains=2, sweeps=1)
    FitSettings(prior_strength=0.0, steps=1, batch=1)
    FitSettings(moments="contrastive-divergence", optimiser="sgd")


@pytest.mark.parametrize("settings", [FitSettings(), LearningSettings()])
def test_settings_cannot_be_altered(settings):
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.steps = 3
