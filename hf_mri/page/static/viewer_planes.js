
// Three planes with a crosshair and a 3-D view: NiiVue, as the package ipyniivue brings it. That is a notebook's widget,
// so it is given what a notebook would give it: models that hold values and tell of changes.
const LIBRARY = "hf-mri/niivue.js";
let planes = null; // { model, scan, at } once the library runs
let loading = null;

class Model {
  constructor(values) {
    this.values = values;
    this.listeners = {};
    this.widget_manager = { get_model: async (id) => Model.all.get(id) };
    this._comm_live = false; // so that nothing is sent back in pieces
  }
  get(name) { return this.values[name]; }
  set(name, value) {
    this.values[name] = value;
    for (const hear of this.listeners[`change:${name}`] ?? []) hear();
  }
  on(event, hear) { (this.listeners[event] ??= []).push(hear); }
  off(event, hear) { this.listeners[event] = hear ? (this.listeners[event] ?? []).filter((other) => other !== hear) : []; }
  tell(type, ...data) { for (const hear of this.listeners["msg:custom"] ?? []) hear({ type, data }, []); }
  send(message) { this.hear?.(message); }
  save_changes() {}
  send_sync_message() {}
}
Model.all = new Map();

const hasWebgl = (() => {
  try {
    return Boolean(document.createElement("canvas").getContext("webgl2"));
  } catch {
    return false;
  }
})();
const canShowPlanes = () => {
  const { count, millimeters } = props.value;
  return root.dataset.planes !== "none" && hasWebgl && count > 3 && Boolean(millimeters?.[2]) && props.value.labels.length > 0;
};

function planesProblem(text) {
  const said = stage.querySelector(".v-wait");
  if (said && text) said.textContent = text;
}

async function openPlanes() {
  const wait = Object.assign(document.createElement("p"), { className: "v-wait", textContent: say("loading") });
  stage.querySelector(".v-planes")?.remove();
  stage.querySelector(".v-wait")?.remove();
  stage.append(wait);
  askForValues();
  if (held("values")?.problem) return planesProblem(props.values.problem);
  if (!storedNow()) return; // it comes, and calls again
  try {
    loading ??= import(new URL(`${LIBRARY}?tab=${root.parentElement.closest("[id]").id}`, document.baseURI));
    const widget = (await loading).default;
    if (modeOf() !== "planes") return;
    const place = Object.assign(document.createElement("div"), { className: "v-planes" });
    stage.append(place);
    await showVolume(widget, place);
    wait.remove();
    root.dataset.planesOf = props.value.scan;
  } catch (error) {
    console.warn("three planes:", error);
    root.dataset.planes = "none";
    buildStage();
  }
}

async function showVolume(widget, place) {
  const [low, high] = props.value.windows[channelShown()];
  volumeModel("scan", niftiOf(channelShown()), { colormap: "gray", opacity: 1, cal_min: low, cal_max: high });
  await maskModel();
  if (!planes) {
    const model = new Model({
      height: 0, volumes: [], meshes: [], graph: null, scene: null, this_model_id: "",
      background_masks_overlays: 0, draw_lut: null, draw_opacity: 0.8, draw_fill_overwrites: true, overlay_outline_width: 0, overlay_alpha_shader: 1,
      opts: {
        sliceType: 3, multiplanarShowRender: 1, isRadiologicalConvention: true, isOrientationTextVisible: Boolean(props.value.affine),
        isColorbar: false, dragMode: 1, crosshairColor: [0.18, 0.77, 0.71, 0.9], crosshairWidth: 0.6, backColor: [0, 0, 0, 1], isResizeCanvas: true, multiplanarForceRender: true,
      },
    });
    model.hear = hearPlanes;
    planes = { model };
    await widget.initialize({ model });
  }
  planes.scan = props.value.scan;
  await widget.render({ model: planes.model, el: place });
  place.firstElementChild.style.height = "100%";
  planes.model.set("volumes", ["IPY_MODEL_scan", "IPY_MODEL_mask"]);
}

function volumeModel(id, data, values) {
  const name = `${id}-${props.value.scan}-${Math.random()}`;
  const model = new Model({
    id: name, name: `${id}.nii`, data, path: { name: "" }, paired_img_path: { name: "" }, url: null, frame_4d: 0, cal_min: null, cal_max: null,
    cal_min_neg: null, cal_max_neg: null, colormap_negative: "", colorbar_visible: false, colormap_type: 0, colormap_label: null,
    colormap_invert: false, modulation_image: null, modulate_alpha: 0, ...values,
  });
  Model.all.set(id, model);
  return model;
}

const slicesOfVolume = () => groups()[0].slices; // of a beat: end diastole

// Where (slice, row, column) lies; where nobody knows, as if the patient lay as pictures of a brain are looked at.
function affineOf() {
  const [row, column, step] = props.value.millimeters;
  return props.value.affine ?? [[0, 0, -column, 0], [0, -row, 0, 0], [step, 0, 0, 0], [0, 0, 0, 1]];
}

