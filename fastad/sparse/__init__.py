"""Sparse derivatives: patterns, colourings, and what a compressed matrix is made of."""

from .choice import cheapest as cheapest
from .choice import explanation as explanation
from .choice import fewest as fewest
from .coloring import Coloring as Coloring
from .direct import Direct as Direct
from .pattern import Dependences as Dependences
from .pattern import Pattern as Pattern
from .pattern import scipy_sparse as scipy_sparse
