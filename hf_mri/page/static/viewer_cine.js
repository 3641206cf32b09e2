
// The beat: all time points of a slice, played, with the chambers' volumes over time.
const timeline = find(".v-phase");
let playing = null;

const sayTime = () => say("time_at", { number: view.phase + 1, count: props.value.phases });

function openCine() {
  if (!held("frames")) trigger("play");
  timeline.max = props.value.phases;
  drawCurve();
  showPhase(view.phase);
}

function receiveFrames() {
  if (props.value && modeOf() === "cine") draw();
}

function showPhase(phase) {
  view.phase = (phase + props.value.phases) % props.value.phases;
  const curves = props.reading.curves;
  const said = props.value.labels.map(({ name }, at) => `${name} ${curves && decimal(curves.lines[at][view.phase].toFixed(curves.unit === "mL" ? 1 : 0))} ${curves?.unit}`);
  const mark = Object.entries(curves?.marks ?? {}).find(([, at]) => at === view.phase);
  timeline.value = view.phase + 1;
  timeline.setAttribute("aria-valuetext", say("time_told", { number: view.phase + 1, count: props.value.phases }));
  find(".v-curve").style.setProperty("--at", (view.phase + 0.5) / props.value.phases);
  find(".v-volumes").textContent = [mark?.[0], ...(curves ? said : [])].filter(Boolean).join(" · ");
  const caption = stage.querySelector("figcaption");
  if (caption) caption.textContent = sayTime();
  draw();
}

// One line a label; the time points of end diastole and end systole stand out.
function drawCurve() {
  const curves = props.reading.curves;
  const svg = find(".v-curve svg");
  const count = props.value.phases;
  svg.setAttribute("viewBox", `0 0 ${count} 100`);
  if (!curves) return void (svg.innerHTML = "");
  const most = Math.max(1e-9, ...curves.lines.flat());
  const marks = Object.values(curves.marks).map((at) => `<rect class="v-moment" x="${at}" width="1" y="0" height="100"/>`);
  const lines = curves.lines.map((line, at) => {
    const points = line.map((value, phase) => `${phase + 0.5},${95 - (90 * value) / most}`).join(" ");
    return `<polyline points="${points}" stroke="${props.value.labels[at].color}"/>`;
  });
  svg.innerHTML = [...marks, ...lines].join("");
}

function stop() {
  clearInterval(playing);
  playing = null;
  find('[data-do="play"]').textContent = "▶";
  find('[data-do="play"]').setAttribute("aria-label", say("play"));
}

// A beat a second, as a heart at rest; a faster one than 25 pictures a second would only cost.
function togglePlay() {
  if (playing) return stop();
  playing = setInterval(() => (stage.isConnected ? showPhase(view.phase + 1) : stop()), Math.max(40, 1000 / props.value.phases));
  find('[data-do="play"]').textContent = "❚❚";
  find('[data-do="play"]').setAttribute("aria-label", say("stop"));
}

timeline.addEventListener("input", () => {
  stop();
  showPhase(Number(timeline.value) - 1);
});
