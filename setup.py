"""What pyproject.toml cannot say: the benchmarks, ``bench/`` in a checkout, are installed as ``fastad_bench``."""

from setuptools import find_packages, setup

BENCHMARKS = [name.replace("bench", "fastad_bench", 1) for name in find_packages(include=["bench", "bench.*"])]

setup(packages=[*find_packages(include=["fastad", "fastad.*"]), *BENCHMARKS], package_dir={"fastad_bench": "bench"})
