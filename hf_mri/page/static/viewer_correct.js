
// Brush and eraser on the label maps, undone stroke by stroke; the page then takes the outlines as those that count.
const MOST_STEPS = 50;
const hand = (name) => find(`[data-hand="${name}"]`);
const corrected = new Map(); // slice -> its label bits, where a hand changed them
let steps = []; // { index, before } of each stroke, the last at the end
let stroke = null; // { figure, bits, last } while the pointer is down
let used = false; // the page was told, its answer brings the outlines back

function nameLabels() {
  hand("label").replaceChildren(...props.value.labels.map(({ name }, number) => new Option(name, number)));
  find(".v-which").hidden = props.value.labels.length < 2;
}

function forgetCorrections() {
  corrected.clear();
  steps = [];
  used = false;
  sayCorrections();
}

function sayCorrections() {
  hand("undo").disabled = !steps.length;
  hand("use").disabled = !corrected.size || used;
  find(".v-changed").textContent = corrected.size ? say(corrected.size > 1 ? "changed.many" : "changed.one", { count: corrected.size }) : "";
}

function pickTool(tool) {
  for (const name of ["brush", "eraser"]) hand(name).setAttribute("aria-pressed", name === tool);
}

function startStroke(event) {
  const figure = event.target.closest("figure");
  if (!figure?.dataset.index || used) return;
  const index = Number(figure.dataset.index);
  const bits = figure.bits?.slice() ?? new Uint8Array(props.value.width * props.value.height);
  steps = [...steps.slice(1 - MOST_STEPS), { index, before: corrected.get(index) }];
  corrected.set(index, bits);
  figure.bits = bits;
  stroke = { figure, bits, last: null };
  paintTo(event);
  sayCorrections();
}

function paintTo({ clientX, clientY }) {
  if (!stroke) return;
  const { width, height } = props.value;
  const box = stroke.figure.querySelector(".v-box").getBoundingClientRect();
  const at = [((clientX - box.left) / box.width) * width, ((clientY - box.top) / box.height) * height];
  const from = stroke.last ?? at;
  const count = Math.max(1, Math.ceil(Math.hypot(at[0] - from[0], at[1] - from[1])));
  for (let step = 1; step <= count; step++) stamp(...at.map((to, axis) => from[axis] + ((to - from[axis]) * step) / count));
  stroke.last = at;
  drawOverlay(stroke.figure.querySelector(".v-overlay"), stroke.bits);
}

// A disc, round on the screen: pixels may be longer than they are wide. Labels that exclude each other give way.
function stamp(x, y) {
  const { width, height, ratio, overlapping } = props.value;
  const radius = Number(hand("size").value) / 2;
  const tall = width / height / ratio; // of a pixel one wide
  const bit = 1 << Number(hand("label").value);
  const erase = hand("eraser").getAttribute("aria-pressed") === "true";
  for (let row = Math.max(0, Math.floor(y - radius / tall)); row < Math.min(height, y + radius / tall); row++) {
    for (let column = Math.max(0, Math.floor(x - radius)); column < Math.min(width, x + radius); column++) {
      const near = Math.hypot(column + 0.5 - x, (row + 0.5 - y) * tall) <= Math.max(radius, 0.71);
      if (!near) continue;
      const place = row * width + column;
      const others = overlapping ? stroke.bits[place] & ~bit : 0;
      stroke.bits[place] = erase ? others : others | bit;
    }
  }
}

function undo() {
  const step = used ? null : steps.pop();
  if (!step) return;
  if (step.before) corrected.set(step.index, step.before);
  else corrected.delete(step.index);
  sayCorrections();
  draw();
}

async function useCorrections() {
  used = true;
  sayCorrections();
  const { width, height, scan } = props.value;
  const slices = [...corrected.keys()];
  const all = new Uint8Array(slices.length * width * height);
  slices.forEach((index, at) => all.set(corrected.get(index), at * width * height));
  const zipped = new Response(new Blob([all]).stream().pipeThrough(new CompressionStream("gzip")));
  let text = "";
  for (const byte of new Uint8Array(await zipped.arrayBuffer())) text += String.fromCharCode(byte);
  trigger("submit", { scan, slices, bits: btoa(text) });
  setTimeout(() => used && ((used = false), sayCorrections()), 15_000); // no answer: they can be sent again
}

find(".v-edit").addEventListener("click", ({ target }) => {
  const name = target.dataset.hand;
  if (name === "brush" || name === "eraser") pickTool(name);
  if (name === "undo") undo();
  if (name === "use") useCorrections();
});
for (const type of ["pointerup", "pointercancel"]) stage.addEventListener(type, () => (stroke = null));
