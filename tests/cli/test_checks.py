"""Errors of use that are reported before anything is read."""

import pytest

from dynboltz.cli._checks import check_file


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_directory_is_no_file_to_write(tmp_path, overwrite):
    folder = tmp_path / "folder.nc"
    folder.mkdir()
    with pytest.raises(ValueError, match=r"folder\.nc, `--out`: is a directory; give the name of"):
        check_file(folder, (".nc",), overwrite=overwrite)
