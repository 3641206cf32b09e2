
// Mouse, touch and keys on the pictures: window, zoom, place, slices, and what lies under the pointer.
const LARGEST = 16; // times
const STROKE = 24; // pixels of a finger's way for a slice
const pointers = new Map();
let drag = null; // { kind, x, y }

// Letters at the edges, a bar of known length, and a line about the pointer.
function edges() {
  const letters = Object.entries(props.value.letters).map(([side, text]) =>
    Object.assign(document.createElement("b"), { className: `v-side v-${side}`, textContent: text }));
  const bar = Object.assign(document.createElement("span"), { className: "v-bar-mm" });
  const point = Object.assign(document.createElement("span"), { className: "v-point" });
  return [...letters, bar, point];
}

// The pictures' size and place on the stage: as large as fits, then as the visitor zoomed and moved them.
function place() {
  for (const figure of stage.querySelectorAll("figure")) {
    const { ratio, millimeters, size } = props.value;
    const tall = Math.min(figure.clientHeight, figure.clientWidth / ratio);
    const wide = tall * ratio;
    const [across, down] = [view.pan[0] * wide, view.pan[1] * tall];
    const box = figure.querySelector(".v-box");
    box.style.cssText = `width: ${wide}px; height: ${tall}px; transform: translate(-50%, -50%) translate(${across}px, ${down}px) scale(${view.zoom})`;
    const split = ((view.split / 100 - 0.5) * figure.clientWidth - across) / view.zoom + wide / 2;
    box.style.setProperty("--clip", `${split}px`);
    const bar = figure.querySelector(".v-bar-mm");
    bar.hidden = !millimeters || !wide;
    if (bar.hidden) continue;
    const pixel = (wide * view.zoom) / (size[1] * millimeters[1]); // screen pixels of a millimeter
    const length = [200, 100, 50, 20, 10, 5, 2, 1].find((mm) => mm * pixel < figure.clientWidth / 3) ?? 1;
    bar.style.width = `${length * pixel}px`;
    bar.textContent = length < 10 ? `${length} mm` : `${length / 10} cm`;
  }
  stage.toggleAttribute("data-zoomed", view.zoom > 1);
}

function zoomAt(factor, { clientX, clientY } = {}, figure = null) {
  const under = figure ?? document.elementsFromPoint(clientX ?? 0, clientY ?? 0).map((part) => part.closest("figure")).find(Boolean);
  const zoom = Math.max(1, Math.min(LARGEST, view.zoom * factor));
  if (under && clientX !== undefined) {
    const box = under.querySelector(".v-box").getBoundingClientRect();
    const at = [(clientX - box.left) / box.width - 0.5, (clientY - box.top) / box.height - 0.5];
    view.pan = view.pan.map((pan, axis) => pan + at[axis] * (view.zoom - zoom));
  } else view.pan = view.pan.map((pan) => (pan * zoom) / view.zoom);
  view.zoom = zoom;
  move(0, 0);
}

function move(across, down) {
  const box = find(".v-box");
  if (!box) return;
  const most = (view.zoom - 1) / 2;
  const by = [across / box.offsetWidth || 0, down / box.offsetHeight || 0];
  view.pan = view.pan.map((pan, axis) => Math.max(-most, Math.min(most, pan + by[axis])));
  place();
}

function reset() {
  Object.assign(view, atFirst());
  find('[data-tool="preset"]').value = "first";
  setWindow(0, 1);
  place();
}

