
// A length or an ellipse, drawn on the picture that is shown and told in millimeters and stored values.
const ruler = find('[data-tool="measure"]');
let measured = null; // { figure, index, from, to }: places in parts of the picture

function placeIn(figure, { clientX, clientY }) {
  const box = figure.querySelector(".v-box").getBoundingClientRect();
  return [(clientX - box.left) / box.width, (clientY - box.top) / box.height];
}

function startMeasure(event) {
  const figure = event.target.closest("figure");
  if (!figure?.dataset.index) return;
  const at = placeIn(figure, event);
  measured = { figure, index: figure.dataset.index, from: at, to: at };
}

function measureTo(event) {
  if (!measured) return;
  measured.to = placeIn(measured.figure, event);
  showMeasure();
}

// Another slice, another layout: what was measured is not there any more.
function showMeasure() {
  stage.querySelectorAll(".v-measure").forEach((old) => old.remove());
  if (measured && (!measured.figure.isConnected || measured.figure.dataset.index !== measured.index)) measured = null;
  find(".v-measured").textContent = measured ? sayMeasure() : "";
  if (!measured) return;
  const [[x0, y0], [x1, y1]] = [measured.from, measured.to].map((place) => place.map((part) => 100 * part));
  const shape = ruler.value === "ellipse"
    ? `<ellipse cx="${(x0 + x1) / 2}" cy="${(y0 + y1) / 2}" rx="${Math.abs(x1 - x0) / 2}" ry="${Math.abs(y1 - y0) / 2}"/>`
    : `<line x1="${x0}" y1="${y0}" x2="${x1}" y2="${y1}"/>`;
  measured.figure.querySelector(".v-box").insertAdjacentHTML(
    "beforeend", `<svg class="v-measure" viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">${shape}</svg>`);
}

function sayMeasure() {
  const { size: [height, width], millimeters } = props.value;
  const [row, column] = millimeters ?? [1, 1];
  const [across, down] = [0, 1].map((axis) => Math.abs(measured.to[axis] - measured.from[axis]) * [width * column, height * row][axis]);
  const unit = millimeters ? "mm" : say("pixels");
  if (ruler.value === "line") return `${decimal(Math.hypot(across, down).toFixed(1))} ${unit}`;
  const size = `${((Math.PI / 4) * across * down).toFixed(0)} ${millimeters ? "mm²" : unit}`;
  const plane = valuesOf(Number(measured.index), channelShown());
  const inside = plane ? valuesInside(plane) : [];
  if (!inside.length) return size;
  const mean = inside.reduce((sum, value) => sum + value, 0) / inside.length;
  const spread = Math.sqrt(inside.reduce((sum, value) => sum + (value - mean) ** 2, 0) / inside.length);
  const [least, most] = inside.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
  const told = [mean, spread, least, most].map((value) => decimal(value.toPrecision(4)));
  return `${size} · ${say("inside", { mean: told[0], spread: told[1], least: told[2], most: told[3] })}`;
}

// The values of the pixels whose middle lies in the ellipse.
function valuesInside({ width, height, values }) {
  const [from, to] = [measured.from, measured.to].map(([x, y]) => [x * width, y * height]);
  const middle = from.map((start, axis) => (start + to[axis]) / 2);
  const radius = from.map((start, axis) => Math.abs(start - to[axis]) / 2);
  const found = [];
  for (let row = Math.max(0, Math.floor(middle[1] - radius[1])); row < Math.min(height, middle[1] + radius[1]); row++) {
    for (let column = Math.max(0, Math.floor(middle[0] - radius[0])); column < Math.min(width, middle[0] + radius[0]); column++) {
      const away = Math.hypot((column + 0.5 - middle[0]) / radius[0], (row + 0.5 - middle[1]) / radius[1]);
      if (away <= 1) found.push(values[row * width + column]);
    }
  }
  return found;
}

ruler.addEventListener("input", () => {
  measured = null;
  stage.toggleAttribute("data-measuring", ruler.value !== "");
  showMeasure();
});
