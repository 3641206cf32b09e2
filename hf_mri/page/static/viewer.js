// The viewer: slices and label maps arrive once, everything that a person does afterwards happens in the browser.
// `value` holds the pictures of a scan, `reading` what is known about its slices; a threshold replaces only the latter.
const root = element.querySelector(".viewer");
const find = (selector) => root.querySelector(selector);
const stage = find(".v-stage");
const slider = find(".v-slice");
const strip = find(".v-strip");
const pictures = new Map(); // data address -> decoded Image, so that scrolling back costs nothing
const SCALE = 4; // overlay pixels for one mask pixel: outlines stay sharp when the picture is enlarged

// Side by side needs room; a phone and an upright tablet show one picture.
const atFirst = () => ({ window: [0, 1], zoom: 1, pan: [0, 0] });
const view = { slice: 0, phase: 0, mode: matchMedia("(max-width: 1000px)").matches ? "overlay" : "beside", split: 50, hidden: new Set(), ...atFirst() };
let opened = null; // the scan that is shown
let travelled = 0; // pixels that the wheel was turned since the last step
const NOTCH = 40; // a mouse's notch is a step, and so is a trackpad's stroke of this length

const option = (name) => find(`[data-part="${name}"]`);
const groups = () => props.value.groups;
const length = () => Math.max(...groups().map((group) => group.slices.length));

function decode(address) {
  if (!pictures.has(address)) {
    const image = new Image();
    image.src = address;
    pictures.set(address, image.decode().then(() => image));
  }
  return pictures.get(address);
}

const held = (name) => (props[name]?.scan === props.value?.scan ? props[name] : null); // of this scan, or nothing
const picture = (index) => props.value.images[index] ?? held("frames")?.images[index];
const isBeat = () => props.value.phases > 1;
const modeOf = () => (modes().includes(view.mode) ? view.mode : modes()[0]);
const modes = () => [
  ...(isBeat() ? ["beside", "cine"] : groups().length > 1 ? ["beside"] : ["beside", "swipe", "overlay"]),
  ...(canShowPlanes() ? ["planes"] : []),
  ...(props.value.labels.length ? ["correct"] : []),
];

function canvas(width, height, className) {
  const made = document.createElement("canvas");
  Object.assign(made, { width, height, className });
  return made;
}

// One pane a group of slices: ED and ES of a heart lie side by side; else the plain picture beside its overlay.
function panes() {
  if (modeOf() === "planes") return [];
  if (modeOf() === "cine") {
    const slices = Array.from({ length: props.value.count }, (_, at) => view.phase * props.value.count + at);
    return [{ title: sayTime(), group: { slices }, overlay: true }];
  }
  if (groups().length > 1) return groups().map((group) => ({ title: group.name, group, overlay: true }));
  const [group] = groups();
  if (modeOf() === "beside") return [{ title: say("image"), group, overlay: false }, { title: say("reading"), group, overlay: true }];
  return [{ title: "", group, overlay: true }];
}

function buildStage() {
  const { width, height, ratio } = props.value;
  const mode = modeOf();
  stage.dataset.mode = mode;
  stage.style.setProperty("--ratio", ratio);
  stage.replaceChildren(
    find(".v-empty"),
    ...panes().map(({ title, overlay }) => {
      const figure = document.createElement("figure");
      const box = Object.assign(document.createElement("div"), { className: "v-box" });
      const base = canvas(width, height, "v-image");
      base.setAttribute("role", "img");
      box.append(base);
      if (overlay) box.append(canvas(width * SCALE, height * SCALE, "v-overlay"));
      figure.append(box, ...edges());
      if (overlay && mode === "swipe") figure.append(divider());
      const caption = document.createElement("figcaption");
      caption.textContent = title;
      figure.append(caption);
      return figure;
    }),
  );
  for (const button of root.querySelectorAll("[data-mode]:is(button)")) {
    button.setAttribute("aria-pressed", button.dataset.mode === mode);
    button.hidden = !modes().includes(button.dataset.mode);
    if (button.dataset.mode === "beside") button.textContent = isBeat() ? groups().map(({ name }) => name).join(", ") : say("beside");
  }
  find(".v-modes").hidden = modes().length < 2;
  find(".v-cine").hidden = mode !== "cine";
  find(".v-edit").hidden = mode !== "correct";
  if (mode === "cine") openCine();
  else stop();
  if (mode === "planes") openPlanes();
  place();
  draw();
}

