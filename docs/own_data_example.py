"""Draw a small data set of one's own, in the three usual layouts, and the picture of docs/own-data.md.

    python docs/own_data_example.py out/own

Bright discs in spotted ovals: no patient, and nothing of the package's own phantoms.
"""

import csv
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

PATIENTS, SLICES, SIZE = 12, 10, 96
PICTURE = Path(__file__).resolve().parent / "images" / "own-data.png"


def draw_patient(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw one patient: slices (S, H, W) of 8 bits and masks of 0 and 255; some of the slices show a disc."""
    random = np.random.default_rng(number)
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE - 0.5
    tall, wide = random.uniform(0.36, 0.46, 2)
    oval = (y / tall) ** 2 + (x / wide) ** 2 < 1
    center, radius = random.uniform(-0.15, 0.15, 2), random.uniform(0.06, 0.12)
    images, masks = [], []
    for index in range(SLICES):
        reach = radius**2 - (0.05 * (index - SLICES / 2)) ** 2  # a ball, cut at this height
        disc = (y - center[0]) ** 2 + (x - center[1]) ** 2 < reach
        gray = 30 + (70 + 25 * draw_texture(random)) * oval + 70 * disc + random.normal(0, 6, oval.shape)
        images.append(gray.clip(0, 255).astype(np.uint8))
        masks.append(disc * np.uint8(255))
    return np.stack(images), np.stack(masks)


def draw_texture(random: np.random.Generator) -> np.ndarray:
    """Draw soft spots (H, W) around 0: slices that look alike are taken for copies of one picture, and refused."""
    coarse = Image.fromarray(random.normal(0, 1, (7, 7)).astype(np.float32))
    return np.asarray(coarse.resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def save(path: Path, page: np.ndarray) -> Path:
    """Write one PNG, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(page).save(path)
    return path


def write_flat(folder: Path, patients: int = PATIENTS) -> None:
    """One folder: P7_012.png and P7_012_mask.png."""
    for number in range(1, patients + 1):
        for index, (image, mask) in enumerate(zip(*draw_patient(number), strict=True), 1):
            save(folder / f"P{number}_{index:03}.png", image)
            save(folder / f"P{number}_{index:03}_mask.png", mask)


def write_two_folders(folder: Path, patients: int = PATIENTS) -> None:
    """Two folders alike: images/P7/012.png and masks/P7/012.png."""
    for number in range(1, patients + 1):
        for index, (image, mask) in enumerate(zip(*draw_patient(number), strict=True), 1):
            save(folder / "images" / f"P{number}" / f"{index:03}.png", image)
            save(folder / "masks" / f"P{number}" / f"{index:03}.png", mask)


def write_table(folder: Path, patients: int = PATIENTS) -> None:
    """Any names, and a metadata.csv that says what belongs together; here with the site and the age besides."""
    rows = []
    for number in range(1, patients + 1):
        for index, (image, mask) in enumerate(zip(*draw_patient(number), strict=True), 1):
            name = f"{number * 1000 + index:06x}"
            save(folder / "all" / f"{name}.png", image)
            save(folder / "drawn" / f"by-hand-{name}.png", mask)
            files = {"file_name": f"all/{name}.png", "mask_file_name": f"drawn/by-hand-{name}.png"}
            rows.append(
                files | {"patient": f"P{number}", "site": "AB"[number % 2], "slice": index, "age": 40 + number}
            )
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)


LAYOUTS = {"flat": write_flat, "two-folders": write_two_folders, "table": write_table}


def draw_picture(path: Path = PICTURE) -> Path:
    """Draw image, mask and both in one, of three slices: what a pair of files must look like."""
    images, masks = draw_patient(7)
    tile = 160
    sheet = Image.new("RGB", (3 * tile, 3 * tile + 18), "white")
    draw = ImageDraw.Draw(sheet)
    for column, (index, name) in enumerate(((1, "P7_002"), (4, "P7_005"), (6, "P7_007"))):
        edge = masks[index] > 0
        inner = edge & np.roll(edge, 1, 0) & np.roll(edge, -1, 0) & np.roll(edge, 1, 1) & np.roll(edge, -1, 1)
        both = np.stack([images[index]] * 3, axis=-1)
        both[edge & ~inner] = (255, 90, 95)
        for row, page in enumerate((images[index], masks[index], both)):
            tile_picture = Image.fromarray(page).resize((tile, tile), Image.Resampling.NEAREST).convert("RGB")
            sheet.paste(tile_picture, (column * tile, 18 + row * tile))
        draw.text((column * tile + 4, 3), f"{name}.png, {name}_mask.png", fill="black")
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, optimize=True)
    return path


if __name__ == "__main__":
    for name, write in LAYOUTS.items():
        write(Path(sys.argv[1]) / name)
    draw_picture()
