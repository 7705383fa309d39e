"""fastad as a tool of GradBench (github.com/gradbench/gradbench): ``python -m bench.gradbench`` speaks its protocol.

A module per eval, with a function for each function of the eval: it takes the input of the message and the number of
threads, converts what has to be converted, and returns the call that is timed. Nothing is recorded before the first
timed call. ``protocol.py`` reads messages, repeats calls, and writes answers. See README.md.
"""
