"""ray_cluster.yaml is what Ray's launcher accepts, and holds what its validator does not look at."""

from __future__ import annotations

import copy
import logging
import re
import tomllib
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "ray_cluster.yaml"


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Ebs(Strict):
    VolumeSize: int = Field(ge=100)  # the images alone take half of it
    VolumeType: Literal["gp3"]


class Disk(Strict):
    DeviceName: str
    Ebs: Ebs


class Market(Strict):
    MarketType: Literal["spot"]


class Ec2(Strict):
    """The keys of EC2's RunInstances that the file uses; Ray hands `node_config` over unread."""

    InstanceType: str = Field(pattern=r"^[a-z0-9-]+\.[a-z0-9]+$")
    BlockDeviceMappings: tuple[Disk, ...] = Field(min_length=1)
    InstanceMarketOptions: Market | None = None


class WorkerImage(Strict):
    worker_image: str


class NodeType(Strict):
    resources: dict[str, int]
    node_config: Ec2
    labels: dict[str, str] = {}
    min_workers: int = Field(default=0, ge=0)
    max_workers: int = Field(default=0, ge=0)
    docker: WorkerImage | None = None
    worker_setup_commands: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _bounds(self) -> NodeType:
        if self.min_workers > self.max_workers:
            raise ValueError(f"min_workers {self.min_workers} is above max_workers {self.max_workers}")
        return self


class ClusterFile(BaseModel):
    """What Ray's own schema does not relate to each other; the keys it does check are left to it."""

    max_workers: int = Field(ge=1)
    idle_timeout_minutes: float = Field(gt=0)
    head_node_type: str
    docker: dict[str, Any]
    available_node_types: dict[str, NodeType]

    @model_validator(mode="after")
    def _related(self) -> ClusterFile:
        for name, node in self.available_node_types.items():
            if node.max_workers > self.max_workers:
                raise ValueError(f"{name}: max_workers {node.max_workers} is above the cluster's {self.max_workers}")
            if name != self.head_node_type and node.max_workers == 0:
                raise ValueError(f"{name}: no node of this type can ever start")
        if sum(n.min_workers for n in self.available_node_types.values()) > self.max_workers:
            raise ValueError("the types' min_workers together are above the cluster's max_workers")
        if self.available_node_types[self.head_node_type].resources.get("CPU") != 0:
            raise ValueError("the head takes units; give it CPU: 0")
        return self


@pytest.fixture
def config() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return loaded


def rays_own(config: dict[str, Any]) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    logging.getLogger("ray.autoscaler._private.util").setLevel(logging.ERROR)
    validate_config(prepare_config(copy.deepcopy(config)))


def images(config: dict[str, Any]) -> list[str]:
    nodes = config["available_node_types"].values()
    return [config["docker"]["image"], *(n["docker"]["worker_image"] for n in nodes if "docker" in n)]


def commands(config: dict[str, Any]) -> list[str]:
    """Every command of the file, wherever it stands."""
    found: list[str] = []
    for key, value in config.items():
        if key.endswith("_commands"):
            found += value
        elif isinstance(value, dict):
            found += commands(value)
    return found


def project() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


def put(config: dict[str, Any], path: str, value: Any) -> None:
    *way, last = path.split("/")
    for part in way:
        config = config[part]
    config[last] = value


@pytest.mark.slow
def test_rays_validator_accepts_the_file(config: dict[str, Any]) -> None:
    rays_own(config)


def test_the_relations_hold_that_rays_validator_does_not_check(config: dict[str, Any]) -> None:
    ClusterFile.model_validate(config)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("max_worker", 3),
        ("available_node_types/cpu/max_worker", 3),
        ("available_node_types/cpu/resources", {"CPU": "16"}),
        ("head_node_type", "heat"),
        ("docker/images", "rayproject/ray:2.60.0"),
        ("idle_timeout_minutes", "soon"),
    ],
)
def test_rays_validator_refuses_a_mistyped_copy(config: dict[str, Any], path: str, value: Any) -> None:
    put(config, path, value)
    with pytest.raises(Exception, match=r".") as caught:
        rays_own(config)
    assert type(caught.value).__name__ in ("ValidationError", "ValueError")


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("available_node_types/cpu/node_config/InstanceTyp", "m7i.large", "InstanceTyp"),
        ("available_node_types/cpu/node_config/InstanceType", "large", "InstanceType"),
        ("available_node_types/gpu_spot/node_config/InstanceMarketOptions", {"MarketTyp": "spot"}, "MarketTyp"),
        ("available_node_types/cpu/max_workers", 21, "above the cluster's 20"),
        ("available_node_types/cpu/min_workers", 17, "above max_workers 16"),
        ("available_node_types/gpu_spot/max_workers", 0, "can ever start"),
        ("available_node_types/head/resources", {}, "give it CPU: 0"),
    ],
)
def test_our_checks_refuse_what_rays_validator_lets_through(
    config: dict[str, Any], path: str, value: Any, said: str
) -> None:
    put(config, path, value)
    rays_own(config)
    with pytest.raises(ValidationError, match=re.escape(said)):
        ClusterFile.model_validate(config)


def test_every_image_and_install_has_the_ray_of_the_package(config: dict[str, Any]) -> None:
    pinned = next(d.removeprefix("ray==") for d in project()["dependencies"] if d.startswith("ray=="))
    for image in images(config):
        assert re.fullmatch(rf"rayproject/ray:{re.escape(pinned)}-py311-(cpu|gpu)", image)
    said = re.findall(r"'ray\[\w+\]==([\d.]+)'", " ".join(commands(config)))
    assert said == [pinned]


def test_nodes_install_the_package_at_its_version_with_extras_that_exist(config: dict[str, Any]) -> None:
    said = re.findall(r"medcurate\[([\w,]+)\]==([\d.]+)'", " ".join(commands(config)))
    assert len(said) == 2
    for extras, version in said:
        assert version == project()["version"]
        assert set(extras.split(",")) <= set(project()["optional-dependencies"])


def test_every_ray_starts_with_token_authentication_and_a_bounded_store(config: dict[str, Any]) -> None:
    starts = [c for c in commands(config) if re.search(r"\bray start\b", c)]
    assert len(starts) == 2
    for start in starts:
        assert "RAY_AUTH_MODE=token" in start
        assert "--object-store-memory=" in start
        assert "--disable-usage-stats" in start
    assert "--env RAY_AUTH_MODE=token" in config["docker"]["run_options"]


def test_the_file_holds_no_token_and_the_dashboard_is_not_on_the_network(config: dict[str, Any]) -> None:
    head = " ".join(config["head_start_ray_commands"])
    assert "--dashboard-host=127.0.0.1" in head
    assert "--autoscaling-config=~/ray_bootstrap_config.yaml" in head
    assert not re.search(r"\b[0-9a-f]{32,}\b", FILE.read_text())
    assert "RAY_AUTH_TOKEN" not in yaml.safe_dump(config)
    assert list(config["file_mounts"]) == ["~/.ray/auth_token"]
    open_to = [r["CidrIp"] for p in config["provider"]["security_group"]["IpPermissions"] for r in p["IpRanges"]]
    assert "0.0.0.0/0" not in open_to
