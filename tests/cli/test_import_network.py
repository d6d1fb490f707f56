"""The command `dynboltz import-network`."""

import pytest
from typer.testing import CliRunner

from dynboltz.cli import app
from dynboltz.reactions import ReactionNetwork, parse_antimony

TEXT = """
model pairs
  compartment cell = 8
  A + A => ; 0.5*A*A*cell
  => A; 3*cell
  A = 5
  species A in cell
end
"""


def import_network(*arguments):
    return CliRunner().invoke(app, ["import-network", *map(str, arguments)])


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "pairs.ant"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize(
    ("options", "network", "meaning", "place"),
    [
        (["--well-mixed"], lambda one: one.well_mixed, "per pair of particles", "well mixed"),
        (
            ["--site-volume", 2, "--dim", 2],
            lambda one: one.on_lattice(2.0, dimensions=2),
            "site",
            "lattice, axes: 2, volume of a site: 2",
        ),
        (
            ["--reaction-radius", 0.5],
            lambda one: one.in_box(0.5),
            "per pair within the radius",
            "box, axes: 3, reaction radius: 0.5",
        ),
    ],
)
def test_output_is_a_network_with_its_origin(model, options, network, meaning, place):
    result = import_network(model, *options)
    assert result.exit_code == 0, result.output
    assert ReactionNetwork.parse(result.stdout) == network(parse_antimony(TEXT))
    for line in (
        "# pairs, from pairs.ant",
        "# Species: A",
        f"# For: {place}",
        "# Volume of the model: 8; unit of volume: not given",
        "# A: 40 particles at the beginning",
        "# A unit of substance is taken as 1 particle(s).",
    ):
        assert line in result.stdout.splitlines()
    assert meaning in result.stdout


def test_output_in_a_file(model, tmp_path):
    out = tmp_path / "reactions.txt"
    arguments = (model, "--well-mixed", "--particles-per-substance", 8, "--out", out)
    assert import_network(*arguments).stdout == f"Reactions: {out}\n"
    # 8 particles a unit: 0.5 cell (n / 8 cell)^2 8 events per time.
    assert "A + A -> 0 ; k = 0.015625" in out.read_text()
    again = import_network(*arguments)
    assert again.exit_code == 2
    assert "is there already" in again.stderr
    assert import_network(*arguments, "--overwrite").exit_code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "Give exactly one of --site-volume, --reaction-radius and --well-mixed"),
        (["--well-mixed", "--site-volume", 1], "Give exactly one of"),
        (["--site-volume", -1], "must be positive"),
        (["--well-mixed", "--out", "x.nc"], "must end in .txt"),
        (["--well-mixed", "--particles-per-substance", 0], "must be positive"),
    ],
)
def test_refusals(model, options, message):
    result = import_network(model, *options)
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert message in result.stderr


def test_model_without_a_size(tmp_path):
    (tmp_path / "unsized.xml").write_text(
        """<?xml version="1.0" encoding="UTF-8"?>
    <sbml xmlns="http://www.sbml.org/sbml/level3/version2/core" level="3" version="2">
    <model id="m" substanceUnits="item" extentUnits="item"><listOfCompartments>
    <compartment id="c" constant="true"/></listOfCompartments><listOfSpecies>
    <species id="A" compartment="c" initialAmount="7" hasOnlySubstanceUnits="true"
    boundaryCondition="false" constant="false"/></listOfSpecies><listOfReactions>
    <reaction id="r" reversible="false"><listOfProducts>
    <speciesReference species="A" stoichiometry="1" constant="true"/></listOfProducts>
    <kineticLaw><math xmlns="http://www.w3.org/1998/Math/MathML"><cn>3</cn></math></kineticLaw>
    </reaction></listOfReactions></model></sbml>""".replace("    <?xml", "<?xml")
    )
    result = import_network(tmp_path / "unsized.xml", "--well-mixed")
    assert result.stdout.splitlines()[-1] == "0 -> A ; k = 3"
    assert "# Volume of the model: not given; unit of volume: not given" in result.stdout
    result = import_network(tmp_path / "unsized.xml", "--site-volume", 1)
    assert result.exit_code == 2
    assert "Set the size of the compartment in the model" in result.stderr


def test_files_that_are_no_models(tmp_path):
    (tmp_path / "a.xml").write_text("<sbml")
    for name, message in (
        ("a.xml", "is not XML"),
        ("none.xml", "there is no such file"),
        ("a.cps", "must end in .xml, .sbml, .ant, .txt"),
    ):
        result = import_network(tmp_path / name, "--well-mixed")
        assert result.exit_code == 2
        assert message in result.stderr
        assert name in result.stderr
