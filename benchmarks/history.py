"""Names asv's results after Python's version: `python -m benchmarks.history`, a part of `make bench`.

asv names results of a Python that is there after the interpreter's path, which is another one in each checkout, so that
neither two runs of a commit nor two commits would belong together.
"""

import json
import sys
from pathlib import Path

from benchmarks.peers.record import RESULTS

FOLDER = RESULTS / "asv"
BY_PATH = "*/*-existing-py_*.json"


def merge_results(
    folder: Path = FOLDER, version: str = f"{sys.version_info.major}.{sys.version_info.minor}"
) -> list[Path]:
    """Renames asv's new result files after Python's version, merges them with earlier ones of the commit, and returns them."""
    settled = []
    for file in sorted(folder.glob(BY_PATH)):
        found = json.loads(file.read_text(encoding="utf-8"))
        commit, _, _ = file.name.partition("-existing-py_")
        name = f"existing-py{version}"
        target = file.with_name(f"{commit}-{name}.json")
        found |= {"env_name": name, "python": version, "params": found["params"] | {"python": version}}
        if target.exists():
            earlier = json.loads(target.read_text(encoding="utf-8"))
            found["results"] = earlier["results"] | found["results"]
        target.write_text(json.dumps(found) + "\n", encoding="utf-8")
        file.unlink()
        settled.append(target)
    return settled


if __name__ == "__main__":
    for one in merge_results():
        print(one.relative_to(RESULTS.parents[1]))
