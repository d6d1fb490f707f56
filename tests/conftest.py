import jax
import numba
import pytest

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


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
