"""`python -m dynboltz` is the command `dynboltz`."""

from dynboltz.cli import main

main()
