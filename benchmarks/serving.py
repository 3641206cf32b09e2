"""The page and the endpoint's handler with 1, 4, 16 and 64 visitors at once, through the loopback.

    python benchmarks/serving.py [--short | --long] [--model BUNDLE]

Page and handler are processes of their own, with a model that is warm; visitors are threads that speak plain HTTP,
each with a cookie of its own. Every visitor sends single slices, one after another, from the upload to the answer; an
answer that does not come, or is an error, is lost. Then 16 visitors send a whole volume each, one after another and
all at once (A B, B A), with the CPU seconds that the server took. Where Chromium is installed, one visitor alone drops
a slice and a volume into the page: seconds to the picture; and steps through slices of 512x512 (goal: 0.05 s a step).
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
from measuring import ROOT, compare, describe, run_benchmark
from scans import find_model

FORMS = {
    "short": {"visitors": [1, 4], "requests": 1, "crowd": 4, "pages": 6, "size": 64, "rounds": 1, "drops": 0},
    "moderate": {
        "visitors": [1, 4, 16, 64],
        "requests": 2,
        "crowd": 16,
        "pages": 24,
        "size": 256,
        "rounds": 2,
        "drops": 1,
    },
    "long": {
        "visitors": [1, 4, 16, 64],
        "requests": 8,
        "crowd": 16,
        "pages": 40,
        "size": 256,
        "rounds": 5,
        "drops": 5,
    },
}
LOST = (httpx.HTTPError, OSError, ValueError)  # how an answer does not come, or is an error
Send = Callable[[Path], None]  # raises where the answer does not come
# Milliseconds from the slider to the picture, slice by slice, once all slices were shown; a frame is waited for.
STEPS = """async () => {
  const viewer = document.querySelector(".viewer[data-shown]"), slider = viewer.querySelector(".v-slice");
  const walk = async (slice) => {
    slider.value = slice;
    slider.dispatchEvent(new Event("input"));
    while (viewer.dataset.shown !== String(slice)) await new Promise(requestAnimationFrame);
  };
  const there = Array.from({ length: Number(slider.max) }, (_, at) => at + 1), times = [];
  for (const slice of there) await walk(slice);
  for (const slice of there.slice(0, -1).reverse()) {
    const start = performance.now();
    await walk(slice);
    times.push(performance.now() - start);
  }
  return times;
}"""


def draw_scans(folder: Path, pages: int, size: int) -> tuple[Path, Path]:
    """Write one slice and a volume of a phantom head, with three channels, as TIFF."""
    import numpy as np
    from PIL import Image

    from hf_mri.data.phantoms.lgg import draw_head

    slices, masks = draw_head(np.random.default_rng(3), size, pages)
    images = [Image.fromarray(page) for page in slices]
    images[0].save(folder / "volume.tif", save_all=True, append_images=images[1:])
    images[int(masks.sum(axis=(1, 2)).argmax())].save(folder / "slice.tif")
    return folder / "slice.tif", folder / "volume.tif"


def enlarge(volume: Path) -> Path:
    """Write a volume anew with slices of 512x512."""
    from PIL import Image, ImageSequence

    with Image.open(volume) as pages:
        first, *others = [page.resize((512, 512)) for page in ImageSequence.Iterator(pages)]
    first.save(volume.with_name("large.tif"), save_all=True, append_images=others)
    return volume.with_name("large.tif")


@contextmanager
def serve(command: list[str], port: int, **environment: str) -> Iterator[subprocess.Popen]:
    """Run a server on the loopback until it is no longer needed."""
    variables = os.environ | {"PYTHONPATH": str(ROOT), **environment}
    server = subprocess.Popen(
        [sys.executable, *command], env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(1500):
            if server.poll() is not None:
                raise OSError(f"{' '.join(command[:2])} ended with {server.returncode} before it answered")
            try:
                httpx.get(f"http://127.0.0.1:{port}/", timeout=5)
                break
            except httpx.HTTPError:
                time.sleep(0.2)
        yield server
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:  # visitors still hold their connections
            server.kill()
            server.wait()


def find_port() -> int:
    """A port that is free on the loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def visit_page(port: int) -> Send:
    """A visitor of the page's API, with a cookie: upload, question, answer."""
    http = httpx.Client(base_url=f"http://127.0.0.1:{port}/gradio_api", timeout=600)

    def send(path: Path) -> None:
        files = http.post("/upload", files=[("files", (path.name, path.read_bytes()))]).raise_for_status().json()
        body = {"files": [{"path": place, "meta": {"_type": "gradio.FileData"}} for place in files]}
        event = http.post("/call/v2/read", json=body).raise_for_status().json()["event_id"]
        told = http.get(f"/call/read/{event}").raise_for_status().text
        if "event: complete" not in told:
            raise ValueError(told[-300:])

    return send


def visit_handler(port: int) -> Send:
    """A client of the endpoint: the bytes of a scan, the full reading back."""
    http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=600)

    def send(path: Path) -> None:
        answer = http.post("/?outputs=reading", content=path.read_bytes()).raise_for_status().json()
        if "masks" not in answer:
            raise ValueError(str(answer)[:300])

    return send


