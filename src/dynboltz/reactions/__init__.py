"""Species, reactions, their text syntax, stoichiometry and conserved quantities."""

from ._network import ReactionNetwork as ReactionNetwork
from ._reaction import Reaction as Reaction
from ._reaction import equation_text as equation_text
from ._tokens import ReactionSyntaxError as ReactionSyntaxError
