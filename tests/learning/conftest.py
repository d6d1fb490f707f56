from collections.abc import Iterator

import jax
import numba
import pytest


@pytest.fixture(autouse=True)
def _double_precision() -> Iterator[None]:
    # optax multiplies floating-point numbers with integer step counts, which "strict" refuses.
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        yield


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    # Lattices this small wait for threads longer than they are sampled; results do not differ.
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(threads)
