"""Where the scripts of this folder put their pictures: ``--picture DIR``, none without it."""

import argparse
from pathlib import Path


def folder(description):
    """Parse the command line; returns the folder, or None."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--picture", type=Path, metavar="DIR", help="save the picture there (needs 'fastad[plot]')")
    path = parser.parse_args().picture
    if path is not None:
        path.mkdir(parents=True, exist_ok=True)
    return path


def save(path, draw, size=(6.0, 4.0)):
    """Call ``draw(axes)`` and save the figure."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    draw(figure.add_subplot())
    figure.savefig(path, dpi=110)
