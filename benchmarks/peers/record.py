"""The files of results: conversion of the measurements of a workload to and from JSON."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.apart import ROOT
from benchmarks.peers.known import OURS, PEERS
from benchmarks.peers.runner import PeerResult, Results, Settings
from benchmarks.peers.workload import Workload

RESULTS = ROOT / "benchmarks" / "results"
FOLDER = RESULTS / "peers"
FORMAT = 1
DIGITS = 5


@dataclass(frozen=True)
class Record:
    """The results of one workload, with the provenance.

    Attributes:
        workload: its name, its words, what was wanted; without programs when it comes from a file.
        results: by peer.
        settings: rounds, slice length and threads.
        facts: what `machine.provenance` gives; `limits` by number of threads, see `limits.py`; `interrupted`.
    """

    workload: Workload
    results: Results
    settings: Settings
    facts: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Returns the record as JSON data, with the values of each round."""
        workload = self.workload
        return {
            "format": FORMAT,
            "workload": {
                "name": workload.name,
                "about": workload.about,
                "remarks": workload.remarks,
                "wanted": dict(workload.wanted),
                "wanted_eagerly": dict(workload.wanted_eagerly),
                "bytes_moved": workload.bytes_moved,
                "wanted_of_triad": workload.wanted_of_triad,
            },
            **self.facts,
            "settings": {
                "rounds": self.settings.rounds,
                "slice_seconds": self.settings.slice_seconds,
                "threads": self.settings.threads,
            },
            "peers": {peer: _peer_as_json(peer, result) for peer, result in self.results.items()},
        }

    @property
    def compares(self) -> bool:
        """True if another library was timed, too."""
        return any(result.microseconds for peer, result in self.results.items() if peer not in OURS)

    def save(self, folder: Path = FOLDER) -> Path:
        """Writes the file of this workload and returns its path."""
        folder.mkdir(parents=True, exist_ok=True)
        return write_json(folder / f"{self.workload.name}.json", self.as_json())


def _peer_as_json(peer: str, result: PeerResult) -> dict[str, Any]:
    return {
        "mode": PEERS[peer].about,
        "problem": result.problem.replace(f"{ROOT}/", ""),
        "absent": result.absent,
        "output": result.output.replace(f"{ROOT}/", ""),
        **{name: _rounded(value) for name, value in result.facts.items()},
        "steps_a_slice": result.steps,
        "microseconds_a_step": {str(r): _rounded(time) for r, time in result.microseconds.items()},
        "triad_bytes_a_second": {str(r): _rounded(speed) for r, speed in result.triad.items()},
        "others_share": {str(r): share for r, share in result.others.items()},
        "kernels": result.kernels,
    }


def _rounded(value: Any) -> Any:
    """Returns a value with measured numbers rounded to a few digits; losses keep nine."""
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [float(f"{one:.9g}") for one in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def record_from(stored: Mapping[str, Any]) -> Record:
    """Returns the record from the JSON data of `Record.as_json`.

    Raises:
        ValueError: another version of this program wrote it.
    """
    if stored.get("format") != FORMAT:
        raise ValueError(f"results of format {stored.get('format')}, wanted {FORMAT}; measure again with make peers")
    about, settings = stored["workload"], stored["settings"]
    workload = Workload(**about, inputs=dict, programs={})
    results = {peer: _peer_from(result) for peer, result in stored["peers"].items()}
    facts = {name: value for name, value in stored.items() if name not in ("format", "workload", "settings", "peers")}
    return Record(workload, results, Settings(**settings, pythons={}), facts)


def _peer_from(stored: Mapping[str, Any]) -> PeerResult:
    named = (
        "mode",
        "problem",
        "absent",
        "output",
        "steps_a_slice",
        "microseconds_a_step",
        "triad_bytes_a_second",
        "others_share",
        "kernels",
    )
    return PeerResult(
        problem=stored["problem"],
        absent=stored["absent"],
        output=stored["output"],
        facts={name: value for name, value in stored.items() if name not in named},
        steps=stored["steps_a_slice"],
        microseconds={int(r): time for r, time in stored["microseconds_a_step"].items()},
        triad={int(r): speed for r, speed in stored["triad_bytes_a_second"].items()},
        others={int(r): share for r, share in stored.get("others_share", {}).items()},  # older files have none
        kernels=stored["kernels"],
    )


def load_records(folder: Path = FOLDER) -> dict[str, Record]:
    """Returns the stored records of a folder, by workload.

    Raises:
        ValueError: a file is no such results; it is named.
    """
    records = {}
    for file in sorted(folder.glob("*.json")):
        try:
            record = record_from(json.loads(file.read_text(encoding="utf-8")))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{file} holds no results of a workload: {error}") from error
        records[record.workload.name] = record
    return records


def write_json(file: Path, content: Any) -> Path:
    """Writes JSON with each list of numbers in one line, so that diffs are readable."""
    file.write_text(_lines(content) + "\n", encoding="utf-8")
    return file


def _lines(value: Any, indent: str = "") -> str:
    deeper = indent + " "
    if isinstance(value, dict) and any(isinstance(one, dict | list) for one in value.values()):
        inner = (f"{deeper}{json.dumps(str(name))}: {_lines(one, deeper)}" for name, one in value.items())
        return "{\n" + ",\n".join(inner) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(one, dict | list | str) for one in value):
        return "[\n" + ",\n".join(f"{deeper}{_lines(one, deeper)}" for one in value) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False)
