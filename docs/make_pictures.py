"""Take the pictures of README and docs, of the page and of the demo: phantoms only, never a patient.

    python docs/make_pictures.py [--model BUNDLE,…]

Needs Chromium. Writes docs/images/page-light.png, page-dark.png, page-phone.png and demo-truth.png.
"""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from hf_mri.commands.demo import run_demo

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
SHOTS = {  # name: width, height, color scheme
    "page-light": (1360, 1000, "light"),
    "page-dark": (1360, 1000, "dark"),
    "page-phone": (390, 1200, "light"),
}


def take_picture(browser: Browser, address: str, name: str, example: str) -> Path:
    """Open the page as a visitor would, click an example, wait for the picture and keep it."""
    width, height, scheme = SHOTS[name]
    tab = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    tab.goto(address)
    tab.locator(f"[id$='-{example}']").first.click()
    tab.wait_for_selector(".viewer[data-shown]")
    tab.wait_for_timeout(500)  # fonts and the last animation
    path = IMAGES / f"{name}.png"
    tab.screenshot(path=path)
    tab.close()
    return path


def keep_demo(model: str | None) -> Path:
    """Run the demo and keep its picture of answer and truth, in few colors."""
    with tempfile.TemporaryDirectory() as folder:
        picture = Image.open(run_demo(Path(folder), model).picture)
        path = IMAGES / "demo-truth.png"
        picture.quantize(96).save(path, optimize=True)
    return path


def wait_for(address: str, page: subprocess.Popen) -> None:
    """Return when the page answers."""
    while page.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.3)
    raise OSError("the page did not start; try `hf-mri page`")


def main() -> None:
    """Serve the page, take the pictures, stop it."""
    parser = argparse.ArgumentParser(description="Take the README's pictures of the page.")
    parser.add_argument("--model", help="bundles, separated by commas; by default those in model_cards/")
    parser.add_argument("--example", default="tumor-volume", help="the example to click")
    arguments = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        parser.error("needs Chromium: apt-get install chromium")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {"GRADIO_SERVER_PORT": str(port)} | ({"HF_MRI_MODEL": arguments.model} if arguments.model else {})
    page = subprocess.Popen([sys.executable, "-m", "hf_mri", "page"], env=os.environ | variables)
    IMAGES.mkdir(exist_ok=True)
    print(keep_demo(arguments.model and arguments.model.split(",")[0]))
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(address, page)
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            for name in SHOTS:
                print(take_picture(browser, address, name, arguments.example))
            browser.close()
    finally:
        page.terminate()
        page.wait(20)


if __name__ == "__main__":
    main()
