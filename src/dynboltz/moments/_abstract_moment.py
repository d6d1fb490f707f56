"""What moments on a lattice and in a well-mixed system have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

from dynboltz._arguments import checked


@checked
class AbstractMoment(ABC):
    """What equations ask of the moments that they are about; equal ones are the same."""

    @property
    @abstractmethod
    def order(self) -> int:
        """Number of factors; the moment of order 0 is 1."""

    @property
    @abstractmethod
    def sort_key(self) -> tuple:
        """Orders the terms of a right-hand side: lower orders first."""

    @abstractmethod
    def to_latex(self) -> str:
        """LaTeX without delimiters."""
