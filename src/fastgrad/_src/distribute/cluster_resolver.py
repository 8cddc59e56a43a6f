"""``tf.distribute.cluster_resolver``: the processes of the job. MPI knows the processes; these classes have TensorFlow's interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastgrad._src.kernels.collectives.world import world


class ClusterSpec:
    """The addresses of the processes, by job. TensorFlow: tf.train.ClusterSpec.

    Args:
        cluster: a dict of lists of addresses, or another ``ClusterSpec``.
    """

    def __init__(self, cluster: Any) -> None:
        jobs = cluster.as_dict() if isinstance(cluster, ClusterSpec) else dict(cluster)
        self._jobs: dict[str, list[str]] = {
            job: [tasks[number] for number in sorted(tasks)] if isinstance(tasks, Mapping) else list(tasks)
            for job, tasks in jobs.items()
        }

    @property
    def jobs(self) -> list[str]:
        """The names of the jobs."""
        return sorted(self._jobs)

    def as_dict(self) -> dict[str, list[str]]:
        """Returns the addresses of each job's processes."""
        return {job: list(tasks) for job, tasks in self._jobs.items()}

    def num_tasks(self, job_name: str) -> int:
        """Returns the number of processes of a job; ValueError if there is no such job."""
        return len(self.job_tasks(job_name))

    def task_indices(self, job_name: str) -> list[int]:
        """Returns the numbers of the processes of a job."""
        return list(range(self.num_tasks(job_name)))

    def task_address(self, job_name: str, task_index: int) -> str:
        """Returns the address of a process."""
        return self.job_tasks(job_name)[task_index]

    def job_tasks(self, job_name: str) -> list[str]:
        """Returns the addresses of the processes of a job; ValueError if there is no such job."""
        if job_name not in self._jobs:
            raise ValueError(f"No such job in cluster: {job_name!r}; there are {self.jobs}.")
        return list(self._jobs[job_name])

    def __bool__(self) -> bool:
        return bool(self._jobs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ClusterSpec) and self._jobs == other._jobs

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        return f"ClusterSpec({self._jobs})"


class ClusterResolver:
    """The base of resolvers. TensorFlow: tf.distribute.cluster_resolver.ClusterResolver.

    Attributes:
        task_type: the job of this process.
        task_id: the number of this process in its job.
    """

    task_type: str | None = None
    task_id: int | None = None
    environment = ""
    rpc_layer: str | None = None

    def cluster_spec(self) -> ClusterSpec:
        """Returns the processes of the job."""
        raise NotImplementedError

    def master(self, task_type: Any = None, task_id: Any = None, rpc_layer: Any = None) -> str:
        """Returns an empty text: there is no server to connect to."""
        return ""

    def num_accelerators(self, task_type: Any = None, task_id: Any = None, config_proto: Any = None) -> dict[str, int]:
        """Returns an empty dict: replicas run on CPUs."""
        return {}


class MPIClusterResolver(ClusterResolver):
    """The processes that MPI's launcher started: the job ``worker``, numbered by rank."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        group = world()
        self.task_type, self.task_id = ("worker", group.rank) if group.mpi is not None else (None, None)
        self._size = group.size if group.mpi is not None else 0

    def cluster_spec(self) -> ClusterSpec:
        """Returns the job ``worker`` with an address ``rank:N`` for each process; an empty cluster without MPI."""
        return ClusterSpec({"worker": [f"rank:{rank}" for rank in range(self._size)]} if self._size else {})


class TFConfigClusterResolver(MPIClusterResolver):
    """The processes that MPI's launcher started; the variable ``TF_CONFIG`` is not read.

    Args:
        arguments, options: kept for TensorFlow's signature.
    """


class SimpleClusterResolver(ClusterResolver):
    """A cluster that the user describes. TensorFlow: tf.distribute.cluster_resolver.SimpleClusterResolver.

    Args:
        cluster_spec: a ``ClusterSpec``.
        master, environment, num_accelerators, rpc_layer: kept for TensorFlow's signature.
        task_type, task_id: the job of this process, and its number.
    """

    def __init__(
        self,
        cluster_spec: Any,
        master: str = "",
        task_type: str | None = None,
        task_id: int | None = None,
        environment: str = "",
        num_accelerators: Any = None,
        rpc_layer: str | None = None,
    ) -> None:
        self._cluster_spec, self.environment, self.rpc_layer = cluster_spec, environment, rpc_layer
        self.task_type, self.task_id = task_type, task_id

    def cluster_spec(self) -> Any:
        return self._cluster_spec
