"""Benchmarks: ``python -m bench list | run | compare | report``; ``fastad bench`` where fastad is installed.

``core.py``
    what a problem and a measurement are;
``problems/``
    one file per problem: plain objective, sizes, the check against known answers;
``tools/``
    one file per tool: how it does each problem;
``timing.py``
    correctness first, then interleaved timing;
``report.py``
    JSON, tables, comparison of two runs;
``plots.py``
    pictures;
``gradbench/``
    fastad as a tool of GradBench.

Imports are relative, for the package is called ``bench`` in a checkout and ``fastad_bench`` where it is installed.

To add a problem, write its file and name it in ``problems/__init__.py``; a tool takes part by a function under the
problem's name in its ``WAYS``.
"""
