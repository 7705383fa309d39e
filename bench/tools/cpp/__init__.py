"""The tools in C++: sources that are compiled when a tool is first used, and where its headers are looked for.

``shared.hpp`` has what the sources share, ``library.py`` finds, compiles, loads and calls them.
"""
