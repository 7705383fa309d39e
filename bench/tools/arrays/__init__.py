"""How the tools do the array problems: the objective of the problem's file, in the tool's functions."""