// A volume as a NIfTI file of 1 + `labels` kinds of values: a channel as it is stored, or what is given.
function niftiOf(channel, bits = null) {
  const all = storedNow();
  const [rows, columns] = bits ? [props.value.height, props.value.width] : all.size;
  const slices = slicesOfVolume();
  const kind = bits ? "u1" : all.kind;
  const size = ARRAYS[kind].BYTES_PER_ELEMENT;
  const file = new Uint8Array(352 + slices.length * rows * columns * size);
  const head = new DataView(file.buffer);
  const affine = affineOf();
  const coarser = [props.value.size[1] / columns, props.value.size[0] / rows, 1];
  head.setInt32(0, 348, true);
  [3, columns, rows, slices.length, 1, 1, 1, 1].forEach((value, at) => head.setInt16(40 + 2 * at, value, true));
  head.setInt16(70, { u1: 2, i2: 4, u2: 512, f4: 16 }[kind], true);
  head.setInt16(72, 8 * size, true);
  const steps = [2, 1, 0].map((from, at) => affine.slice(0, 3).map((line) => line[from] * coarser[at]));
  [1, ...steps.map((step) => Math.hypot(...step))].forEach((value, at) => head.setFloat32(76 + 4 * at, value, true));
  head.setFloat32(108, 352, true);
  head.setFloat32(112, 1, true);
  head.setInt16(254, 1, true);
  for (let line = 0; line < 3; line++) {
    [...steps.map((step) => step[line]), affine[line][3]].forEach((value, at) => head.setFloat32(280 + 16 * line + 4 * at, value, true));
  }
  file.set([0x6e, 0x2b, 0x31, 0], 344);
  slices.forEach((index, at) => {
    const page = bits ? bits[at] : valuesOf(index, channel).values;
    file.set(new Uint8Array(page.buffer, page.byteOffset, page.byteLength), 352 + at * rows * columns * size);
  });
  return file;
}

// The label maps of all slices as numbers of labels; of labels that overlap the last is seen.
async function bitsOfAll() {
  const { width, height, labels } = props.value;
  const pages = [];
  for (const index of slicesOfVolume()) {
    const page = new Uint8Array(width * height);
    pages.push(page);
    const bits = await bitsOf(index);
    if (!bits) continue;
    labels.forEach((_, number) => {
      if (view.hidden.has(number)) return;
      for (let i = 0; i < page.length; i++) if ((bits[i] >> number) & 1) page[i] = number + 1;
    });
  }
  return pages;
}

function labelColors() {
  const colors = props.value.labels.map(({ color }) => [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16)));
  return { lut: [0, 0, 0, 0, ...colors.flatMap((rgb) => [...rgb, 255])], min: 0, max: colors.length, labels: ["", ...props.value.labels.map(({ name }) => name)] };
}

const maskModel = async () => volumeModel("mask", niftiOf(null, await bitsOfAll()), {
  opacity: option("fill").checked ? Math.max(0.25, option("opacity").value / 100) : 0, colormap: "gray", colormap_label: labelColors(), cal_min: 0, cal_max: props.value.labels.length,
});

async function drawMask() {
  if (!planes || !storedNow()) return;
  await maskModel();
  planes.model.set("volumes", ["IPY_MODEL_scan", "IPY_MODEL_mask"]);
}

function windowPlanes() {
  if (!planes) return;
  const [low, high] = props.value.windows[channelShown()];
  const scan = Model.all.get("scan");
  const [from, to] = [Math.min(...view.window), Math.max(...view.window)];
  scan.set("colormap_invert", view.window[0] > view.window[1]);
  scan.set("cal_min", low + from * (high - low));
  scan.set("cal_max", low + to * (high - low));
}

function dressPlanes(part) {
  if (part === "channel") return openPlanes();
  if (part === "opacity" || part === "fill") drawMask();
}

// The crosshair and the strip show the same slice. Slices stand along one of the patient's axes, or nearly.
const stepOfSlices = () => affineOf().slice(0, 3).map((line) => line[0]);

function hearPlanes({ event, data }) {
  if (event !== "location_change" || modeOf() !== "planes") return;
  const step = stepOfSlices();
  const from = affineOf().slice(0, 3).map((line) => line[3]);
  const along = step.reduce((sum, part, axis) => sum + part * (data.mm[axis] - from[axis]), 0);
  planes.at = along / step.reduce((sum, part) => sum + part * part, 0);
  const slice = Math.max(0, Math.min(length() - 1, Math.round(planes.at)));
  if (slice !== view.slice) {
    view.slice = slice;
    mark();
  }
  root.dataset.shown = slice + 1;
  const said = data.mm.slice(0, 3).map((value, axis) => `${value < 0 ? "LPI"[axis] : "RAS"[axis]} ${Math.abs(value).toFixed(0)}`).join(" ");
  const values = (data.values ?? []).slice(0, 1).map(({ value }) => ` · ${say("value")} ${Number.isInteger(value) ? value : decimal(value.toPrecision(4))}`);
  let line = stage.querySelector(".v-planes .v-point");
  if (!line) stage.querySelector(".v-planes")?.append((line = Object.assign(document.createElement("span"), { className: "v-point" })));
  if (line) line.textContent = `${props.value.affine ? `${said} mm` : say("slice_here", { number: slice + 1 })}${values.join("")}`;
}

function pointAt(slice) {
  if (!planes) return;
  const step = stepOfSlices();
  const axis = step.map(Math.abs).indexOf(Math.max(...step.map(Math.abs)));
  const by = [0, 0, 0];
  by[axis] = Math.sign(step[axis]) * (slice - Math.round(planes.at ?? (length() - 1) / 2));
  if (by[axis]) planes.model.tell("move_crosshair_in_vox", ...by);
}
