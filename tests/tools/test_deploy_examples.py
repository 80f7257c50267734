"""The files of examples/deploy/, checked with the programs that read them, or else with the settings they name."""

import re
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import yaml
from harness.asgi import App
from harness.ports import reserved_port
from harness.served import served
from harness.waiting import HANGING, eventually

from async_downloads.config import ServerSettings, Settings, table
from async_downloads.server.drain import DrainGate
from async_downloads.site.app import create_app
from tools.programs import need

DEPLOY = Path(__file__).parents[2] / "examples" / "deploy"
_VARIABLE = re.compile(r"\bASYNC_DOWNLOADS_([A-Z0-9_]+)")
_NAMES = {row.name.upper() for kind in (Settings, ServerSettings) for row in table(kind)}


def _checked(*command: object) -> str:
    """Run a check, which must succeed; return what it says."""
    program, *arguments = map(str, command)
    ended = subprocess.run([need(program), *arguments], capture_output=True, text=True, timeout=HANGING, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    for unit in DEPLOY.glob("async-downloads.*"):
        program = unit.read_text().replace("/opt/async-downloads/bin/async-downloads", "/bin/true")
        (tmp_path / unit.name).write_text(program)
    said = _checked("systemd-analyze", "verify", *tmp_path.iterdir())
    assert "async-downloads" not in said


def test_nginx_accepts_its_configuration(tmp_path: Path) -> None:
    config = (DEPLOY / "nginx.conf").read_text()
    local = re.sub(r"replica[12]:8000", "127.0.0.1:1", config).replace("/tmp/", f"{tmp_path}/")
    (tmp_path / "nginx.conf").write_text(local)
    assert "test is successful" in _checked("nginx", "-t", "-c", tmp_path / "nginx.conf")


def test_haproxy_accepts_its_configuration(tmp_path: Path) -> None:
    local = re.sub(r"(replica[12]) \1:8000", r"\1 127.0.0.1:1", (DEPLOY / "haproxy.cfg").read_text())
    (tmp_path / "haproxy.cfg").write_text(local)
    assert "WARNING" not in _checked("haproxy", "-c", "-f", tmp_path / "haproxy.cfg")


def test_caddy_accepts_its_configuration(tmp_path: Path) -> None:
    local = re.sub(r"replica[12]:8000", "127.0.0.1:1", (DEPLOY / "Caddyfile").read_text())
    (tmp_path / "Caddyfile").write_text(local)
    said = _checked("caddy", "validate", "--config", tmp_path / "Caddyfile", "--adapter", "caddyfile")
    assert "Valid configuration" in said


def _nginx(folder: Path, text: str) -> tuple[str, ...]:
    (folder / "nginx.conf").write_text(text.replace("/tmp/", f"{folder}/"))
    log = str(folder / "error.log")
    return need("nginx"), "-e", log, "-c", str(folder / "nginx.conf"), "-g", "daemon off;"


def _haproxy(folder: Path, text: str) -> tuple[str, ...]:
    (folder / "haproxy.cfg").write_text(text)
    return need("haproxy"), "-q", "-db", "-f", str(folder / "haproxy.cfg")


def _caddy(folder: Path, text: str) -> tuple[str, ...]:
    (folder / "Caddyfile").write_text(f"{{\nadmin off\n}}\n{text}")
    return need("caddy"), "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"


@pytest.mark.parametrize(
    ("name", "command"), [("nginx.conf", _nginx), ("haproxy.cfg", _haproxy), ("Caddyfile", _caddy)]
)
async def test_a_page_has_its_style_and_health_is_not_for_the_public(
    tmp_path: Path, name: str, command: Callable[[Path, str], tuple[str, ...]]
) -> None:
    folder = tmp_path / "served"
    folder.mkdir()
    app = cast("App", DrainGate(create_app(Settings(directory=folder))))
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(served(app))
        port = stack.enter_context(reserved_port())
        text = re.sub(r"replica[12]:8000", f"127.0.0.1:{server.port}", (DEPLOY / name).read_text())
        stack.enter_context(_running(command(tmp_path, re.sub(r"\b8080\b", str(port), text))))
        client = await stack.enter_async_context(
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=HANGING, headers={"Accept": "text/html"})
        )
        await eventually(lambda: _is_there(port))
        page = (await client.get("/")).text
        assets = re.findall(r'(?:href|src)="(-/static/[^"]+)"', page)
        assert len(assets) >= 3
        assert [(await client.get(f"/{each}")).status_code for each in assets] == [200] * len(assets)
        for path in ("/-/ready", "/-/healthy", "/%2d/ready"):
            assert (await client.get(path)).status_code == 404


@contextmanager
def _running(command: Sequence[str]) -> Iterator[None]:
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(HANGING)


def _is_there(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


@pytest.mark.parametrize("file", sorted(DEPLOY.iterdir()), ids=lambda file: file.name)
def test_every_setting_that_is_named_exists(file: Path) -> None:
    named = {name.removesuffix("_FILE") for name in _VARIABLE.findall(file.read_text())}
    assert named <= _NAMES
    assert f"`{file.name}`" in (DEPLOY / "README.md").read_text() or file.name == "README.md"


def test_compose_runs_two_replicas_behind_nginx() -> None:
    compose: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    replicas = [compose["services"][name] for name in ("replica1", "replica2")]
    assert replicas[0] == replicas[1]
    build = replicas[0]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).samefile(DEPLOY / "Dockerfile")
    assert set(replicas[0]["secrets"]) == set(compose["secrets"])
    (mounted,) = compose["services"]["nginx"]["volumes"]
    assert (DEPLOY / mounted.split(":")[0]).is_file()
    assert set(compose["services"]["nginx"]["depends_on"]) == {"replica1", "replica2"}
    assert _seconds(replicas[0]["stop_grace_period"]) > 2 + ServerSettings().drain_timeout


def _seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def test_the_image_copies_what_it_installs() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    assert any("pip install" in line and "/source[$EXTRAS]" in line for line in lines)
    extras = next(line.removeprefix("ARG EXTRAS=") for line in lines if line.startswith("ARG EXTRAS="))
    project = (DEPLOY.parents[1] / "pyproject.toml").read_text()
    assert all(re.search(rf"^{extra} = ", project, re.MULTILINE) for extra in extras.split(","))


def test_kubernetes_drains_a_replica_before_it_ends() -> None:
    deployment, service, budget = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels == service["spec"]["selector"]
    assert budget["spec"]["selector"]["matchLabels"] == labels
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    settings = {each["name"]: each["value"] for each in container["env"]}
    probes = [container[probe]["httpGet"]["path"] for probe in ("livenessProbe", "readinessProbe")]
    assert probes == ["/-/healthy", "/-/ready"]
    waits = [float(settings[f"ASYNC_DOWNLOADS_DRAIN_{name}"]) for name in ("DELAY", "TIMEOUT")]
    assert pod["terminationGracePeriodSeconds"] > sum(waits)
    assert waits[0] > container["readinessProbe"]["periodSeconds"] * container["readinessProbe"]["failureThreshold"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert set(mounts) == {volume["name"] for volume in pod["volumes"]}
    assert Path(settings["ASYNC_DOWNLOADS_SECRET_FILE"]).parent == Path(mounts["secret"])
    assert container["args"] == [mounts["files"]]
    # With service links, Kubernetes would set a variable of this program: ASYNC_DOWNLOADS_PORT=tcp://…
    assert service["metadata"]["name"] == "async-downloads"
    assert pod["enableServiceLinks"] is False
