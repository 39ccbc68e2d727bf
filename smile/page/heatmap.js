// Draws the value of WordHeatmap (components.py). Runs once, when the component is mounted; `element`, `props` and
// `watch` come from gr.HTML. Everything from the server goes into the page as text, never as markup, except the figure's
// own strings, which Python has escaped and Plotly sanitises.

const find = (selector) => element.querySelector(selector);
const box = find(".plot");
const tip = find(".tip");
const ROW = 76; // pixels

function plotly() {
  if (window.Plotly) return Promise.resolve();
  window.plotlyLoading ??= new Promise((resolve, reject) => {
    const { root = "", api_prefix = "/gradio_api" } = window.gradio_config ?? {};
    const script = document.createElement("script");
    script.src = `${root}${api_prefix}/file=${encodeURI(props.plotly_js)}`;
    script.onload = resolve;
    script.onerror = () => reject(new Error("plotly.js could not be loaded"));
    document.head.append(script);
  });
  return window.plotlyLoading;
}

// Black or white, whichever is easier to read on the colour of this weight.
function ink({ colorscale, zmin, zmax }, weight) {
  const where = (weight - zmin) / (zmax - zmin);
  const above = Math.max(1, colorscale.findIndex(([stop]) => stop >= where));
  const [[low, from], [high, to]] = colorscale.slice(above - 1, above + 1);
  const [first, second] = [from, to].map((colour) => colour.match(/\d+/g).map(Number));
  const linear = first.map((value, channel) => {
    const part = (value + (second[channel] - value) * (where - low) / (high - low)) / 255;
    return part <= 0.04 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.179 ? "#111" : "#fff";
}

// The figure's rows of words, folded again so that every word can be read in `width` pixels.
function folded(figure, width) {
  const [trace] = figure.data;
  const before = trace.z[0].length;
  const flat = Object.fromEntries(["z", "text"].map((name) => [name, trace[name].flat()]));
  const count = flat.text.filter((text) => text !== null).length;
  const longest = Math.max(...flat.text.slice(0, count).map((text) => text.split("<br>")[0].replace(/<[^>]*>/g, "").length));
  const fits = Math.max(1, Math.floor(width / Math.min(170, Math.max(84, 9 * longest + 22))));
  const rows = Math.ceil(count / fits);
  const columns = Math.ceil(count / rows);
  const grid = (values) =>
    Array.from({ length: rows }, (_, row) =>
      Array.from({ length: columns }, (_, column) => (row * columns + column < count ? values[row * columns + column] : null)));
  const dark = element.closest(".dark"); // where a black frame would vanish
  const [side, rise] = [0.5 - 2.5 * columns / width, 0.5 - 2.5 / ROW]; // half a frame, in cells
  const frames = (figure.layout.shapes ?? []).map((shape) => {
    const index = Math.round((shape.y0 + shape.y1) / 2) * before + Math.round((shape.x0 + shape.x1) / 2);
    const [row, column] = [Math.floor(index / columns), index % columns];
    return {
      type: "rect", x0: column - side, x1: column + side, y0: row - rise, y1: row + rise,
      line: dark && shape.line.width > 1 ? { ...shape.line, color: "#fff" } : shape.line,
    };
  });
  const at = (values) => values.slice(0, count);
  const labels = {
    type: "scatter", mode: "text", hoverinfo: "skip", text: at(flat.text),
    x: at(flat.z).map((_, index) => index % columns), y: at(flat.z).map((_, index) => Math.floor(index / columns)),
    textfont: { size: trace.textfont.size, color: at(flat.z).map((weight) => ink(trace, weight)) },
  };
  const axis = { visible: false, fixedrange: true };
  return {
    data: [{ ...trace, z: grid(flat.z), text: null, hovertext: null, hoverinfo: "none", texttemplate: "", showscale: false }, labels],
    layout: {
      width, height: ROW * rows, margin: { l: 0, r: 0, t: 0, b: 0 }, dragmode: false,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { size: 15, family: getComputedStyle(element).fontFamily },
      xaxis: { ...axis, range: [-0.5, columns - 0.5] }, yaxis: { ...axis, range: [rows - 0.5, -0.5] }, shapes: frames,
    },
  };
}

function tell(value) {
  const [trace] = value.figure.data;
  const stops = trace.colorscale.map(([at, colour]) => `${colour} ${100 * at}%`);
  find("figcaption i").style.background = `linear-gradient(90deg, ${stops.join(", ")})`;
  find(".low").textContent = `away from the ${value.reference} (−${trace.zmax.toFixed(2)})`;
  find(".high").textContent = `toward the ${value.reference} (+${trace.zmax.toFixed(2)})`;
  find(".note").textContent = value.note;
  const row = (cells, tag) => {
    const line = document.createElement("tr");
    for (const text of cells) line.append(Object.assign(document.createElement(tag), { textContent: text }));
    return line;
  };
  find("table").replaceChildren(row(value.columns, "th"), ...value.rows.map((cells) => row(cells, "td")));
  const said = value.rows.map(([word, weight, , , , mark]) => `${word} ${weight}${mark ? " significant" : ""}`);
  box.setAttribute("aria-label", `Weight of each word: ${said.join("; ")}`);
}

// Plotly drops its own hover labels where they are taller than the plot, as over a single row of words.
function point({ points: [{ pointIndex: [row, column], data }] }) {
  const columns = data.z[0].length;
  const cells = props.value.rows[row * columns + column];
  if (!cells) return;
  const [word, ...numbers] = cells;
  const line = (text, tag) => Object.assign(document.createElement(tag), { textContent: text });
  const said = numbers.slice(0, 4).map((number, index) => line(`${props.value.columns[index + 1]}: ${number}`, "span"));
  tip.replaceChildren(line(word, "b"), ...said);
  tip.hidden = false;
  const middle = box.offsetLeft + (column + 0.5) * box.clientWidth / columns - tip.offsetWidth / 2;
  tip.style.left = `${Math.max(0, Math.min(middle, element.clientWidth - tip.offsetWidth))}px`;
  tip.style.top = `${box.offsetTop + (row + 1) * ROW + 4}px`;
}

let drawnWidth = 0;

async function draw() {
  const { value } = props;
  find(".empty").hidden = Boolean(value);
  for (const part of ["figcaption", "details", ".plot"]) find(part).hidden = !value;
  if (!value) return;
  tell(value);
  await plotly();
  if (props.value !== value) return; // a newer one is on its way
  drawnWidth = box.clientWidth;
  if (!drawnWidth) return; // not laid out yet: the observer calls again
  const { data, layout } = folded(value.figure, drawnWidth);
  const first = !box.on;
  await Plotly.react(box, data, layout, { displayModeBar: false });
  if (!first) return;
  box.on("plotly_hover", point);
  box.on("plotly_unhover", () => { tip.hidden = true; });
}

watch("value", draw);
new ResizeObserver(() => { if (box.clientWidth !== drawnWidth) draw(); }).observe(box);
draw();
plotly().catch((error) => console.error(error));
