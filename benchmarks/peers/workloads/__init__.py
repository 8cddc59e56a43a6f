"""The workloads, one file a family; a new file with a `WORKLOADS` tuple is found by being here."""

import importlib
import pkgutil

from benchmarks.peers.workload import Workload

WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for file in pkgutil.iter_modules(__path__)
    for workload in importlib.import_module(f"{__name__}.{file.name}").WORKLOADS
}
