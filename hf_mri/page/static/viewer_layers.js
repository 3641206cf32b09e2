
// Layers between picture and outlines. The page sends one when it is chosen; its brightness is how opaque a color is.
const LAYER_COLORS = { gate: [255, 170, 0], doubt: [200, 120, 255] };
const MOST_OPAQUE = 0.75;
const washes = new Map(); // data address -> canvas in color
const layer = option("layer");

function fillLayers() {
  washes.clear();
  find(".v-layer").hidden = !props.value.layers.length;
  layer.replaceChildren(new Option(say("layer.none"), ""), ...props.value.layers.map(({ name, text }) => new Option(text, name)));
}

function askForLayer() {
  if (layer.value) trigger("select", { layer: layer.value });
}

function receiveLayer() {
  if (props.value) draw();
}

async function washOf(index) {
  const sent = held("layer");
  const address = sent?.name === layer.value ? sent.images[index] : null;
  if (!address) return null;
  if (!washes.has(address)) {
    const image = await decode(address);
    const made = canvas(image.width, image.height);
    const context = made.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const pixels = context.getImageData(0, 0, made.width, made.height);
    const { data } = pixels;
    for (let i = 0; i < data.length; i += 4) {
      const bright = data[i];
      data.set(LAYER_COLORS[sent.name], i);
      data[i + 3] = MOST_OPAQUE * bright;
    }
    context.putImageData(pixels, 0, 0);
    washes.set(address, made);
  }
  return washes.get(address);
}

layer.addEventListener("input", askForLayer);
