"""Adept 2, operator overloading in C++: compiled with the problem, from ``adept_source.h``."""

from .cpp.library import Library

LIBRARY = Library("adept", "adept_source.h", version=("adept/base.h", r'ADEPT_VERSION_STR "([^"]+)"'))
WAYS = LIBRARY.ways()
