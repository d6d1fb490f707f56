import os

import jax
import jaxlib.version
import numba
import pytest

if jaxlib.version.__version__.split(".")[:2] == ["0", "10"]:
    # Quicker to compile. XLA ends the process at options that it does not know, so that only
    # versions that have it are given it; it is read when the first device is asked for.
    flags = os.environ.get("XLA_FLAGS", "")
    os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_use_fusion_emitters=false".strip()

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_disable_most_optimizations", True)  # small arrays: compiling is what costs


def pytest_configure(config):
    # What one test process has compiled, the other and later ones only read.
    folder = str(config.cache.mkdir("jax"))
    os.environ["JAX_COMPILATION_CACHE_DIR"] = folder  # for commands that tests run
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    # Lattices this small wait for threads longer than they are sampled, the more so as the test
    # processes fill the processor; results do not differ.
    numba.set_num_threads(1)


@pytest.fixture(autouse=True)
def _no_figures_left_open():
    yield
    import sys  # noqa: PLC0415

    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
