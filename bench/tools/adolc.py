"""ADOL-C, operator overloading in C++: a library to link."""

from .cpp.library import Library

LIBRARY = Library("adolc", "adolc/adolc.h", version=("pkgconfig/adolc.pc", r"Version: (\S+)"), link="adolc")
WAYS = LIBRARY.ways()
