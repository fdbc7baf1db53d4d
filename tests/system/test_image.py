"""The image, as far as it can be tried without a registry: `make image-check` runs these.

Its steps are run as they stand in the Dockerfile, in a clean environment; and where podman or
docker can build it, it runs as docker-compose.yml runs it.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import Mosquitto, free_port

ROOT = Path(__file__).parents[2]
USER = 10001
WANTED = os.environ.get("IMAGE") == "1"
ENGINE = os.environ.get("ENGINE") or shutil.which("podman") or shutil.which("docker") or ""
BUILD_ARGS = shlex.split(os.environ.get("IMAGE_BUILD_ARGS", ""))
RUN_ARGS = shlex.split(os.environ.get("IMAGE_RUN_ARGS", ""))
LOCKED = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--tmpfs=/tmp"]
CONFIG = """
[kis]
environment = "simulator"
rest_url = "http://127.0.0.1:{rest}"
ws_url = "ws://127.0.0.1:{ws}"
state_dir = "{state}"
[[kis.apps]]
alias = "app1"
app_key = {{ env = "KIS_APP_KEY" }}
app_secret = {{ env = "KIS_APP_SECRET" }}
[mqtt]
url = "mqtt://127.0.0.1:1"
"""

pytestmark = [
    pytest.mark.skipif(not WANTED, reason="takes minutes and a package index: make image-check"),
    pytest.mark.timeout(900),
]


def dockerfile() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile with their arguments on one line."""
    lines = [
        line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")
    ]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in joined.splitlines())]


def copy(into: Path, arguments: str) -> None:
    *sources, target = arguments.split()
    for source in sources:
        place = into / target / source if target == "./" else into / target
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, place)


@pytest.fixture(scope="module")
def installed() -> Iterator[Path]:
    """Run the steps of the image's first stage; they write below ``/opt``, here below a folder."""
    root = Path(tempfile.mkdtemp(prefix="kis-image-"))
    root.chmod(0o755)  # the image's user is to read it
    source = root / "src"
    source.mkdir()
    stages = 0
    for name, arguments in dockerfile():
        stages += name == "FROM"
        if stages == 1 and name == "COPY":
            copy(source, arguments)
        elif stages == 1 and name == "RUN":
            command = arguments.replace("/opt/", f"{root}/")
            python = Path(os.environ.get("PYTHON", "/usr/bin/python3")).parent
            path = {"PATH": f"{python}:{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": ""}
            done = subprocess.run(
                ["/bin/sh", "-c", command], cwd=source, env={**os.environ, **path}, check=False,
                capture_output=True, text=True, timeout=600,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    yield root / "kis-bridge"
    shutil.rmtree(root)


def may_be_another(program: Path) -> bool:
    """Whether this user may become the image's, and that one may run the program from here."""
    return os.geteuid() == 0 and (
        subprocess.run(
            ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "test", "-x",
             (program.parent / "python").resolve()], check=False,
        ).returncode == 0
    )  # fmt: skip


