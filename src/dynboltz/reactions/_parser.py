"""Parser of the reaction syntax: one reaction a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import final

from dynboltz._hints import did_you_mean
from dynboltz._text import MARK

from ._reaction import (
    Reaction,
    Rivals,
    check_change,
    check_kinetics,
    check_probability,
    check_rate,
    check_side,
)
from ._tokens import Token, TokenKind, tokenize

COEFFICIENTS = {"1": 1, "2": 2}


def parse_reactions(text: str, species: Sequence[str] | None) -> tuple[Reaction, ...]:
    """Reactions of a text; with `species` given, only these may occur.

    Raises
    ------
    ReactionSyntaxError
        If the text is malformed or the reactions are invalid, one by one or together.
    """
    reactions: list[Reaction] = []
    rivals = Rivals()
    lines = text.removeprefix(MARK).splitlines() or [""]
    for number, source in enumerate(lines, start=1):
        tokens = tokenize(source, number)
        if tokens[0].kind == "end":
            continue
        reaction = _LineParser(tokens, species).reaction()
        with pointing_at(tokens[0]):
            rivals.add(reaction)
        reactions.append(reaction)
    if not reactions:
        raise tokenize(lines[0], 1)[0].error(
            "There is no reaction. Write one a line, such as 'A + A -> 0 ; p = 0.01'."
        )
    return tuple(reactions)


@contextmanager
def pointing_at(token: Token) -> Iterator[None]:
    """Turn a `ValueError` into a `ReactionSyntaxError` at `token`."""
    try:
        yield
    except ValueError as error:
        raise token.error(str(error)) from None


@final
class _LineParser:
    """Recursive descent over the tokens of one line."""

    def __init__(self, tokens: list[Token], species: Sequence[str] | None) -> None:
        self.tokens = tokens
        self.species = species
        self.position = 0

    @property
    def current(self) -> Token:
        return self.tokens[self.position]

    def take(self) -> Token:
        token = self.current
        self.position += 1
        return token

    def expect(self, kind: TokenKind, what: str) -> Token:
        if self.current.kind != kind:
            raise self.current.error(f"Expected {what}, found {self.current}.")
        return self.take()

    def reaction(self) -> Reaction:
        start = self.current
        reactants = self.side("reactants")
        self.expect("arrow", "'+' or '->'")
        products = self.side("products")
        with pointing_at(start):
            check_change(reactants, products)
        rate, probability = self.kinetics(reactants)
        return Reaction(reactants, products, rate=rate, probability=probability)

    def side(self, which: str) -> tuple[str, ...]:
        start = self.current
        if start.kind == "empty" or start.text == "0":
            self.take()
            if self.current.kind in ("plus", "name"):
                raise start.error(f"{start} means nothing and stands alone on its side.")
            return ()
        names = self.summand()
        while self.current.kind == "plus":
            self.take()
            names += self.summand()
        with pointing_at(start):
            check_side(names, which)
        return names

    def summand(self) -> tuple[str, ...]:
        count = self.coefficient() if self.current.kind == "number" else 1
        name = self.expect("name", "a species name")
        if self.species is not None and name.text not in self.species:
            raise name.error(
                f"Unknown species {name}; the species are {', '.join(self.species)}."
                f"{did_you_mean(name.text, self.species)}"
            )
        return (name.text,) * count

    def coefficient(self) -> int:
        token = self.take()
        if token.text not in COEFFICIENTS:
            raise token.error(
                f"The number before a species must be 1 or 2, got {token}. A space separates it "
                "from the name; a side with nothing is '0'."
            )
        return COEFFICIENTS[token.text]

    def kinetics(self, reactants: tuple[str, ...]) -> tuple[float | None, float | None]:
        """Rate and probability, of which one is None."""
        settings: dict[str, float] = {}
        self.expect("semicolon", "'+', or ';' and then 'k = ...' or 'p = ...'")
        self.setting(settings, reactants)
        while self.current.kind == "semicolon":
            self.take()
            start = self.current
            self.setting(settings, reactants)
            with pointing_at(start):
                check_kinetics(reactants, settings.get("k"), settings.get("p"))
        self.expect("end", "the end of the line")
        return settings.get("k"), settings.get("p")

    def setting(self, settings: dict[str, float], reactants: tuple[str, ...]) -> None:
        name = self.current
        if name.text not in ("k", "p"):
            raise name.error(f"Expected 'k' (a rate) or 'p' (a probability), found {name}.")
        if name.text in settings:
            raise name.error(f"{name} is given twice.")
        self.take()
        self.expect("equals", "'='")
        start = self.current
        value = self.number()
        with pointing_at(start):
            check_rate(value) if name.text == "k" else check_probability(value, reactants)
        settings[name.text] = value

    def number(self) -> float:
        sign = 1.0
        if self.current.kind in ("plus", "minus"):
            sign = -1.0 if self.take().kind == "minus" else 1.0
        if self.current.text.lower() in ("nan", "inf", "infinity"):
            return sign * float(self.take().text)
        return sign * float(self.expect("number", "a number").text)
