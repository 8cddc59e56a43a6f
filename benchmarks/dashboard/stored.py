"""The committed results under `benchmarks/results/`, from which the page and the document are made."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers.record import RESULTS, Record, load_records


@dataclass(frozen=True)
class Stored:
    """The committed results.

    Attributes:
        records: side-by-side runs, by workload (`peers/`).
        sweeps: times by size, by the name of the sweep (`scaling/`, see `benchmarks.peers.scaling`).
        tables: what other programs printed, by their names (`tables/`, see `benchmarks.tables`).
        allowances: times by width and by processors allowed (`benchmarks.peers.allowances`); None if not measured.
    """

    records: Mapping[str, Record]
    sweeps: Mapping[str, Mapping[str, Any]]
    tables: Mapping[str, Mapping[str, Any]]
    allowances: Mapping[str, Any] | None = None

    @property
    def facts(self) -> Mapping[str, Any]:
        """The facts about the machine and the commit of the newest side-by-side run."""
        return max((record.facts for record in self.records.values()), key=lambda facts: facts["date"])


def stored(folder: Path = RESULTS) -> Stored:
    """Reads a folder of results.

    Raises:
        FileNotFoundError: it has no side-by-side runs.
        ValueError: a file is no results.
    """
    records = load_records(folder / "peers")
    if not records:
        raise FileNotFoundError(f"{folder / 'peers'} has no results; make peers measures")
    file = folder / "allowances.json"
    allowances = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
    return Stored(records, _every(folder / "scaling"), _every(folder / "tables"), allowances)


def _every(folder: Path) -> dict[str, Mapping[str, Any]]:
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))}