def started(program: Path, *args: str, home: Path) -> subprocess.Popen[str]:
    """Start it as the image does: another user, who may write to nothing but the state folder."""
    become = [f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs"]
    prefix = ["setpriv", *become, "--"] if may_be_another(program) else []
    return subprocess.Popen(
        [*prefix, program, *args], cwd=home, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={"PATH": "/usr/bin:/bin", "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1",
             "PYTHONUNBUFFERED": "1", "KIS_APP_KEY": "k" * 36, "KIS_APP_SECRET": "s" * 180},
    )  # fmt: skip


def lines_until(process: subprocess.Popen[str], wanted: str) -> str:
    """Return what it says until it says ``wanted``."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if wanted in line:
            return said
    pytest.fail(f"{wanted!r} was not said: {said[-2000:]}")


def test_the_steps_of_the_image_give_a_program_that_runs(installed: Path) -> None:
    state = installed.parent / "state"
    state.mkdir(mode=0o700)
    config = installed.parent / "bridge.toml"
    program = installed / "bin/kis-bridge"
    if may_be_another(program):
        shutil.chown(state, USER, USER)
    with started(program, "--version", home=state) as process:
        said, _ = process.communicate(timeout=60)
        assert said.startswith("kis-bridge ")
        assert process.returncode == 0
    with started(
        program, "simulate", "--rest-port", "0", "--ws-port", "0", "--any-key", home=state
    ) as simulator:
        said = lines_until(simulator, "REST calls")
        rest, ws = re.findall(r"://[\d.]+:(\d+)", said)[:2]
        config.write_text(CONFIG.format(rest=rest, ws=ws, state=state))
        arguments = ("run", "--config", str(config), "--http-port", "0")
        with started(program, *arguments, home=state) as bridge:
            lines_until(bridge, "not connected")  # to a broker: there is none
            bridge.terminate()
            bridge.communicate(timeout=30)
            assert bridge.returncode == 0
        simulator.terminate()
        simulator.communicate(timeout=30)
    assert (state / "orders.db").stat().st_mode & 0o777 == 0o600
    assert {path.name for path in installed.parent.iterdir()} == {
        *("build", "kis-bridge", "src", "wheels", "bridge.toml", "state")
    }


def test_nothing_of_what_builds_it_is_in_it(installed: Path) -> None:
    packages = next((installed / "lib").iterdir()) / "site-packages"
    assert (packages / "bridge").is_dir()
    assert not [name for name in ("pip", "hatchling", "iotcore") if (packages / name).exists()]


def engine(*args: str, check: bool = True) -> str:
    done = subprocess.run(
        [ENGINE, *args], cwd=ROOT, check=False, capture_output=True, text=True, timeout=600
    )
    assert not check or done.returncode == 0, f"{args}: {done.stdout[-1500:]} {done.stderr[-1500:]}"
    return done.stdout


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    if not ENGINE:
        pytest.skip("needs podman or docker")
    kind = ["--format", "docker"] if "podman" in ENGINE else []  # OCI's own has no health check
    done = subprocess.run(
        [ENGINE, "build", *kind, *BUILD_ARGS, "-t", "kis-mqtt-bridge:check", "."],
        cwd=ROOT, check=False, capture_output=True, text=True, timeout=800,
    )  # fmt: skip
    if done.returncode != 0 and re.search(
        r"no such host|daemon running|initializing source|cannot find", done.stderr, re.IGNORECASE
    ):
        pytest.skip(f"no base image here: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr[-3000:]
    yield "kis-mqtt-bridge:check"
    engine("rmi", "-f", "kis-mqtt-bridge:check", check=False)


def test_a_container_that_may_do_nothing_is_healthy(
    image: str, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    config = tmp_path / "bridge.toml"
    text = CONFIG.format(rest=1, ws=1, state="/var/lib/kis-bridge")
    config.write_text(text.replace("mqtt://127.0.0.1:1", mosquitto.url))
    config.chmod(0o644)
    given = ["--env=KIS_APP_KEY=" + "k" * 36, "--env=KIS_APP_SECRET=" + "s" * 180]
    given += [f"--env=KIS_BRIDGE_DASHBOARD__LISTEN=127.0.0.1:{free_port()}"]
    mount = f"--volume={config}:/etc/kis-bridge/bridge.toml:ro"
    name = f"kis-bridge-check-{os.getpid()}"
    engine("run", "--detach", f"--name={name}", "--network=host", *LOCKED, *RUN_ARGS, *given, mount,
           image, "run", "--config", "/etc/kis-bridge/bridge.toml")  # fmt: skip
    try:
        alive = ["exec", name, "python", "-m", "bridge.dashboard.alive"]
        deadline = time.monotonic() + 60
        while subprocess.run([ENGINE, *alive], capture_output=True, check=False).returncode:
            assert time.monotonic() < deadline, engine("logs", name, check=False)
            time.sleep(0.5)  # a container tells nobody that it is ready
        assert engine("exec", name, "id", "-u").strip() == str(USER)
        assert engine("exec", name, "sh", "-c", "touch /opt/x 2>&1 || echo refused").endswith(
            "refused\n"
        )
        assert engine("exec", name, "stat", "-c", "%a", "/var/lib/kis-bridge/orders.db") == "600\n"
        assert "bridge.dashboard.alive" in engine("inspect", image)
        engine("stop", "--time", "15", name)
        code = engine("inspect", "--format", "{{.State.ExitCode}}", name)
        assert code.strip() == "0"
    finally:
        engine("rm", "-f", name, check=False)
