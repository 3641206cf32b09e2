"""How fast the page answers, on this machine through the loopback; prints JSON.

    python benchmarks/page_load.py [--model BUNDLE] [--visitors 16] [--repeats 5]

Measured: one slice and a volume of 40 slices from upload to answer, by the API and (where Chromium is) from the drop
to the picture in a browser; then many visitors at once, each with one slice after another. Scans are phantoms.
"""

import argparse
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]


def draw_scans(folder: Path) -> tuple[Path, Path]:
    """Write one slice and a volume of 40 slices of a phantom head, 256x256 with three channels, as TIFF."""
    from hf_mri.data.phantoms.lgg import draw_head

    slices, masks = draw_head(np.random.default_rng(3), 256)
    pages = [Image.fromarray(slices[index]) for index in np.linspace(0, len(slices) - 1, 40).round().astype(int)]
    pages[0].save(folder / "volume.tif", save_all=True, append_images=pages[1:])
    Image.fromarray(slices[int(masks.sum(axis=(1, 2)).argmax())]).save(folder / "slice.tif")
    return folder / "slice.tif", folder / "volume.tif"


@contextmanager
def serve(model: str, folder: Path) -> Iterator[str]:
    """Run the page as a Space does; give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {"GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": str(folder / "uploads"), "HF_MRI_MODEL": model}
    page = subprocess.Popen(
        [sys.executable, "-m", "hf_mri", "page"],
        env=os.environ | variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(900):
            if page.poll() is not None:
                raise OSError(f"the page did not start with {model}; try `hf-mri page`")
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        page.terminate()
        page.wait(20)


def repeat(work: Callable[[], None], repeats: int, restore: Callable[[], None] = lambda: None) -> dict:
    """Time the work several times, after one warm-up; `restore` is not timed."""
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
        restore()
    del seconds[0]
    return {"median_s": round(statistics.median(seconds), 3), "all_s": [round(value, 3) for value in seconds]}


def time_api(address: str, paths: tuple[Path, Path], repeats: int) -> dict:
    """Time `/read` from the upload to the answer, one visitor alone."""
    from gradio_client import Client, handle_file

    client = Client(address, verbose=False)

    def read(path: Path) -> None:
        client.predict(files=[handle_file(str(path))], api_name="/read")

    slice_path, volume_path = paths
    return {
        "slice": repeat(lambda: read(slice_path), repeats),
        "volume_of_40": repeat(lambda: read(volume_path), repeats),
    }


def time_browser(address: str, paths: tuple[Path, Path], repeats: int) -> dict | None:
    """Time from the drop to the picture in a browser, one visitor alone."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page()
        tab.goto(address)
        tab.wait_for_selector("input[type=file]", state="attached")

        def drop(path: Path) -> None:
            tab.set_input_files("input[type=file]", str(path))
            tab.wait_for_selector(".viewer[data-shown]")

        def clear() -> None:
            tab.get_by_label("Clear").first.click()
            tab.wait_for_selector('.viewer[data-state="empty"]')

        slice_path, volume_path = paths
        times = {
            "slice": repeat(lambda: drop(slice_path), repeats, clear),
            "volume_of_40": repeat(lambda: drop(volume_path), repeats, clear),
        }
        browser.close()
    return times


def time_crowd(address: str, path: Path, visitors: int, slices: int) -> dict:
    """Let many visitors send single slices at the same time; every wait counts."""
    from gradio_client import Client, handle_file

    clients = [Client(address, verbose=False) for _ in range(visitors)]

    def visit(client: Client) -> list[float]:
        waits = []
        for _ in range(slices):
            start = time.perf_counter()
            client.predict(files=[handle_file(str(path))], api_name="/read")
            waits.append(time.perf_counter() - start)
        return waits

    start = time.perf_counter()
    with ThreadPoolExecutor(visitors) as pool:
        outcomes = [pool.submit(visit, client) for client in clients]
    wall = time.perf_counter() - start
    failed = sum(outcome.exception() is not None for outcome in outcomes)
    waits = [wait for outcome in outcomes if outcome.exception() is None for wait in outcome.result()]
    return {
        "visitors": visitors,
        "slices_each": slices,
        "failed_visitors": failed,
        "median_s": round(float(np.median(waits)), 3),
        "p95_s": round(float(np.percentile(waits, 95)), 3),
        "slices_per_s": round(len(waits) / wall, 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="How fast the page answers, as JSON.")
    parser.add_argument("--model", default=str(ROOT / "model_cards" / "lgg-two-stage"), help="bundle or Hub id")
    parser.add_argument("--visitors", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        paths = draw_scans(Path(name))
        with serve(arguments.model, Path(name)) as address:
            result = {
                "model": Path(arguments.model).name,
                "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
                "load_before": [round(value, 2) for value in os.getloadavg()],
                "api": time_api(address, paths, arguments.repeats),
                "crowd": time_crowd(address, paths[0], arguments.visitors, 4),
                "browser": time_browser(address, paths, arguments.repeats),
            }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
