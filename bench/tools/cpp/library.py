"""A tool in C++: its headers found, its source compiled once per process, its functions called."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ...core import Way

# Hidden, or every access to a tape goes through the table of a shared library: CoDiPack 8.4 ns a row instead of 5.6.
OPTIONS = ("-O3", "-march=native", "-std=c++17", "-shared", "-fPIC", "-fvisibility=hidden")
SOURCES = Path(__file__).parent
SYSTEM = ("/usr/include", "/usr/local/include", "/opt/homebrew/include")


class Observations(ctypes.Structure):
    """Of ``shared.hpp``."""

    _fields_ = (
        ("n", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("cameras", "points", "weights", "features", "camera_of", "point_of")),
    )


@dataclass(frozen=True)
class Library:
    """A tool: what to look for, and how to compile ``<name>.cpp`` with it.

    Parameters
    ----------
    header
        Looked for in the folder that the environment variable ``<NAME>_INCLUDE`` says, else where systems have headers.
    version
        A file in the folder of headers or of the library, and a regular expression whose group is the version.
    link
        Name of a library to link, found in the ``lib`` folders beside the folder of headers; "" for headers alone.
    """

    name: str
    header: str
    version: tuple[str, str]
    link: str = ""

    @property
    def variable(self) -> str:
        """Of the environment, saying where the headers are."""
        return f"{self.name.upper()}_INCLUDE"

    def found(self) -> str | None:
        """Version of the tool; None where its headers, its library or a compiler are missing."""
        include = self._include()
        library = self._library(include) if include and self.link else include
        if include is None or library is None or _compiler() is None:
            return None
        name, expression = self.version
        files = (folder / name for folder in (include, library) if (folder / name).exists())
        matches = (re.search(expression, file.read_text(errors="replace")) for file in files)
        return next((match[1] for match in matches if match), "unknown")

    def _include(self) -> Path | None:
        given = os.environ.get(self.variable)
        folders = map(Path, (given,) if given else SYSTEM)
        return next((folder for folder in folders if (folder / self.header).exists()), None)

    def _library(self, include: Path) -> Path | None:
        """Folder of the library to link."""
        names = (f"lib{self.link}{suffix}" for suffix in (".so", ".dylib", ".a"))
        folders = ("lib", "lib64", "lib/*-linux-gnu")
        files = (file for name in names for folder in folders for file in include.parent.glob(f"{folder}/{name}"))
        return next((file.parent for file in files), None)

    def load(self) -> ctypes.CDLL:
        """Compile and load, the first time."""
        include, compiler = self._include(), _compiler()
        if include is None or compiler is None:
            raise ImportError(f"{self.name} needs a C++ compiler and {self.header} (set {self.variable} to its folder)")
        options = [f"-I{include}"]
        if self.link and (folder := self._library(include)):
            options += [f"-L{folder}", f"-Wl,-rpath,{folder}", f"-l{self.link}"]
        return _compiled(compiler, SOURCES / f"{self.name}.cpp", tuple(options))

    def ways(self) -> dict[str, Way]:
        """The problems that every tool in C++ does."""
        return {"record_loop": self._record_loop, "bundle": self._bundle}

    def _record_loop(self, data, threads):
        run = self.load().record_loop
        run.argtypes = [ctypes.c_double, ctypes.c_double, ctypes.c_int64, ctypes.c_int, ctypes.c_void_p]
        out = np.empty(3 if data.reverse else 1)

        def call():
            run(data.x, data.y, data.n, data.reverse, out.ctypes.data)
            return tuple(out.tolist())

        return call

    def _bundle(self, data, threads):
        inputs = [np.ascontiguousarray(x) for x in (data.cameras, data.points, data.weights, data.features)]
        which = [x.astype(np.int64) for x in (data.camera_of, data.point_of)]
        seen = Observations(data.n, *(x.ctypes.data for x in (*inputs, *which)))
        seen.arrays = inputs, which  # kept: the fields are addresses
        errors, elements = np.empty((data.n, 2)), np.empty(31 * data.n)
        run = self.load().bundle
        run.argtypes = [ctypes.POINTER(Observations), ctypes.c_void_p, ctypes.c_void_p]

        def call():
            run(seen, errors.ctypes.data, elements.ctypes.data)
            return errors, elements

        return call


def _compiler() -> str | None:
    names = os.environ.get("CXX", ""), "g++", "clang++"
    return next((found for name in names if name and (found := shutil.which(name))), None)


@cache
def _compiled(compiler: str, source: Path, options: tuple[str, ...]) -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as folder:
        library = f"{folder}/{source.stem}.so"
        done = subprocess.run(
            [compiler, *OPTIONS, str(source), *options, "-o", library], capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"{source.name} does not compile:\n{done.stderr}")
        return ctypes.CDLL(library)
