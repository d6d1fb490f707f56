"""Text that others wrote: with a byte order mark, in UTF-16, or as bytes."""

from __future__ import annotations

import codecs
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from dynboltz.cli._main import app
from dynboltz.particles import Box
from dynboltz.reactions import ReactionNetwork, read_antimony, read_sbml
from dynboltz.store import read_lattice_gillespie, read_netcdf, read_npz, read_smoldyn
from dynboltz.workflow import load_experiment

SHIPPED = load_experiment("annihilation").source.read_text(encoding="utf-8")
SBML = """<?xml version="1.0" encoding="UTF-8"?>
<sbml xmlns="http://www.sbml.org/sbml/level2/version4" level="2" version="4"><model id="m">
<listOfCompartments><compartment id="c" size="1"/></listOfCompartments>
<listOfSpecies><species id="A" compartment="c" initialAmount="1" hasOnlySubstanceUnits="true"/>
</listOfSpecies>
<listOfParameters><parameter id="k" value="2"/></listOfParameters>
<listOfReactions><reaction id="r" reversible="false">
<listOfReactants><speciesReference species="A"/></listOfReactants>
<kineticLaw><math xmlns="http://www.w3.org/1998/Math/MathML"><apply><times/><ci>k</ci><ci>A</ci>
</apply></math></kineticLaw></reaction></listOfReactions></model></sbml>"""
ANTIMONY = "model m\n  compartment c = 1; species A in c = 1\n  A -> ; k*A; k = 2\nend\n"


def equations(path: Path) -> str:
    found = CliRunner().invoke(app, ["equations", str(path), "--moments", "A(0)"])
    if found.exit_code:
        raise ValueError(found.stderr)
    return found.output


def lattice_gillespie(directory: Path) -> list[int]:
    return read_lattice_gillespie(directory, (3,), ["A"], dt=1.0).state.values.tolist()


READERS = {
    "experiment": ("a.toml", SHIPPED, lambda path: load_experiment(path).table.model_dump_json()),
    "network": ("a.txt", "A + A -> 0 ; k = 1\n", equations),
    "network in TOML": ("b.toml", SHIPPED, equations),
    "SBML": ("a.xml", SBML, lambda path: read_sbml(path).well_mixed),
    "Antimony": ("a.ant", ANTIMONY, lambda path: read_antimony(path).well_mixed),
    "Smoldyn": (
        "s.txt",
        "1 1 0 0.25 7\n",
        lambda path: read_smoldyn(path, Box((1.0,)), ["A"], interval=1.0).position.values.tolist(),
    ),
    "LatticeGillespie": (
        "lattice_v001/lattice/0000.txt",
        "1 A\n3 A\n",
        lambda path: lattice_gillespie(path.parents[2]),
    ),
}


@pytest.mark.parametrize("reader", READERS)
def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path, reader):
    name, text, read = READERS[reader]
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    expected = read(path)
    path.write_bytes(codecs.BOM_UTF8 + text.encode())
    assert read(path) == expected


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("reader", READERS)
def test_wider_characters_are_named(tmp_path, reader, encoding):
    name, text, read = READERS[reader]
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((text if encoding != "utf-16-be" else "\ufeff" + text).encode(encoding))
    wide = encoding.upper().removesuffix("-BE")
    with pytest.raises(ValueError, match=rf"{path.name}: is {wide} text; save it as UTF-8"):
        read(path)


def test_text_that_python_read_may_begin_with_the_mark():
    assert ReactionNetwork.parse("\ufeffA + A -> 0 ; k = 1") == ReactionNetwork.parse(
        "A + A -> 0 ; k = 1"
    )


STATE = np.array([[[0, 1, 2, 0]]])


@pytest.mark.parametrize(
    "names", [np.array([b"A", b"B"]), np.bytes_(b"A, B"), np.array(["A", "B"])]
)
def test_names_of_species_may_be_bytes(tmp_path, names):
    np.savez(tmp_path / "a.npz", state=STATE, species=names)
    assert read_npz(tmp_path / "a.npz").attrs["species"] == ["A", "B"]


def test_bytes_that_are_no_text_are_named(tmp_path):
    np.savez(tmp_path / "a.npz", state=STATE, species=np.array([b"A", b"\xff"]))
    with pytest.raises(ValueError, match=r"a\.npz, `species`: is not UTF-8 text"):
        read_npz(tmp_path / "a.npz")


def test_attributes_of_netcdf_may_be_bytes(tmp_path):
    ds = xr.Dataset({"state": (("replica", "time", "x"), STATE), "time": ("time", [0.0])})
    ds.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with h5py.File(tmp_path / "a.nc", "a") as file:  # as programs in C and Fortran write text
        for name, value in (("species", b"A, B"), ("boundary", b"closed"), ("title", b"run 1")):
            file.attrs[name] = np.bytes_(value)
        file["time"].attrs["units"] = np.bytes_(b"s")
    found = read_netcdf(tmp_path / "a.nc")
    assert found.attrs["species"] == ["A", "B"]
    assert (found.attrs["boundary"], found.attrs["title"]) == ("closed", "run 1")
    assert found.time.attrs["units"] == "s"
