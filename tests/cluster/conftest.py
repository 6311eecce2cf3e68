"""One two-node Ray for the cluster tests: two raylets on loopback, as two machines would be."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from curate.cluster import _on_loopback, _quiet

ROOT = Path(__file__).resolve().parents[2]
STORE_BYTES = 80 << 20
# A dead node is noticed within two seconds, not fifteen.
HEALTH = {
    "health_check_initial_delay_ms": 500,
    "health_check_period_ms": 400,
    "health_check_timeout_ms": 2000,
    "health_check_failure_threshold": 3,
}


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """`ray.cluster_utils.Cluster` with two nodes of one CPU; this process is its driver."""
    import ray
    from ray.cluster_utils import Cluster

    patch = pytest.MonkeyPatch()
    # Workers are started by the raylets, which inherit this: they import `tests.cluster.killing` from here.
    patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", "")))))
    patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    with _on_loopback():
        head = {"num_cpus": 1, "object_store_memory": STORE_BYTES, "include_dashboard": False, "_system_config": HEALTH}
        cluster: Any = Cluster(initialize_head=True, head_node_args=head)
        try:
            cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
            ray.init(address=cluster.address, logging_level=logging.ERROR, log_to_driver=False)
            with _quiet():
                yield cluster
        finally:
            ray.shutdown()
            cluster.shutdown()
            patch.undo()