function showPoint(event) {
  for (const figure of stage.querySelectorAll("figure")) {
    const box = figure.querySelector(".v-box").getBoundingClientRect();
    const [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    const inside = event.target.closest("figure") === figure && x >= 0 && x < 1 && y >= 0 && y < 1;
    figure.querySelector(".v-point").textContent = inside && figure.dataset.index ? sayPoint(Number(figure.dataset.index), x, y) : "";
  }
}

const kindOf = (event) => {
  if (modeOf() === "correct" && event.button === 0 && !event.shiftKey) return "paint";
  if (ruler.value && event.button === 0 && !event.shiftKey) return "measure";
  if (event.pointerType === "touch") return view.zoom > 1 ? "move" : "walk";
  if (event.button === 1 || event.shiftKey) return "move";
  return event.button === 2 || !event.target.matches(".v-divider") ? "window" : null;
};

stage.addEventListener("pointerdown", (event) => {
  if (!props.value || modeOf() === "planes") return;
  pointers.set(event.pointerId, event);
  if (event.pointerType === "touch" && event.target.matches(".v-divider") && pointers.size < 2 && view.zoom === 1) return;
  const kind = kindOf(event);
  if (!kind) return;
  askForValues();
  if (event.button === 1) event.preventDefault();
  drag = { kind, x: event.clientX, y: event.clientY };
  stage.setPointerCapture(event.pointerId);
  if (kind === "paint") startStroke(event);
  if (kind === "measure") startMeasure(event);
});

stage.addEventListener("pointermove", (event) => {
  if (!props.value || modeOf() === "planes") return;
  const before = pointers.get(event.pointerId);
  if (before) pointers.set(event.pointerId, event);
  if (before && pointers.size === 2) return pinch(before, event);
  if (!drag || !before) return event.pointerType !== "touch" && (askForValues(), showPoint(event));
  const [across, down] = [event.clientX - drag.x, event.clientY - drag.y];
  if (drag.kind === "walk") {
    if (Math.abs(across) < STROKE) return;
    go(view.slice - Math.sign(across));
  } else if (drag.kind === "paint") paintTo(event);
  else if (drag.kind === "measure") measureTo(event);
  else drag.kind === "move" ? move(across, down) : dragWindow(across, down);
  Object.assign(drag, { x: event.clientX, y: event.clientY });
});

// Two fingers: their distance is the zoom, their middle the place.
function pinch(before, after) {
  const other = [...pointers.values()].find(({ pointerId }) => pointerId !== after.pointerId);
  const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
  move((after.clientX - before.clientX) / 2, (after.clientY - before.clientY) / 2);
  const middle = { clientX: (after.clientX + other.clientX) / 2, clientY: (after.clientY + other.clientY) / 2 };
  zoomAt(apart(after) / Math.max(1, apart(before)), middle);
}

for (const type of ["pointerup", "pointercancel", "lostpointercapture"]) {
  stage.addEventListener(type, ({ pointerId }) => {
    pointers.delete(pointerId);
    drag = null;
  });
}
stage.addEventListener("pointerleave", showPoint);
stage.addEventListener("contextmenu", (event) => props.value && event.preventDefault());
stage.addEventListener("dblclick", () => props.value && modeOf() !== "planes" && reset());
new ResizeObserver(() => props.value && place()).observe(stage);

function toggleFull() {
  if (document.fullscreenElement) return document.exitFullscreen();
  if (document.fullscreenEnabled) return root.requestFullscreen();
  root.toggleAttribute("data-full"); // a frame or a phone that gives no screen: the whole window
}
document.addEventListener("fullscreenchange", () => root.toggleAttribute("data-full", document.fullscreenElement === root));

const DEEDS = {
  smaller: () => zoomAt(1 / 1.5),
  larger: () => zoomAt(1.5),
  reset,
  full: toggleFull,
  play: () => togglePlay(),
};
root.addEventListener("click", ({ target }) => props.value && DEEDS[target.dataset.do]?.());

const KEYS = {
  ArrowLeft: () => go(view.slice - 1),
  ArrowRight: () => go(view.slice + 1),
  Home: () => go(0),
  End: () => go(length() - 1),
  "+": DEEDS.larger,
  "-": DEEDS.smaller,
  0: reset,
  "[": () => dragWindow(-50, 0),
  "]": () => dragWindow(50, 0),
  ",": () => dragWindow(0, 25),
  ".": () => dragWindow(0, -25),
  m: () => go(mostSuspicious()),
  f: toggleFull,
  Escape: () => root.removeAttribute("data-full"),
  " ": () => modeOf() === "cine" && togglePlay(),
  b: () => pickTool("brush"),
  e: () => pickTool("eraser"),
  z: undo,
};
root.addEventListener("keydown", (event) => {
  if (!props.value || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  if (event.target.matches("select, button, summary, input:not(.v-slice)") && event.target !== stage) return;
  if (event.target === slider && (event.key.length > 1 || event.key === " ")) return; // its own keys
  event.preventDefault();
  KEYS[event.key]();
});
