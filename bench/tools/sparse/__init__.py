"""Sparse derivatives of large systems, a file per tool."""
