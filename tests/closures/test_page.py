"""The page on closures runs as it is printed."""

import re
from pathlib import Path

import numpy as np

PAGE = Path(__file__).parents[2] / "docs" / "closures.md"


def test_the_python_of_the_page(capsys):
    names: dict = {}
    for code in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S):
        exec(compile(code, str(PAGE), "exec"), names)
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed] == [
        *("mean-field", "pair", "kirkwood"),
        *("zero", "poisson", "normal", "log-normal", "derivative-matching"),
    ]
    assert np.all(np.isinf(names["prediction"].stopped_at))
    np.testing.assert_allclose(names["theta"], names["prediction"].values, rtol=1e-6)