function divider() {
  const input = document.createElement("input");
  Object.assign(input, { type: "range", min: 0, max: 100, value: view.split, className: "v-divider" });
  input.setAttribute("aria-label", say("divider"));
  const move = () => {
    view.split = input.value;
    stage.style.setProperty("--split", `${view.split}%`);
    place();
  };
  input.addEventListener("input", move);
  move();
  return input;
}

async function draw() {
  if (!props.value) return;
  const wanted = view.slice;
  const phase = view.phase;
  const shown = panes();
  const figures = [...stage.querySelectorAll("figure")];
  if (!shown.every(({ group }) => picture(group.slices[Math.min(wanted, group.slices.length - 1)]))) return; // still to come
  const decoded = await Promise.all(
    shown.map(async ({ group }) => {
      const index = group.slices[Math.min(wanted, group.slices.length - 1)];
      return { index, image: await decode(picture(index)), bits: await bitsOf(index), wash: await washOf(index) };
    }),
  );
  if (wanted !== view.slice || phase !== view.phase || shown.length !== figures.length) return; // a later call draws
  decoded.forEach(({ index, image, bits, wash }, at) => {
    const base = figures[at].querySelector(".v-image");
    drawImage(base, index, image);
    figures[at].dataset.index = index;
    base.setAttribute("aria-label", say("picture_told", { title: shown[at].title, number: wanted + 1, what: describe(index) }).trim());
    const overlay = figures[at].querySelector(".v-overlay");
    figures[at].bits = bits;
    if (overlay) drawOverlay(overlay, bits, wash);
  });
  showMeasure();
  root.dataset.shown = wanted + 1;
}

// The channels of a slice lie below each other in one gray picture, in their usual windows.
function drawImage(target, index, image) {
  const { width, height, channels } = props.value;
  const context = target.getContext("2d");
  const chosen = channels.length ? Number(option("channel").value) : props.value.channel;
  const usual = view.window[0] === 0 && view.window[1] === 1;
  if (chosen < 3 && usual) return context.drawImage(image, 0, chosen * height, width, height, 0, 0, width, height);
  const planes = chosen < 3 ? [windowed(index, chosen, image)] : [0, 1, 2].map((channel) => windowed(index, channel, image));
  const [first] = planes;
  const colors = new ImageData(first.width, first.height);
  colors.data.fill(255);
  for (let channel = 0; channel < 3; channel++) {
    const { gray } = planes[channel] ?? first;
    for (let i = 0; i < gray.length; i++) colors.data[4 * i + channel] = gray[i];
  }
  const sheet = canvas(first.width, first.height);
  sheet.getContext("2d").putImageData(colors, 0, 0);
  context.drawImage(sheet, 0, 0, width, height);
}

// A label map is a gray PNG in which label k is bit k, so that overlapping labels survive: a byte a pixel, or null
// where nothing is outlined. What a hand corrected counts before what the model said.
async function bitsOf(index) {
  if (corrected.has(index)) return corrected.get(index);
  const map = props.reading.maps[index];
  if (!map) return null;
  const { width, height } = props.value;
  const reader = canvas(width, height).getContext("2d", { willReadFrequently: true });
  reader.imageSmoothingEnabled = false;
  reader.drawImage(await decode(map), 0, 0, width, height);
  const { data } = reader.getImageData(0, 0, width, height);
  const bits = new Uint8Array(width * height);
  for (let i = 0; i < bits.length; i++) bits[i] = data[4 * i];
  return bits;
}

