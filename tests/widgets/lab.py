"""A real JupyterLab and a real Chromium: isolated directories, nothing beyond the loopback interface."""

from __future__ import annotations

import ast
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

LOCAL = (
    "http://127.0.0.1",
    "http://localhost",
    "ws://127.0.0.1",
    "ws://localhost",
    "blob:",
    "data:",
    "file:",
)
KERNEL = "midigpt-nb-test"
PYTHON = os.environ.get("MIDIGPT_NB_HOST_PYTHON") or sys.executable
"""Interpreter of server and kernel: another environment's, to try another host with the same tests."""
APP = os.environ.get("MIDIGPT_NB_HOST_APP") or "lab"
"""`lab`, or `notebook` for Notebook 7 (also a page of JupyterLab's parts, with one document)."""


@dataclass
class Lab:
    """A running server. `root` holds the notebooks."""

    url: str
    token: str
    root: Path
    runtime: Path

    def api(self, path: str) -> Any:
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"token {self.token}"})
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.loads(response.read())

    def write(self, name: str, cells: list[str]) -> None:
        """A notebook of code cells that names the kernel of this very Python."""
        notebook = {
            "cells": [
                {
                    "cell_type": "code",
                    "id": f"cell-{i}",
                    "metadata": {},
                    "source": source,
                    "outputs": [],
                    "execution_count": None,
                }
                for i, source in enumerate(cells)
            ],
            "metadata": {"kernelspec": {"name": KERNEL, "display_name": KERNEL, "language": "python"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        (self.root / name).write_text(json.dumps(notebook))

    def client(self, notebook: str) -> Any:
        from jupyter_client import BlockingKernelClient

        session = next(s for s in self.api("api/sessions") if s["path"] == notebook)
        path = self.runtime / f"kernel-{session['kernel']['id']}.json"
        client = BlockingKernelClient(connection_file=str(path))
        client.load_connection_file()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        return client

    def kernel_eval(self, notebook: str, expression: str) -> Any:
        """Evaluate an expression in the notebook's own kernel, from outside the browser."""
        client = self.client(notebook)
        try:
            message = client.execute_interactive(
                "import json as _j",
                user_expressions={"x": f"_j.dumps({expression})"},
                store_history=False,
                timeout=60,
                output_hook=lambda _message: None,
            )
        finally:
            client.stop_channels()
        value = message["content"]["user_expressions"]["x"]
        if value["status"] != "ok":
            raise RuntimeError(value)
        return json.loads(ast.literal_eval(value["data"]["text/plain"]))


@contextmanager
def running_lab(base: Path) -> Iterator[Lab]:
    """Start JupyterLab in `base` on a free port; stop it and its kernels at the end."""
    root, config, data, runtime, settings = (base / n for n in ("root", "cfg", "data", "rt", "settings"))
    for folder in (root, config, data, runtime, settings):
        folder.mkdir(mode=0o700)
    (config / "labconfig").mkdir()
    page_config = {
        "exposeAppInBrowser": True,  # `window.jupyterapp`; Notebook 7.6 does not hear the option of that name
        "disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True},
        "buildAvailable": False,  # else it starts node to look for extensions to build
        "buildCheck": False,
    }
    (config / "labconfig/page_config.json").write_text(json.dumps(page_config))
    tracker = settings / "@jupyterlab/notebook-extension/tracker.jupyterlab-settings"
    tracker.parent.mkdir(parents=True)
    tracker.write_text(json.dumps({"windowingMode": "none"}))  # else cells out of view are not in the DOM
    spec = data / "kernels" / KERNEL
    spec.mkdir(parents=True)
    argv = [PYTHON, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(
        json.dumps({"argv": argv, "display_name": KERNEL, "language": "python"})
    )

    token = secrets.token_hex(16)
    env = os.environ | {
        "JUPYTER_CONFIG_DIR": str(config),
        "JUPYTER_DATA_DIR": str(data),
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(base / "ws"),
        "JUPYTER_TOKEN": token,
        "IPYTHONDIR": str(base / "ipython"),
    }
    application = "LabApp" if APP == "lab" else "JupyterNotebookApp"
    command = [
        PYTHON,
        "-m",
        "jupyterlab" if APP == "lab" else "notebook",
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        "--port=0",
    ]
    command += [
        f"--ServerApp.root_dir={root}",
        f"--{application}.extension_manager=readonly",
    ]
    log_path = base / "lab.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            command, env=env, cwd=base, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            yield _wait_for_server(process, log_path, runtime, root, token)
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # the kernels are in its group
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def _wait_for_server(
    process: subprocess.Popen[bytes], log: Path, runtime: Path, root: Path, token: str
) -> Lab:
    deadline = time.monotonic() + 120
    info = runtime / f"jpserver-{process.pid}.json"  # gives the port that --port=0 chose
    while True:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(log.read_text()[-4000:])
        if info.exists():
            try:
                server = Lab(json.loads(info.read_text())["url"], token, root, runtime)
                server.api("api/status")
                return server
            except (ValueError, OSError):
                pass
        time.sleep(0.1)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One JupyterLab for the whole test run."""
    pytest.importorskip("jupyterlab")
    with running_lab(tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A fresh browser page. `page_errors` collects uncaught errors and requests that leave the machine."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="en-US")
    context.set_default_timeout(30_000)
    tab = context.new_page()
    watch(tab)
    yield tab
    context.close()


def watch(tab: Any) -> None:
    """Collect the page's uncaught errors and requests that leave the machine in its `page_errors`."""
    tab.page_errors = []
    tab.on("pageerror", lambda error: None if of_notebook(error) else tab.page_errors.append(str(error)))
    tab.on(
        "request", lambda r: None if r.url.startswith(LOCAL) else tab.page_errors.append(f"EXTERNAL {r.url}")
    )


def of_notebook(error: Any) -> bool:
    """Whether an error is the one that Notebook 7.6 itself throws now and then while it opens, rolls or not.

    Its list of shortcuts hears of a plugin's settings and reads their `schema` before they have been stored.
    Only that text counts, and only when every line of the stack is Notebook's own: the roll's code comes from
    a blob.
    """
    places = [line for line in (error.stack or "").splitlines() if "://" in line]
    return (
        APP == "notebook"
        and error.message == "Cannot read properties of undefined (reading 'schema')"
        and bool(places)
        and all("/static/notebook/notebook_core." in line for line in places)
    )


def open_notebook(page: Any, lab: Lab, name: str) -> None:
    """Open a notebook and wait until its kernel is idle."""
    place = "lab/tree" if APP == "lab" else "notebooks"
    page.goto(f"{lab.url}{place}/{name}?reset&token={lab.token}")
    page.wait_for_function("() => window.jupyterapp", timeout=60_000)
    page.evaluate("() => window.jupyterapp.restored.then(() => true)")
    page.wait_for_function(
        """() => { const w = window.jupyterapp.shell.currentWidget, k = w?.sessionContext?.session?.kernel;
        return w?.context?.isReady && k && k.connectionStatus === 'connected' && k.status === 'idle'; }""",
        timeout=90_000,
    )


def run_command(page: Any, command: str) -> None:
    """Run a JupyterLab command and wait for its end."""
    page.evaluate("(c) => window.jupyterapp.commands.execute(c).then(() => true)", command)


def run_all(page: Any) -> None:
    """Run all cells; returns when the last one has finished."""
    run_command(page, "notebook:run-all-cells")


def set_theme(page: Any, theme: str) -> None:
    """Switch JupyterLab to 'JupyterLab Light' or 'JupyterLab Dark' and wait until it shows."""
    page.evaluate(
        "(t) => window.jupyterapp.commands.execute('apputils:change-theme', {theme: t}).then(() => true)",
        theme,
    )
    light = "true" if theme.endswith("Light") else "false"
    page.wait_for_function("(l) => document.body.dataset.jpThemeLight === l", arg=light)
    # JupyterLab shows its splash while it changes; what is photographed is what comes after it.
    page.wait_for_function("() => !document.getElementById('jupyterlab-splash')")


def eventually(get: Callable[[], Any], want: Any = True, timeout: float = 60.0) -> None:
    """Wait until ``get()`` equals `want`: browser and test talk to the kernel over different sockets."""
    deadline = time.monotonic() + timeout
    while (got := get()) != want:
        assert time.monotonic() < deadline, f"{got!r} != {want!r}"
        time.sleep(0.1)
