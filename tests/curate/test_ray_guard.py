"""Ray is joined beyond loopback with a token only, and a private one is started on loopback with one; none is started
here."""

from __future__ import annotations

import contextlib
import os
import re
from typing import Any

import pytest
import ray

from curate import cluster
from curate.cluster import check_joined, ray_session
from manifests.errors import RecipeError


@pytest.fixture(autouse=True)
def _no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)


def refuse(*_: Any, **__: Any) -> None:
    raise AssertionError("Ray was started")


@pytest.mark.parametrize("mode", ["", "disabled", "k8s"])
@pytest.mark.parametrize("address", ["10.0.0.5:6379", "0.0.0.0:6379", "[2001:db8::1]:6379", "head.example.org:6379"])
def test_without_a_token_no_address_beyond_loopback_is_even_asked(
    address: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", mode)
    monkeypatch.setattr(ray, "init", refuse)
    monkeypatch.setattr(cluster, "_knock", refuse)
    with pytest.raises(RecipeError, match="RAY_AUTH_MODE=token"), ray_session(2, address):
        pass


class Context:
    """What Ray says of the cluster that it joined."""

    gcs_address = "10.0.0.5:6379"


def test_a_ray_of_this_machine_that_listens_beyond_it_is_left_again_unless_it_has_a_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left: list[bool] = []
    monkeypatch.setattr(ray, "init", lambda **_: None)
    monkeypatch.setattr(ray, "shutdown", lambda: left.append(True))
    monkeypatch.setattr(ray, "get_runtime_context", Context)
    with pytest.raises(RecipeError, match="listens beyond loopback"), ray_session(2, "auto"):
        pass
    assert left == [True]
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    check_joined(Context.gcs_address)
    monkeypatch.delenv("RAY_AUTH_MODE")
    check_joined("127.0.0.1:6379")


def test_a_private_ray_is_asked_for_on_loopback_with_a_token_of_its_own_and_no_runtime_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: dict[str, Any] = {}

    def init(**arguments: Any) -> None:
        asked.update(arguments, token=os.environ.get("RAY_AUTH_TOKEN", ""), mode=os.environ.get("RAY_AUTH_MODE"))

    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # of the user's other Ray
    monkeypatch.setattr(ray, "init", init)
    with contextlib.ExitStack() as stack:
        cluster._start_private(2, stack)
        folder = os.path.dirname(asked["_temp_dir"])  # noqa: PTH120 - a text of Ray's
        assert os.stat(folder).st_mode & 0o077 == 0  # noqa: PTH116 - as above
    assert (asked["address"], asked["_node_ip_address"], asked["mode"]) == ("local", "127.0.0.1", None)
    assert re.fullmatch(r"[0-9a-f]{64}", asked["token"])
    assert asked["include_dashboard"] is False
    assert "runtime_env" not in asked
    assert os.environ["RAY_AUTH_MODE"] == "disabled"
    assert "RAY_AUTH_TOKEN" not in os.environ
