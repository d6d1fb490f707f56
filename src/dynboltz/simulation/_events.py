"""Whether a simulation can come to an end."""

from __future__ import annotations

from dynboltz._digits import against

MAX_EVENTS = 1e14
"""Proposed events of all replicas together: ten days at the 1e8 a second of a fast processor. Far
beyond, waiting times vanish in the rounding of the time, and a simulation would never end."""


def check_events(where: str, n_events: float, advice: str) -> None:
    """Raise unless the largest number of events that is to be expected can be simulated.

    Parameters
    ----------
    where
        The public class or function, for the message.
    n_events
        Upper bound of the expected number of events; may be infinite or, for infinite rates during
        no time, NaN.
    advice
        What to lower, a sentence.

    Raises
    ------
    ValueError
        If there are more than `MAX_EVENTS`.
    """
    if n_events > MAX_EVENTS:
        raise ValueError(
            f"{where}: the rates are too large to simulate; up to {against(n_events, MAX_EVENTS)} "
            f"events are to be expected (allowed: at most {MAX_EVENTS:g}). {advice}"
        )
