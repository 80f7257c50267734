"""Mistakes of the user: one line on standard error names the mistake, and the exit code is 2."""

import re
import socket
from pathlib import Path

import pytest
from tools.command import ANY_PORT, finished, refusal
from tools.programs import run

# Do not wait for a DNS server that does not respond.
_IMPATIENT = {"RES_OPTIONS": "attempts:1 timeout:1"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory to serve."""
    tree = tmp_path / "tree"
    tree.mkdir()
    return tree


def _unreadable(path: Path) -> Path:
    path.chmod(0)
    return path


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param(("fly",), "'fly'", id="unknown-command"),
        pytest.param(("serve", "--fly"), "--fly", id="unknown-flag"),
        pytest.param(("serve", ".", "more"), "more", id="one-argument-too-many"),
        pytest.param(("serve", ".", "--redirect"), "--redirect needs s3://", id="redirect-to-a-folder"),
        pytest.param(("put", "a", "--bucket", "s3://"), "names no bucket", id="put-no-bucket"),
        pytest.param(("db", "init", "--database", "s3://b"), "is not a supported database", id="db-in-a-bucket"),
        pytest.param(("ls", "--bucket", "http://host/b"), "set AWS_ENDPOINT_URL to the address", id="http-bucket"),
        pytest.param(
            ("db", "init", "--database", "sqlite:///a.db", "--blobs", ""), "'' cannot store bytes", id="empty-blobs"
        ),
        pytest.param(("serve", "s3://"), "names no bucket", id="no-bucket"),
        pytest.param(("serve", "az://files"), "set AZURE_STORAGE_ACCOUNT_NAME", id="no-account"),
        pytest.param(("ls", "--bucket", "az://files"), "set AZURE_STORAGE_ACCOUNT_NAME", id="ls-no-account"),
        pytest.param(("serve", "s3://bucket", "."), "cannot be served together", id="bucket-and-folder"),
        pytest.param(("serve", "s3://key:secret@bucket"), "no password", id="password-in-url"),
        pytest.param(("serve", "/no/such/place"), "/no/such/place", id="no-such-directory"),
        pytest.param(("serve", "--workers", "0"), "--workers", id="no-workers"),
        pytest.param(("serve", "--stall-timeout", "0"), "--stall-timeout", id="no-patience"),
        pytest.param(("serve", "--drain-timeout", "soon"), "--drain-timeout", id="no-number"),
        pytest.param(("serve", "--stall-timeout", "inf"), "--stall-timeout", id="endless-patience"),
        pytest.param(("serve", "--stall-timeout", "nan"), "--stall-timeout", id="no-number-of-seconds"),
        pytest.param(("serve", "--drain-timeout", "nan"), "--drain-timeout", id="no-number-of-seconds-to-drain"),
        pytest.param(("serve", "--drain-timeout", "1000001"), "up to 1,000,000", id="too-long"),
        pytest.param(("serve", "--cache-control", "a\nX-Evil: b"), "--cache-control", id="two-fields"),
        pytest.param(("serve", "--cache-control", "a\x7f"), "--cache-control", id="control-character"),
        pytest.param(("serve", "--loop", "curio"), "--loop", id="unknown-loop"),
        pytest.param(("serve", "--file-ids", "name"), "--file-ids", id="unknown-kind-of-id"),
        pytest.param(("serve", "--database", "mysql://db/x"), "expected sqlite:///path.db", id="unknown-database"),
        pytest.param(("serve", "--access-log", "xml"), "--access-log", id="unknown-form"),
        pytest.param(("serve", "--config", "no-such.toml"), "no-such.toml", id="no-such-config"),
        pytest.param(("serve", "--client-csv", "no-such-folder"), "no-such-folder", id="no-such-folder-of-a-route"),
        pytest.param(("serve", "--drain-timeout", "-1"), "from 0 up to 1,000,000", id="negative"),
        pytest.param(("serve", "-p", "65536"), "--port", id="no-port"),
        pytest.param(("serve", "-p", "x"), "'x' is not a whole number from 0 to 65535", id="port-no-number"),
        pytest.param(("serve", "-w", "x"), "'x' is not a whole number from 1 to 256", id="workers-no-number"),
        pytest.param(("serve", "-b", "8000"), "expected host:port", id="bind-without-host"),
        pytest.param(("serve", "-b", "127.0.0.1:http"), "expected host:port", id="bind-without-number"),
        pytest.param(("serve", "-b", "127.0.0.1:70000"), "127.0.0.1:70000", id="bind-number-too-large"),
        pytest.param(("serve", "-b", "no.such.host.invalid:0"), "no.such.host.invalid", id="bind-unknown-host"),
        pytest.param(("serve", "-b", "fd://99"), "Bad file descriptor", id="bind-closed-descriptor"),
        pytest.param(("serve", "-b", "fd://x"), "fd://x: expected host:port, unix:path or fd://n", id="no-descriptor"),
        pytest.param(("serve", "-b", "fd://-1"), "expected host:port, unix:path or fd://n", id="negative-descriptor"),
        pytest.param(("serve", "-b", "unix:/no/such/place/socket"), "No such file", id="bind-no-folder"),
        pytest.param(("serve", "-b", f"unix:/tmp/{'s' * 200}"), "too long", id="bind-path-too-long"),
    ],
)
def test_a_mistake_is_reported_in_one_line(arguments: tuple[str, ...], reason: str, tree: Path) -> None:
    assert reason in refusal(*arguments, cwd=tree, env=_IMPATIENT)


def test_without_a_command_the_commands_are_listed() -> None:
    ended = finished()
    assert (ended.returncode, ended.stdout) == (2, "")
    assert re.search(r"^Commands:\n(?:  \w+ .*\n)*  get +Download each URL", ended.stderr, re.MULTILINE)


def test_a_unix_socket_that_is_busy_is_refused_and_left_alone(tree: Path, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        assert "Address already in use" in refusal("serve", tree, "-b", f"unix:{path}")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


def test_a_file_in_the_place_of_a_unix_socket_is_kept(tree: Path, tmp_path: Path) -> None:
    path = tmp_path / "valuable"
    path.write_text("a year of work")
    assert "File exists" in refusal("serve", tree, "-b", f"unix:{path}")
    assert path.read_text() == "a year of work"


def test_a_socket_made_before_a_mistake_is_taken_away(tree: Path, tmp_path: Path) -> None:
    refusal("serve", tree, "-b", f"unix:{tmp_path / 'socket'}", "-b", "nonsense")
    assert not (tmp_path / "socket").exists()


@pytest.mark.parametrize("flag", ["--config", "--certfile", "--keyfile", "--download-file"])
def test_a_file_that_cannot_be_read_is_refused(flag: str, tree: Path, tmp_path: Path) -> None:
    path = tmp_path / "locked"
    path.touch()
    assert "not readable" in refusal("serve", tree, flag, _unreadable(path))


@pytest.mark.parametrize("flags", [(), ("--client-pdf",)], ids=["tree", "route"])
def test_a_directory_that_cannot_be_read_is_refused(flags: tuple[str, ...], tree: Path) -> None:
    assert "tree" in refusal("serve", *flags, _unreadable(tree), cwd=tree.parent)


def test_a_directory_that_cannot_be_entered_is_refused(tree: Path) -> None:
    tree.chmod(0o400)
    assert refusal("serve", tree) == f"async-downloads: {tree} cannot be read"


def test_tls_needs_both_files(tree: Path, certificate: tuple[Path, Path]) -> None:
    assert "both" in refusal("serve", tree, *ANY_PORT, "--certfile", certificate[0])
    assert "both" in refusal("serve", tree, *ANY_PORT, "--keyfile", certificate[1])
    assert "HTTP/2 needs TLS" in refusal("serve", tree, *ANY_PORT, "--http2")


def test_proxy_headers_of_unknown_proxies_are_refused(tree: Path) -> None:
    assert "--proxy-protocol needs --trusted-proxies" in refusal("serve", tree, *ANY_PORT, "--proxy-protocol")


def test_tls_files_that_are_none_are_refused(tree: Path, tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("rubbish")
    for files, wrong in (
        ((rubbish, certificate[1]), "--certfile needs a certificate in PEM, but"),
        ((certificate[0], rubbish), "--keyfile needs a private key in PEM, but"),
        (certificate[::-1], "--certfile needs a certificate in PEM, but"),
    ):
        assert wrong in _refused_for_tls(tree, *files)


def test_tls_files_that_do_not_fit_are_refused(tree: Path, tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    other, broken = tmp_path / "other.pem", tmp_path / "broken.pem"
    run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-out", str(other))
    broken.write_bytes(certificate[0].read_bytes().replace(b"M", b"N"))
    assert _refused_for_tls(tree, certificate[0], other).endswith("the key does not belong to the certificate")
    assert _refused_for_tls(tree, broken, certificate[1]).endswith("one of the files is damaged")


def test_an_encrypted_key_without_its_passphrase_is_explained(
    tree: Path, tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    locked = tmp_path / "locked.pem"
    run("openssl", "pkey", "-in", str(certificate[1]), "-aes256", "-passout", "pass:x", "-out", str(locked))
    ended = finished("serve", tree, *ANY_PORT, "--certfile", certificate[0], "--keyfile", locked)
    assert ended.returncode == 2
    assert f"openssl pkey -in {locked} -out NEW.pem' makes a key without one" in ended.stderr.splitlines()[-1]


def _refused_for_tls(tree: Path, certfile: Path, keyfile: Path) -> str:
    line = refusal("serve", tree, *ANY_PORT, "--certfile", certfile, "--keyfile", keyfile)
    assert line.startswith(f"async-downloads: cannot use {certfile} and {keyfile} for TLS: ")
    return line


@pytest.mark.parametrize(
    ("module", "arguments", "remedy"),
    [
        pytest.param("uvloop", ("serve", "--loop", "uvloop"), "async-downloads[uvloop]", id="uvloop"),
        pytest.param("fpdf", ("demo",), "async-downloads[demo]", id="fpdf"),
        pytest.param(
            "prometheus_client",
            ("serve", "--metrics-bind", "9100"),
            "async-downloads[metrics]",
            id="prometheus_client",
        ),
    ],
)
def test_a_module_that_is_not_installed_is_named(
    module: str, arguments: tuple[str, ...], remedy: str, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules[{module!r}] = None\n")
    assert remedy in refusal(*arguments, *ANY_PORT, env={"PYTHONPATH": str(tmp_path)}, cwd=tmp_path)
