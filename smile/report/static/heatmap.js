// The word heatmap: Plotly draws the cells, folded to the width there is; over each lies a button that a keyboard and a
// screen reader reach. An interval is drawn in its cell on one axis for all words, so that it is seen without hovering.

const state = { value: null, word: null, edit: null, stretch: false }; // what is shown; the word and the edit that are chosen
const CELL = 96; // pixels
const board = { box: find(".words .plot"), cells: find(".words .cells"), tip: find(".words .tip"), width: 0 };

// Colours run from -1 to 1 for all explanations, unless somebody stretches them to this one's largest weight.
const limitOf = (value) => (state.stretch ? value.stretched : value.limit);

function heatmapFigure(value, width) {
  const { words, weights, low, high, significant, rows: texts, scale, noise } = value;
  const limit = limitOf(value);
  const count = words.length;
  const longest = Math.min(16, Math.max(...words.map((word) => word.length)));
  const fits = Math.max(1, Math.floor(width / Math.min(180, Math.max(92, 9 * longest + 26))));
  const rows = Math.ceil(count / fits);
  const columns = Math.ceil(count / rows);
  const dark = element.closest(".dark"); // where a black frame would vanish
  const farthest = Math.max(limit, ...low.concat(high).filter((end) => end !== null).map(Math.abs));
  const [side, rise] = [0.5 - 2.5 * columns / width, 0.5 - 2.5 / CELL]; // half a frame, in cells
  const shapes = [];
  const labels = { x: [], y: [], text: [], size: [], ink: [] };
  const say = (x, y, text, size, colour) => {
    for (const [name, item] of Object.entries({ x, y, text, size, ink: colour })) labels[name].push(item);
  };
  words.forEach((word, index) => {
    const [row, column] = [Math.floor(index / columns), index % columns];
    const rgb = noise ? GREY : colour(scale, weights[index], limit);
    const pen = ink(rgb);
    shapes.push({
      type: "rect", x0: column - side, x1: column + side, y0: row - rise, y1: row + rise,
      fillcolor: `rgb(${rgb})`, layer: "below",
      line: significant[index] ? { color: dark ? "#fff" : "#000", width: 3 } : { color: dark ? "#5a5651" : "#c9c4bc", width: 1 },
    });
    const star = significant[index] ? " ★" : "";
    const name = escaped(shortened(word, Math.max(6, Math.floor(width / columns / 9) - (star ? 3 : 1))));
    say(column, row - 0.29, star ? `<b>${name}</b>${star}` : name, 15, pen);
    say(column, row - 0.07, texts[index][1], 14, pen);
    if (noise) say(column, row + 0.17, "within noise", 11, pen); // not by colour alone
    if (noise || low[index] === null || high[index] === null) return;
    const at = (number) => column + 0.8 * side * number / farthest;
    const line = (x0, x1, y0, y1, width) => shapes.push({ type: "line", x0, x1, y0, y1, line: { color: pen, width } });
    line(at(0), at(0), row + 0.1, row + 0.24, 1);
    line(at(low[index]), at(high[index]), row + 0.17, row + 0.17, 2);
    line(at(weights[index]), at(weights[index]), row + 0.12, row + 0.22, 4);
    say(column, row + 0.34, texts[index][2], 11, pen);
  });
  const axis = { visible: false, fixedrange: true };
  return {
    columns, rows,
    data: [{
      type: "scatter", mode: "text", hoverinfo: "skip", cliponaxis: false, x: labels.x, y: labels.y, text: labels.text,
      textfont: { size: labels.size, color: labels.ink },
    }],
    layout: {
      width, height: CELL * rows, margin: { l: 0, r: 0, t: 0, b: 0 }, dragmode: false, showlegend: false,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(element).fontFamily },
      xaxis: { ...axis, range: [-0.5, columns - 0.5] }, yaxis: { ...axis, range: [rows - 0.5, -0.5] }, shapes,
    },
  };
}

// The buttons stay the same elements as long as there are as many words: focus is not lost when an edit arrives.
function cellButtons(value, columns) {
  const { cells } = board;
  while (cells.childElementCount > value.words.length) cells.lastElementChild.remove();
  while (cells.childElementCount < value.words.length) {
    const button = make("button", { type: "button" });
    const index = cells.childElementCount;
    button.addEventListener("click", () => choose(index));
    for (const event of ["pointerenter", "focus"]) button.addEventListener(event, () => point(index));
    for (const event of ["pointerleave", "blur"]) button.addEventListener(event, () => { board.tip.hidden = true; });
    cells.append(button);
  }
  cells.style.gridTemplateColumns = `repeat(${columns}, 1fr)`;
  cells.style.gridAutoRows = `${CELL}px`;
  [...cells.children].forEach((button, index) => {
    const [word, weight, interval, , holm] = value.rows[index];
    const star = `${value.noise ? "within noise, " : ""}${value.significant[index] ? "significant" : "not significant"}`;
    button.setAttribute("aria-label", `${word}: weight ${weight}, 95 % interval ${interval}, p (Holm) ${holm}, ${star}`);
    button.setAttribute("aria-pressed", String(state.word === index));
  });
}

function point(index) {
  const { tip, cells } = board;
  const [word, ...numbers] = state.value.rows[index];
  const lines = numbers.slice(0, 4).map((number, column) => make("span", { textContent: `${state.value.columns[column + 1]}: ${number}` }));
  tip.replaceChildren(make("b", { textContent: word }), ...lines);
  tip.hidden = false;
  const [cell, card] = [cells.children[index].getBoundingClientRect(), tip.parentElement.getBoundingClientRect()];
  const middle = cell.left - card.left + (cell.width - tip.offsetWidth) / 2;
  tip.style.left = `${Math.max(0, Math.min(middle, card.width - tip.offsetWidth))}px`;
  tip.style.top = `${cell.bottom - card.top + 4}px`;
}

async function drawHeatmap(value) {
  const words = find(".words");
  find(".ends i", words).style.background = gradient(value.scale);
  find(".low", words).textContent = `−${limitOf(value).toFixed(2)} away from`;
  find(".high", words).textContent = `toward the ${value.reference} +${limitOf(value).toFixed(2)}`;
  for (const part of [".ends", ".evident", ".interval", ".stretch"]) find(part, words).hidden = value.noise;
  find(".within", words).hidden = !value.noise;
  find(".note", words).textContent = value.note;
  fillTable(find("table", words), value.columns, value.rows);
  board.width = board.box.clientWidth;
  if (!board.width) return; // not laid out yet: the observer calls again
  const { columns, rows, data, layout } = heatmapFigure(value, board.width);
  board.box.style.height = `${CELL * rows}px`; // before Plotly is there, so that nothing jumps
  cellButtons(value, columns);
  await plotly();
  if (state.value === value && layout.width === board.box.clientWidth) await Plotly.react(board.box, data, layout, { displayModeBar: false });
}

find(".stretch input").addEventListener("change", ({ currentTarget }) => { state.stretch = currentTarget.checked; drawHeatmap(state.value); });
find(".copy-table").addEventListener("click", ({ currentTarget }) => copyTable(currentTarget, find(".words table")));
find(".words .tip").addEventListener("click", () => { board.tip.hidden = true; });
new ResizeObserver(() => { if (state.value && board.box.clientWidth !== board.width) drawHeatmap(state.value); }).observe(board.box);