function drawOverlay(target, bits, wash = null) {
  const context = target.getContext("2d");
  context.clearRect(0, 0, target.width, target.height);
  context.globalAlpha = 1;
  if (wash) context.drawImage(wash, 0, 0, target.width, target.height);
  if (!bits) return;
  const { width, height } = props.value;
  props.value.labels.forEach((label, number) => {
    if (view.hidden.has(number)) return;
    const inside = (x, y) => x >= 0 && y >= 0 && x < width && y < height && (bits[y * width + x] >> number) & 1;
    const fill = new Path2D();
    const edge = new Path2D();
    const line = (x0, y0, x1, y1) => {
      edge.moveTo(x0 * SCALE, y0 * SCALE);
      edge.lineTo(x1 * SCALE, y1 * SCALE);
    };
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        if (!inside(x, y)) continue;
        fill.rect(x * SCALE, y * SCALE, SCALE, SCALE);
        if (!inside(x, y - 1)) line(x, y, x + 1, y);
        if (!inside(x, y + 1)) line(x, y + 1, x + 1, y + 1);
        if (!inside(x - 1, y)) line(x, y, x, y + 1);
        if (!inside(x + 1, y)) line(x + 1, y, x + 1, y + 1);
      }
    }
    context.fillStyle = context.strokeStyle = label.color;
    if (option("fill").checked) {
      context.globalAlpha = option("opacity").value / 100;
      context.fill(fill);
    }
    if (option("contour").checked) {
      context.globalAlpha = 1;
      context.lineWidth = Math.max(2, (SCALE * width) / 350);
      context.lineCap = "round";
      context.stroke(edge);
    }
  });
}

function describe(index) {
  const { probability, stage: stages, measures } = props.reading;
  const parts = [say("probability", { finding: props.value.finding, percent: Math.round(100 * probability[index]) }), props.value.stages[stages[index]]];
  if (measures[index]) parts.push(measures[index]);
  return parts.join(" · ");
}

function drawStrip() {
  const { probability, stage: stages } = props.reading;
  const svg = strip.querySelector("svg");
  const count = length();
  const rows = groups().length;
  svg.setAttribute("viewBox", `0 0 ${count} ${100 * rows}`);
  const bars = groups().flatMap(({ slices }, row) =>
    slices.map((index, at) => {
      const tall = Math.max(4, 96 * probability[index]);
      const bottom = 100 * (row + 1);
      return `<rect class="stage-${stages[index]}" x="${at + 0.08}" width="0.84" y="${bottom - tall}" height="${tall}"/>`;
    }),
  );
  svg.innerHTML = bars.join("");
  find(".v-rows").replaceChildren(...groups().map(({ name }) => Object.assign(document.createElement("span"), { textContent: name })));
}

function mark() {
  const count = length();
  const index = groups()[0].slices[Math.min(view.slice, groups()[0].slices.length - 1)];
  slider.max = count;
  slider.value = view.slice + 1;
  slider.setAttribute("aria-valuetext", say("slice_told", { number: view.slice + 1, count, what: describe(index) }));
  strip.style.setProperty("--at", (view.slice + 0.5) / count);
  find(".v-readout").innerHTML = "";
  const bold = document.createElement("b");
  bold.textContent = say("slice_at", { number: view.slice + 1, count });
  find(".v-readout").append(bold, ...groups().map(({ name, slices }) => {
    const line = document.createElement("span");
    const at = slices[Math.min(view.slice, slices.length - 1)];
    line.textContent = (groups().length > 1 ? `${name} · ` : "") + describe(at);
    return line;
  }));
}

function legend() {
  find(".v-labels").replaceChildren(
    ...props.value.labels.map(({ name, color }, number) => {
      const label = document.createElement("label");
      label.className = "v-check";
      const box = document.createElement("input");
      Object.assign(box, { type: "checkbox", checked: !view.hidden.has(number) });
      box.style.accentColor = color;
      box.addEventListener("input", () => {
        box.checked ? view.hidden.delete(number) : view.hidden.add(number);
        draw();
        if (modeOf() === "planes") drawMask();
      });
      label.append(box, name);
      return label;
    }),
  );
  find(".v-legend").replaceChildren(
    ...props.value.key.map(({ stage: name, text }) => {
      const item = document.createElement("span");
      item.innerHTML = `<i class="stage-${name}"></i>`;
      item.append(text);
      return item;
    }),
  );
}

function go(slice) {
  if (!props.value) return;
  view.slice = Math.max(0, Math.min(length() - 1, slice));
  mark();
  draw();
  if (modeOf() === "planes") pointAt(view.slice);
}

