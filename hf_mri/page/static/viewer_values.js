
// Window and values. The window is told in parts of the channel's usual one (0 is its black, 1 its white), so that
// channels of different ranges share it, and the 8-bit pictures serve until the values themselves have come.
const PRESETS = {
  first: () => [0, 1],
  full: ([low, high, least, most]) => [(least - low) / (high - low), (most - low) / (high - low)],
  dark: () => [0, 0.5],
  bright: () => [0.5, 1.2],
  inverted: () => [1, 0],
};
const ARRAYS = { u1: Uint8Array, i2: Int16Array, u2: Uint16Array, f4: Float32Array };
let stored = null; // { shown, channels, size, values } of the scan that is open
let asked = null; // the scan whose values were asked for

function askForValues() {
  if (!props.value || asked === props.value.scan) return;
  asked = props.value.scan;
  trigger("input");
}

async function receiveValues() {
  const sent = held("values");
  if (!sent || sent.problem) return void planesProblem(sent?.problem);
  const bytes = Uint8Array.from(atob(sent.data), (letter) => letter.charCodeAt(0));
  const unzipped = new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));
  stored = { ...sent, values: new ARRAYS[sent.kind](await unzipped.arrayBuffer()) };
  root.dataset.values = sent.scan;
  draw();
  if (modeOf() === "planes") openPlanes();
}

const storedNow = () => (stored && stored.scan === props.value?.scan ? stored : null);

// A channel of a slice as it was stored, or null where that is not here.
function valuesOf(index, channel) {
  const all = storedNow();
  const [at, plane] = [all?.shown.indexOf(index), all?.channels.indexOf(channel)];
  if (!all || at < 0 || plane < 0) return null;
  const [height, width] = all.size;
  const start = (plane * all.shown.length + at) * height * width;
  return { width, height, values: all.values.subarray(start, start + height * width) };
}

function bytesOf(image, channel) {
  const { width, height } = props.value;
  const context = canvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, channel * height, width, height, 0, 0, width, height);
  return { width, height, values: context.getImageData(0, 0, width, height).data.filter((_, at) => at % 4 === 0) };
}

// A channel of a slice in the window that the visitor chose: { width, height, gray }.
function windowed(index, channel, image) {
  const exact = valuesOf(index, channel);
  const { width, height, values } = exact ?? bytesOf(image, channel);
  const [low, high] = exact ? props.value.windows[channel] : [0, 255];
  const [from, to] = view.window;
  const black = low + from * (high - low);
  const scale = 255 / ((to - from) * (high - low));
  const gray = new Uint8ClampedArray(values.length);
  for (let i = 0; i < values.length; i++) gray[i] = (values[i] - black) * scale;
  return { width, height, gray };
}

const channelShown = () => {
  const chosen = props.value.channels.length ? Number(option("channel").value) : props.value.channel;
  return chosen < 3 ? chosen : 0;
};
const round = (value, span) => decimal(Number(value.toPrecision(12)).toFixed(span < 10 ? 2 : 0));

function sayWindow() {
  const [low, high] = props.value.windows[channelShown()];
  const [black, white] = view.window.map((part) => low + part * (high - low));
  const width = Math.abs(white - black);
  find(".v-window").textContent = `W ${round(width, high - low)} L ${round((white + black) / 2, high - low)}`;
}

function setWindow(from, to) {
  if (Math.abs(to - from) < 0.005) to = from + (to < from ? -0.005 : 0.005);
  view.window = [from, to];
  sayWindow();
  draw();
  if (modeOf() === "planes") windowPlanes();
}

function fillPresets() {
  const select = find('[data-tool="preset"]');
  select.replaceChildren(...Object.keys(PRESETS).map((name) => new Option(say(`preset.${name}`), name)), Object.assign(new Option(say("preset.own"), "own"), { hidden: true }));
  select.value = "first";
  sayWindow();
}

find('[data-tool="preset"]').addEventListener("input", ({ target }) => {
  askForValues();
  setWindow(...PRESETS[target.value](props.value.windows[channelShown()]));
});

// Across: contrast; down: darker. A stroke of 250 pixels is a whole window.
function dragWindow(across, down) {
  const [from, to] = view.window;
  const [center, half] = [(from + to) / 2 + down / 250, ((to - from) / 2) * 2 ** (-across / 250)];
  find('[data-tool="preset"]').value = "own";
  setWindow(center - half, center + half);
}

// What lies under the pointer: column and row counted from 1, millimeters where they are known, values by channel.
function sayPoint(index, x, y) {
  const [height, width] = props.value.size;
  const [column, row] = [Math.floor(x * width), Math.floor(y * height)];
  const parts = [say("place", { column: column + 1, row: row + 1 })];
  const { affine } = props.value;
  if (affine) {
    const at = [index % props.value.count, row, column];
    const mm = [0, 1, 2].map((axis) => affine[axis][3] + at.reduce((sum, step, place) => sum + step * affine[axis][place], 0));
    parts.push(mm.map((value, axis) => `${value < 0 ? "LPI"[axis] : "RAS"[axis]} ${Math.abs(value).toFixed(0)}`).join(" ") + " mm");
  }
  const values = props.value.windows.map((_, channel) => {
    const plane = valuesOf(index, channel);
    if (!plane) return null;
    const value = plane.values[row * width + column];
    const name = props.value.channels[channel] ?? say("value");
    return `${name} ${Number.isInteger(value) ? value : decimal(value.toPrecision(4))}`;
  });
  return [...parts, ...values.filter(Boolean)].join(" · ");
}
