"""Where a run may be continued: after its last block that a longer run has as well."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..program.recording import FIELDS
from ..program.variants import Trie, VariantInfo
from .engine import Job
from .recorded import Recorded
from .source import Source
from .statistics import Tally


@dataclass(frozen=True)
class Checkpoint:
    """Tally of the first blocks, and what the rest must have in common with them.

    Attributes
    ----------
    fingerprint : dict
        By the name of an argument, a digest of what decides the numbers.
    blocks : int
        Blocks tallied.
    tally : Tally or None
        None after no block.
    earlier : tuple of VariantInfo
        Recordings of the runs before this one, for those blocks.
    """

    fingerprint: dict[str, str]
    blocks: int = 0
    tally: Tally | None = None
    earlier: tuple[VariantInfo, ...] = ()

    @property
    def paths(self) -> int:
        """Paths of the blocks tallied."""
        return 0 if self.tally is None else self.tally.paths

    @classmethod
    def begin(cls, before: Checkpoint | None, fingerprint: dict[str, str], source: Source) -> Checkpoint:
        """Return where to begin: at nothing, or where an earlier run may be continued."""
        if before is None:
            return cls(fingerprint)
        others = [name for name in fingerprint if before.fingerprint.get(name) != fingerprint[name]]
        if others:
            raise ValueError(
                f"resume: the saved run had another {', '.join(others)}; it can only be continued with the same"
            )
        if before.blocks > source.full_blocks:
            raise ValueError(f"resume: the saved run has {before.paths:,} paths already; paths is the number in all")
        return before

    def followed_by(self, tally: Tally) -> Checkpoint:
        """Return the checkpoint one block later."""
        return dataclasses.replace(self, blocks=self.blocks + 1, tally=tally)

    def put_away(self, trie: Trie) -> Checkpoint:
        """Return a checkpoint that does not need the recordings of this run."""
        if self.tally is None:
            return self
        earlier = ended_variants(trie, self.tally, self.earlier)
        return dataclasses.replace(self, tally=dataclasses.replace(self.tally, ended=Counter()), earlier=earlier)


def ended_variants(trie: Trie, tally: Tally, earlier: tuple[VariantInfo, ...]) -> tuple[VariantInfo, ...]:
    """Return what users see of the variants that paths ended in, those of earlier runs included."""
    counts: Counter[tuple[int, tuple[str, ...]]] = Counter()
    for variant in trie.variants():
        lines = tuple(str(site) for site in variant.deciding_sites())
        if tally.ended[variant]:
            counts[len(variant.recording), lines] += tally.ended[variant]
    for info in earlier:
        counts[info.rows, info.lines] += info.scenarios
    return tuple(VariantInfo(n, n / tally.paths, rows, lines) for (rows, lines), n in counts.items())


def fingerprint(job: Job, recorded: Recorded, by_record: bool) -> dict[str, str]:
    """Digests of everything that decides the numbers of a block, by the argument that a user would look at."""
    source, root = job.source, recorded.trie.root.recording
    control = [] if job.control is None else list(vars(job.control).values())
    parts: dict[str, Any] = {
        "seed": source.seed,
        "sampler": source.label,
        "antithetic": source.antithetic,
        "normals or uniforms": source.draws,
        "params": [job.vector],
        "wrt": [job.selected],
        "gradient": recorded.gradient,
        "method": by_record,
        "per_path": job.keep,
        "compare_with_bump": job.steps is not None,
        "hessian": job.hessian,
        "payoff": [getattr(root, name) for name in FIELDS if name != "value"],
        "control": control,
    }
    return {name: _digest(part) for name, part in parts.items()}


def _digest(part: Any) -> str:
    digest = hashlib.sha256()
    if isinstance(part, list):
        for array in part:
            digest.update(f"{array.dtype.str}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    else:
        digest.update(repr(part).encode())
    return digest.hexdigest()[:16]