function mostSuspicious() {
  const { probability, weight } = props.reading;
  let best = 0;
  for (let at = 0; at < length(); at++) {
    const score = (slice) => groups().reduce((sum, { slices }) => {
      const index = slices[Math.min(slice, slices.length - 1)];
      return sum + probability[index] + weight[index];
    }, 0);
    if (score(at) > score(best)) best = at;
  }
  return best;
}

function open() {
  pictures.clear();
  view.hidden.clear();
  forgetCorrections();
  root.dataset.state = props.value ? "scan" : "empty";
  root.dataset.tone = props.value?.tone ?? "alarm";
  root.toggleAttribute("data-single", Boolean(props.value) && length() === 1);
  delete root.dataset.shown;
  if (!props.value) return stage.querySelectorAll("figure").forEach((figure) => figure.remove());
  Object.assign(view, atFirst(), { phase: 0 });
  find(".v-channel").hidden = !props.value.channels.length;
  option("channel").replaceChildren(...props.value.channels.map((name, at) => new Option(name, at)));
  option("channel").value = props.value.channel;
  fillPresets();
  fillLayers();
  nameLabels();
  find('[data-jump="most"]').textContent = props.value.jump;
  view.slice = mostSuspicious();
  legend();
  drawStrip();
  mark();
  buildStage();
}

// `value` and `reading` arrive one after the other: nothing is drawn from a scan and another scan's reading.
function update() {
  if (props.value && props.value.scan !== props.reading?.scan) return;
  if (props.value?.scan === opened) return refresh();
  opened = props.value?.scan ?? null;
  open();
  if (props.value && matchMedia("(max-width: 760px)").matches) {
    root.closest(".page-tab").querySelector(".answer").scrollIntoView({ block: "start", behavior: "smooth" });
  }
}

function refresh() {
  if (!props.value) return;
  if (used) forgetCorrections();
  askForLayer(); // another gate threshold lets other slices in
  drawStrip();
  mark();
  draw();
  if (modeOf() === "cine") drawCurve();
  if (modeOf() === "planes") drawMask();
}

root.addEventListener("click", ({ target }) => {
  const { mode, jump } = target.dataset;
  if (mode && target.matches("button")) {
    view.mode = mode;
    if (props.value) buildStage();
  }
  if (jump && props.value) go(jump === "most" ? mostSuspicious() : view.slice + Number(jump));
});
root.querySelectorAll("[data-part]").forEach((input) => input.addEventListener("input", () => {
  draw();
  sayWindow();
  if (modeOf() === "planes") dressPlanes(input.dataset.part);
}));
slider.addEventListener("input", () => go(Number(slider.value) - 1));
stage.addEventListener("wheel", (event) => {
  if (!props.value || modeOf() === "planes") return;
  if (event.ctrlKey) {
    event.preventDefault();
    return zoomAt(2 ** (-event.deltaY / 200), event);
  }
  if (length() < 2) return;
  const way = Math.sign(event.deltaY);
  const atEnd = view.slice + way < 0 || view.slice + way >= length();
  if (way !== Math.sign(travelled) || atEnd) travelled = 0;
  if (atEnd) return; // the page scrolls on
  event.preventDefault();
  travelled += event.deltaMode ? way * NOTCH : event.deltaY;
  if (Math.abs(travelled) < NOTCH) return;
  travelled = 0;
  go(view.slice + way);
}, { passive: false });

function pick(event) {
  if (!props.value) return;
  const box = strip.getBoundingClientRect();
  slider.focus({ preventScroll: true });
  go(Math.floor(((event.clientX - box.left) / box.width) * length()));
}
strip.addEventListener("pointerdown", (event) => {
  event.preventDefault();
  strip.setPointerCapture(event.pointerId);
  pick(event);
});
strip.addEventListener("pointermove", (event) => strip.hasPointerCapture(event.pointerId) && pick(event));

// A scan may be dropped on the viewer, too: it goes to the upload field of the same tab.
const over = (event) => {
  event.preventDefault();
  root.toggleAttribute("data-drop", event.type === "dragover");
};
for (const type of ["dragover", "dragleave", "drop"]) root.addEventListener(type, over);
root.addEventListener("drop", ({ dataTransfer }) => {
  const input = root.closest(".page-tab").querySelector("input[type=file]");
  if (!input || !dataTransfer.files.length) return;
  input.files = dataTransfer.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
});
