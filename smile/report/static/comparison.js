// The same picture and instruction through several editors, or a run beside the pinned one and the difference: weights aligned by
// word, one colour scale for all.

const box = find(".plot");
let shown = null;
let drawnWidth = 0;
const [ROW, LOW, MANY] = [60, 34, 12]; // pixels of a row, and of one of many words below each other

function figure(value, width) {
  const editors = value.editors.filter((editor) => editor.weights);
  const across = width / (value.words.length + 1) >= 84; // else the words stand below each other
  const [columns, rows] = across ? [value.words.length, editors.length] : [editors.length, value.words.length];
  const tall = across || value.words.length <= MANY ? ROW : LOW;
  const names = across ? 132 : 84; // pixels for what stands at the left
  const dark = isDark();
  const plain = getComputedStyle(element).color;
  const labels = { x: [], y: [], text: [], color: [], anchor: [] };
  const shapes = [];
  const [side, rise] = [0.5 - 2 * columns / (width - names), 0.5 - 2 / tall];
  const say = (x, y, text, color, anchor = "middle center") => {
    for (const [name, item] of Object.entries({ x, y, text, color, anchor })) labels[name].push(item);
  };
  editors.forEach((editor, number) => value.words.forEach((word, index) => {
    const [column, row] = across ? [index, number] : [number, index];
    const rgb = editor.noise ? GREY : colour(scaleOf(value), editor.weights[index], value.limit);
    const starred = editor.significant[index];
    shapes.push({
      type: "rect", x0: column - side, x1: column + side, y0: row - rise, y1: row + rise, fillcolor: `rgb(${rgb})`, layer: "below",
      line: starred ? { color: dark ? "#fff" : "#000", width: 3 } : { color: dark ? "#5a5651" : "#c9c4bc", width: 1 },
    });
    const noise = editor.noise ? '<br><span style="font-size:11px">within noise</span>' : ""; // not by colour alone
    say(column, row, `${editor.rows[index][1]}${starred ? ` ${editor.mark ?? "★"}` : ""}${tall === ROW ? noise : ""}`, ink(rgb));
  }));
  const beside = (pixels) => -0.5 - (pixels * columns) / (width - names); // so far to the left of the first column
  const heads = (across ? editors.map(({ name }) => name) : value.words).map((text) => escaped(shortened(text, across ? 17 : 10)));
  heads.forEach((text, row) => say(beside(names - 2), row, text, plain, "middle right"));
  const tops = across ? value.words : editors.map(({ name }) => name);
  const [fits, above] = [Math.floor((width - names) / columns / 8), across ? 0.5 : 0.75]; // letters; rows
  const folded = (text) => {
    const cut = text.length > fits ? text.indexOf("-") + 1 : 0; // in two lines, if it has two parts
    return [text.slice(0, cut), text.slice(cut)].filter(Boolean).map((part) => escaped(shortened(part, fits))).join("<br>");
  };
  tops.forEach((text, column) => say(column, -0.47 - above / 2, folded(text), plain));
  const axis = { visible: false, fixedrange: true };
  return {
    data: [{
      type: "scatter", mode: "text", hoverinfo: "skip", cliponaxis: false, x: labels.x, y: labels.y, text: labels.text,
      textposition: labels.anchor, textfont: { size: 14, color: labels.color },
    }],
    layout: {
      width, height: tall * (rows + above), margin: { l: 0, r: 0, t: 0, b: 0 }, dragmode: false, showlegend: false,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { family: getComputedStyle(element).fontFamily },
      xaxis: { ...axis, range: [beside(names), columns - 0.5] }, yaxis: { ...axis, range: [rows - 0.5, -0.5 - above] }, shapes,
    },
  };
}

function card(value, editor, index) {
  const kids = [make("h3", { textContent: editor.name })];
  if (editor.problem) return make("div", { className: "card editor" }, ...kids, make("p", { className: "trouble", textContent: editor.problem }));
  const outcome = editor.edit ? make("img", { src: editor.edit, alt: `The edit of ${editor.name}` }) : make("p", { className: "answered", textContent: editor.answer });
  kids.push(outcome, make("p", { textContent: editor.finding }));
  if (editor.note) kids.push(make("p", { className: "note", textContent: editor.note }));
  if (value.title) return make("div", { className: "card editor" }, ...kids); // one of two runs
  const button = make("button", { type: "button", textContent: "Show in full" });
  button.setAttribute("aria-label", `Show the explanation of ${editor.name} in full`);
  button.addEventListener("click", () => trigger("select", { index }));
  return make("div", { className: "card editor" }, ...kids, button);
}

async function draw() {
  const value = (shown = props.value);
  find(".something").hidden = !value;
  if (!value) return;
  find(".source").hidden = !value.source;
  find(".source span").textContent = value.source;
  element.firstElementChild.classList.toggle("two", Boolean(value.title));
  find(".said").replaceChildren(...(value.said ?? []).map((textContent) => make("p", { textContent })));
  find(".differs").hidden = !value.title;
  find("h2").textContent = value.title ?? (value.instruction ? `“${value.instruction}” through ${value.editors.length} editors` : "");
  find(".warning").hidden = !value.warning;
  find(".warning").textContent = value.warning ?? "";
  const input = value.input ? [make("div", { className: "card editor" }, make("h3", { textContent: "input" }), make("img", { src: value.input, alt: "The input picture" }))] : [];
  find(".editors").replaceChildren(...input, ...value.editors.filter(({ edit, answer, problem }) => edit || answer || problem).map((editor, index) => card(value, editor, index)));
  for (const [name, text] of Object.entries(value.legend ?? {})) find(`.legend .${name}`).textContent = text;
  find(".ends i").style.background = gradient(scaleOf(value));
  const made = value.editors.filter((editor) => editor.weights);
  find(".words").hidden = !made.length;
  fillTable(find("table"), ["word", ...made.map(({ name }) => name)], value.words.map((word, index) =>
    [word, ...made.map(({ rows }) => (rows[index][1] ? `${rows[index][1]} (${rows[index][3]})${rows[index][6] && ` ${rows[index][6]}`}` : "—"))]));
  drawnWidth = box.clientWidth;
  if (!drawnWidth || !made.length) return;
  await plotly();
  if (shown !== value) return; // a newer one is on its way
  const { data, layout } = figure(value, drawnWidth);
  await Plotly.react(box, data, layout, { displayModeBar: false });
}

const drawn = () => draw().catch((error) => console.error(error));
find(".copy-table").addEventListener("click", ({ currentTarget }) => copyTable(currentTarget, find("table")));
new ResizeObserver(() => { if (box.clientWidth !== drawnWidth) drawn(); }).observe(box);
watch("value", drawn);
drawn();
