"""The report: complete, self-contained, and safe against markup in names."""

import base64
import html
import re
from html.parser import HTMLParser

import pytest

from dynboltz.report import write_report
from dynboltz.report._captions import caption
from dynboltz.store import StoreError, write_json

DOI = "https://doi.org/10.1103/PhysRevE.99.063315"
EVIL = "<script>alert(1)</script>"


def part(scale):
    times = [[scale * (t + k + 1) for k in range(4)] for t in range(12)]
    names = {"visible": 1.7, "hidden": 2.9, "mean_field": 31.3}
    return {
        "noise_floor": {"time_mean": [scale] * 4, "time_max": [2 * scale] * 4, "over_time": times},
        "models": {
            name: {
                "rmse_time_mean": [scale * factor * (k + 1) for k in range(4)],
                "rmse_time_max": [scale * factor * (k + 2) for k in range(4)],
                "rmse": times,
            }
            for name, factor in names.items()
        },
    }


def make_metrics(species="A"):
    return {
        "experiment": "annihilation",
        "seed": 7,
        "version": "0.1.0",
        "units": {"rmse": "per site"},
        "moments": [".".join([species] * order) for order in range(1, 5)],
        "n_initial_conditions": {"train": 8, "test": 9},
        **part(0.00123),
        "train": part(0.00077),
        "diagnostics": {"r_hat": 1.0123, "converged": True, "missing": None},
        "warnings": ["hidden, test: 3.21% of the coefficients lie elsewhere."],
        "wall_seconds": {"simulate": 12.34, "total": 56.78},
        "prediction_seconds": {"visible": 0.4321, "mean_field": 24.68},
    }


SETTINGS = """
name = "annihilation"
title = "Pairs that vanish"
network = "A + A -> 0 ; p = 0.01"
[lattice]
shape = [20, 30]
boundary = "closed"
[kernel]
kind = "collision"
dt = 0.01
n_steps = 40
[models.visible]
terms = ["b.A", "J.A.A"]
"""


@pytest.fixture
def directory(tmp_path):
    write_json(tmp_path / "metrics.json", make_metrics())
    (tmp_path / "experiment.toml").write_text(SETTINGS, encoding="utf-8")
    figures = tmp_path / "figures"
    figures.mkdir()
    for name in ("fig1e-moments", "fig2-hidden", "fig2-visible", "something-else"):
        (figures / f"{name}.png").write_bytes(b"\x89PNG" + name.encode() * 9)
        (figures / f"{name}.svg").write_bytes(b"<svg>" + name.encode() * 99)
    return tmp_path


