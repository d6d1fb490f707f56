"""Species, reactions, their text syntax, stoichiometry and conserved quantities."""

from ._antimony import parse_antimony as parse_antimony
from ._antimony import read_antimony as read_antimony
from ._imported import ImportedNetwork as ImportedNetwork
from ._imported import NetworkImportError as NetworkImportError
from ._network import ReactionNetwork as ReactionNetwork
from ._reaction import Reaction as Reaction
from ._reaction import equation_text as equation_text
from ._sbml import parse_sbml as parse_sbml
from ._sbml import read_sbml as read_sbml
from ._symmetries import species_symmetries as species_symmetries
from ._tokens import ReactionSyntaxError as ReactionSyntaxError
