"""examples/s3/compose.yaml: its settings, and the files that it names. Docker does not run here."""

from pathlib import Path
from typing import Any

import yaml

from async_downloads.config import ServerSettings, Settings, table

S3 = Path(__file__).parents[2] / "examples" / "s3"
COMPOSE: dict[str, Any] = yaml.safe_load((S3 / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
SETTINGS = {f"ASYNC_DOWNLOADS_{row.name.upper()}" for kind in (Settings, ServerSettings) for row in table(kind)}


def test_two_equal_replicas_serve_the_bucket() -> None:
    replica = SERVICES["replica1"]
    assert replica == SERVICES["replica2"]
    assert replica["command"] == ["s3://files"]
    assert "-bucket=files" in SERVICES["s3"]["command"]
    named = {name.removesuffix("_FILE") for name in replica["environment"] if name.startswith("ASYNC_DOWNLOADS_")}
    assert named <= SETTINGS


def test_the_replicas_reach_the_store_with_its_credentials() -> None:
    ours, theirs = SERVICES["replica1"]["environment"], SERVICES["s3"]["environment"]
    assert theirs.items() <= ours.items()
    assert ours["AWS_ENDPOINT_URL"] == "http://s3:8333"


def test_each_file_that_is_named_exists() -> None:
    build = SERVICES["replica1"]["build"]
    dockerfile = S3 / build["context"] / build["dockerfile"]
    (mounted,) = SERVICES["nginx"]["volumes"]
    assert (S3 / mounted.split(":")[0]).is_file()
    assert "ARG EXTRAS=" in dockerfile.read_text("utf-8")
    project = (S3.parents[1] / "pyproject.toml").read_text("utf-8")
    assert [extra for extra in build["args"]["EXTRAS"].split(",") if f"\n{extra} = [" not in project] == []


def test_nginx_waits_for_the_replicas_that_its_configuration_names() -> None:
    config = (S3.parent / "deploy" / "nginx.conf").read_text("utf-8")
    assert all(f"server {name}:8000" in config for name in SERVICES["nginx"]["depends_on"])
    assert set(SERVICES["replica1"]["secrets"]) == set(COMPOSE["secrets"])
    assert SERVICES["s3"]["volumes"][0].split(":")[0] in COMPOSE["volumes"]