class Page(HTMLParser):
    """Tags, addresses and text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.addresses, self.texts = [], [], []
        self.feed(text)
        self.text = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        names = ("src", "href", "srcset", "data", "action")
        self.addresses += [value for name, value in attrs if name in names]

    def handle_data(self, data):
        self.texts.append(data)


def page(directory):
    return Page(write_report(directory).read_text(encoding="utf-8"))


def leaves(value, name=""):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{name}.{key}" if name else key)
    else:
        yield name, value


def test_every_metric_is_in_the_report(directory):
    found = page(directory)
    for name, value in leaves(make_metrics()):
        assert name in found.text
        plain = value if isinstance(value, list) else [value]
        for item in plain if len(plain) <= 8 else plain[0]:
            shown = f"{item:.4g}" if isinstance(item, float) else str(item)
            assert ("-" if item is None else shown) in found.text, name


def test_summary_has_errors_with_their_ratio_to_the_noise(directory):
    text = page(directory).text
    head = "model ⟨A⟩ ⟨A A⟩ ⟨A A A⟩ ⟨A A A A⟩ "
    # 0.00123 * 1.7 * (1, 2, 3, 4) over a noise floor of 0.00123.
    first = "visible 0.00209 (1.7×) 0.00418 (3.4×) 0.00627 (5.1×) 0.00836 (6.8×)"
    assert head + first in text
    assert "noise floor 0.00123 0.00123 0.00123 0.00123" in text


def test_what_was_run_is_told(directory):
    text = page(directory).text
    for fact in (
        "Pairs that vanish",
        "A + A -> 0 ; p = 0.01",
        "20 × 30 sites, closed boundary",
        "collision kernel, steps = 40, dt = 0.01",
        "8 train, 9 test",
        "visible: b.A, J.A.A",
        "Seed 7",
        "Version 0.1.0",
        "simulate 12.3",
        "total 56.8",
        "visible 0.43 (0.035×)",
        "mean field 25 (2×)",
        "simulation 12",
    ):
        assert fact in text
    assert "3.21% of the coefficients" in text


def test_nothing_is_loaded_from_elsewhere(directory):
    text = write_report(directory).read_text(encoding="utf-8")
    found = Page(text)
    assert {"script", "link", "iframe", "object"}.isdisjoint(found.tags)
    images = [address for address in found.addresses if address.startswith("data:image/")]
    assert [address for address in found.addresses if address not in images] == [DOI]
    assert not re.search(r"url\(|@import", text)
    assert text.count("http") == 1


def test_smaller_file_of_each_figure_is_embedded_with_its_caption(directory):
    found = page(directory)
    images = [address for address in found.addresses if address.startswith("data:")]
    data = [base64.b64decode(address.partition("base64,")[2]) for address in images]
    names = ["fig1e-moments", "fig2-visible", "fig2-hidden", "something-else"]
    assert data == [b"\x89PNG" + name.encode() * 9 for name in names]
    assert "Compare Fig. 1(e) of the paper." in found.text
    assert "Learned dynamics of the model “hidden”" in found.text
    (directory / "figures" / "fig1e-moments.svg").write_bytes(b"<svg/>")
    assert page(directory).addresses[0].startswith("data:image/svg+xml;base64,")


def test_figures_of_a_model_are_captioned_with_its_name():
    assert caption("fig7-my_model").title == "Right-hand sides of the model “my model”"
    assert caption("transfer-20x20x20").title == "Predictions for a lattice of 20 × 20 × 20 sites"
    assert caption("fig4a-snapshots").paper == "Fig. 4(a)"


def test_markup_in_names_is_shown_and_not_run(directory):
    metrics = make_metrics(EVIL) | {"warnings": [EVIL], "experiment": EVIL}
    metrics["models"][EVIL] = metrics["models"]["visible"]
    write_json(directory / "metrics.json", metrics)
    (directory / "experiment.toml").write_text(f"title = '{EVIL}'\n", encoding="utf-8")
    text = write_report(directory).read_text(encoding="utf-8")
    assert "script" not in Page(text).tags
    assert EVIL not in text
    assert text.count(html.escape(EVIL)) > 10


def test_report_is_the_same_each_time_and_leaves_nothing_else(directory):
    before = set(directory.iterdir())
    first = write_report(directory).read_bytes()
    assert write_report(directory).read_bytes() == first
    assert set(directory.iterdir()) - before == {directory / "report.html"}


def test_metrics_alone_are_enough(tmp_path):
    write_json(tmp_path / "metrics.json", make_metrics() | {"warnings": []})
    found = page(tmp_path)
    assert "img" not in found.tags
    assert "Warnings None." in found.text


def test_noise_of_zero_has_no_ratio(tmp_path):
    metrics = make_metrics()
    metrics["noise_floor"]["time_mean"] = [0.0] * 4
    write_json(tmp_path / "metrics.json", metrics)
    assert "visible 0.00209 0.00418" in page(tmp_path).text


def test_missing_metrics_and_damaged_settings_are_messages(tmp_path):
    with pytest.raises(StoreError, match=r"metrics\.json.*cannot be read"):
        write_report(tmp_path)
    write_json(tmp_path / "metrics.json", make_metrics())
    (tmp_path / "experiment.toml").write_text("= 1", encoding="utf-8")
    with pytest.raises(StoreError, match=r"experiment\.toml.*is not TOML"):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_report_that_cannot_be_written_is_a_message(directory):
    (directory / "report.html").mkdir()
    with pytest.raises(StoreError, match=r"report\.html.*cannot be written"):
        write_report(directory)
    assert not (directory / ".report.html.partial").exists()
