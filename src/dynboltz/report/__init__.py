"""The report of an experiment: one page that needs nothing else."""

from ._write import write_report as write_report