def time_visitors(visits: list[Send], path: Path, requests: int) -> dict:
    """Let visitors send one slice after another, all at the same time."""

    def visit(send: Send) -> list[float | str]:
        waits: list[float | str] = []
        for _ in range(requests):
            start = time.perf_counter()
            try:
                send(path)
                waits.append(time.perf_counter() - start)
            except LOST as error:
                waits.append(f"{type(error).__name__}: {str(error)[:200]}")
        return waits

    start = time.perf_counter()
    with ThreadPoolExecutor(len(visits)) as pool:
        waits = [wait for found in pool.map(visit, visits) for wait in found]
    seconds = time.perf_counter() - start
    answered = sorted(wait for wait in waits if isinstance(wait, float))
    lost = [wait for wait in waits if isinstance(wait, str)]
    if lost:
        print(f"lost: {lost[0]}", file=sys.stderr)
    return {
        "lost": len(lost),
        "median_s": round(statistics.median(answered), 3) if answered else None,
        "p95_s": round(answered[int(0.95 * (len(answered) - 1))], 3) if answered else None,
        "slices_per_s": round(len(answered) / seconds, 2),
    }


def time_crowd(server: subprocess.Popen, visits: list[Send], path: Path, rounds: int) -> dict:
    """Let every visitor send a volume: one after another, and all at once."""
    import psutil

    process = psutil.Process(server.pid)

    lost = []

    def visit(send: Send) -> None:
        try:
            send(path)
        except LOST as error:
            lost.append(error)

    def apart() -> None:
        for send in visits:
            visit(send)

    def together() -> None:
        with ThreadPoolExecutor(len(visits)) as pool:
            list(pool.map(visit, visits))

    seconds: dict[str, list[float]] = {"apart": [], "together": []}
    cpu: dict[str, list[float]] = {"apart": [], "together": []}
    ways = {"apart": apart, "together": together}
    visits[0](path)
    for number in range(rounds):
        for name in list(ways) if number % 2 == 0 else list(reversed(ways)):
            start, used = time.perf_counter(), sum(process.cpu_times()[:2])
            ways[name]()
            seconds[name].append(time.perf_counter() - start)
            cpu[name].append(sum(process.cpu_times()[:2]) - used)
    return {
        "visitors": len(visits),
        "lost": len(lost),
        "one_after_another_s": describe(seconds["apart"]),
        "at_once_s": describe(seconds["together"]),
        "cpu_s": {"one_after_another": describe(cpu["apart"]), "at_once": describe(cpu["together"])},
        "times_as_fast_at_once": compare(seconds["apart"], seconds["together"]),
    }


def time_browser(port: int, paths: tuple[Path, Path], drops: int) -> dict | None:
    """Seconds from the drop to the picture in a browser, one visitor alone."""
    chromium = shutil.which("chromium")
    if chromium is None or not drops:
        return None
    from playwright.sync_api import sync_playwright

    found = {}
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page()
        tab.goto(f"http://127.0.0.1:{port}")
        tab.wait_for_selector("input[type=file]", state="attached")
        for name, path in zip(("slice", "volume"), paths, strict=True):
            seconds = []
            for _ in range(drops + 1):
                start = time.perf_counter()
                tab.set_input_files("input[type=file]", str(path))
                tab.wait_for_selector(".viewer[data-shown]")
                seconds.append(time.perf_counter() - start)
                tab.get_by_label("Clear").first.click()
                tab.wait_for_selector('.viewer[data-state="empty"]')
            found[name] = describe(seconds[1:])
        tab.set_input_files("input[type=file]", str(enlarge(paths[1])))
        tab.wait_for_selector(".viewer[data-shown]")
        found["step_at_512"] = describe([step / 1000 for step in tab.evaluate(STEPS)])
        browser.close()
    return found


def measure(options: argparse.Namespace, scratch: Path) -> dict:
    """The page, then the handler."""
    settings = options.settings
    paths = draw_scans(scratch, settings["pages"], settings["size"])
    model = find_model(options.model, options.form == "short", scratch, settings["size"])
    figures = {}
    page, handler = find_port(), find_port()
    variables = {"GRADIO_SERVER_PORT": str(page), "GRADIO_TEMP_DIR": str(scratch / "up"), "HF_MRI_MODEL": str(model)}
    doors = {
        "page": (["-m", "hf_mri", "page"], page, visit_page, variables),
        "handler": (
            [str(model / "serve_endpoint.py"), "--host", "127.0.0.1", "--port", str(handler)],
            handler,
            visit_handler,
            {},
        ),
    }
    for name, (command, port, make_visit, environment) in doors.items():
        with serve(command, port, **environment) as server:
            visits = [make_visit(port) for _ in range(max(*settings["visitors"], settings["crowd"]))]
            visits[0](paths[0])
            figures[name] = {
                "slices": {
                    str(count): time_visitors(visits[:count], paths[0], settings["requests"])
                    for count in settings["visitors"]
                },
                "volumes": time_crowd(server, visits[: settings["crowd"]], paths[1], settings["rounds"]),
            }
            if name == "page":
                figures["browser"] = time_browser(port, paths, settings["drops"])
    return figures


def main() -> None:
    """Measure, write JSON and plot."""

    def extend(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--model", help="bundle; by default the project's own")

    found = run_benchmark("serving", __doc__, FORMS, measure, extend)
    if found is None:
        return
    path, figures = found
    from plots import draw_bars

    values = {
        f"{door}, {count} visitors": {"median": found["slices_per_s"]}
        for door in ("page", "handler")
        for count, found in figures[door]["slices"].items()
    }
    draw_bars(path, "Single slices", "slices a second (more is better)", values)


if __name__ == "__main__":
    main()
