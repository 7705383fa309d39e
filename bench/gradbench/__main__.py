"""``python -m bench.gradbench [--multithreaded]``: JSON lines from stdin, answers to stdout."""

import argparse
import sys
from contextlib import suppress

from . import protocol


def main() -> None:
    parser = argparse.ArgumentParser(description="fastad as a tool of GradBench, on stdin and stdout.")
    parser.add_argument("--multithreaded", action="store_true", help="batches on all cores; default: one")
    options = parser.parse_args()
    with suppress(BrokenPipeError):  # the eval has what it wanted
        protocol.serve(sys.stdin, sys.stdout, threads=None if options.multithreaded else 1)


if __name__ == "__main__":
    main()
