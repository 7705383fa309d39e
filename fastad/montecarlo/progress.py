"""Progress of a long run: a bar, a callable, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def reporter(progress: bool | Callable[[int, int], None], total: int) -> Iterator[Callable[[int], None]]:
    """Give a function that is told how many paths have been finished since its last call."""
    if callable(progress):
        done = 0

        def call(paths: int) -> None:
            nonlocal done
            done += paths
            progress(done, total)

        yield call
    elif progress:
        try:
            from tqdm.auto import tqdm
        except ImportError:
            raise ImportError("progress=True needs tqdm: pip install 'fastad[progress]', or pass a callable") from None
        with tqdm(total=total, unit="path", unit_scale=True) as bar:
            yield bar.update
    else:
        yield lambda paths: None
