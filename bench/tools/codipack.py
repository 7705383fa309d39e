"""CoDiPack, operator overloading in C++: headers alone."""

from .cpp.library import Library

LIBRARY = Library("codipack", "codi.hpp", version=("codi.hpp", r'CODI_VERSION "([^"]+)"'))
WAYS = LIBRARY.ways()
