// The word heatmap: a Plotly heatmap trace for each line of words, cells as wide as their words. The mouse is Plotly's, its
// hover and its click; over each cell lies a button for the keyboard and for screen readers, which the mouse goes through.

const CELL = 56; // pixels: a cell, the interval below it, and what is between lines
const WHISKER = 14;
const GAP = 6;
const board = { box: find(".words .plot"), cells: find(".words .cells"), width: 0, lines: [], wired: false };
const brush = document.createElement("canvas").getContext("2d");

function wide(text, size) {
  brush.font = `600 ${size}px ${getComputedStyle(element).fontFamily}`;
  return brush.measureText(text).width;
}

// The text as far as it fits into so many pixels.
function fitted(text, size, room) {
  let cut = text;
  while (cut.length > 1 && wide(cut === text ? cut : `${cut}…`, size) > room) cut = cut.slice(0, -1);
  return cut === text ? text : `${cut}…`;
}

// Lines of about the same length, as few as there can be: [[{index, x, width}]]. A short text is not stretched.
function layLines(words, stars, width, size, least) {
  const natural = words.map((word, index) => Math.min(width, Math.max(least, wide(stars[index] ? `${word} ★` : word, size) + 16)));
  const fill = (most) => {
    const lines = [[]];
    let used = 0;
    natural.forEach((part, index) => {
      if (used + part > most + 0.01 && lines.at(-1).length) [used] = [0, lines.push([])];
      lines.at(-1).push(index);
      used += part;
    });
    return lines;
  };
  const few = fill(width).length;
  let most = width;
  for (let tried = Math.max(...natural); tried < width; tried += 4) {
    if (fill(tried).length <= few) { most = tried; break; }
  }
  const lines = fill(most);
  const sums = lines.map((line) => line.reduce((sum, index) => sum + natural[index], 0));
  const stretch = Math.min(1.9, ...sums.map((sum) => width / sum));
  return lines.map((line, number) => {
    const factor = words.length < 4 ? Math.min(1.5, stretch) : Math.min(width / sums[number], 1.35 * stretch);
    let x = 0;
    return line.map((index) => {
      const cell = { index, x, width: natural[index] * factor };
      x += cell.width;
      return cell;
    });
  });
}

// What the hover says of a word: three lines, because Plotly drops a label that is higher than the plot.
function hoverOf(value, index) {
  const [word, weight, without, interval, p, holm] = value.rows[index].map(escaped).map((text, at) => (at ? minus(text) : text));
  const alone = without ? `, left out alone ${without}` : "";
  const noise = value.noise ? ", within noise" : "";
  return `<b>${word} ${weight}</b>${alone}${noise}<br>95 % interval ${interval}<br>p ${p}, for all words ${holm}`;
}

function heatmapFigure(value, width) {
  const { words, weights, low, high, significant, rows: texts, noise } = value;
  const size = width < 340 ? 14 : 15;
  const unknown = weights.every((weight) => weight === null);
  const plain = unknown || noise; // no colour
  const stars = words.map((_, index) => significant[index] && !plain);
  const lines = (board.lines = layLines(words, stars, width, size, width < 340 ? 48 : 44));
  const tall = CELL + WHISKER + GAP;
  const height = lines.length * tall - GAP;
  const [sunk, hatch, line, edge, main, quiet, surface] = ["--sunk", "--hatch", "--line", "--edge", "--ink", "--quiet", "--surface"].map(css);
  const scale = plain ? [[0, sunk], [1, sunk]] : scaleOf(value).map(([at, rgb]) => [at, `rgb(${rgb})`]);
  const [traces, shapes] = [[], []];
  const labels = { x: [], y: [], text: [], size: [], color: [] };
  const under = { x: [], base: [], y: [], width: [] }; // a quiet ground for text on a hatch
  const say = (x, y, text, size, color) => {
    for (const [name, item] of Object.entries({ x, y, text, size, color })) labels[name].push(item);
  };
  const rule = (x0, x1, y0, y1, width, color) => shapes.push({ type: "line", x0, x1, y0, y1, line: { width, color } });
  const box = (x0, x1, y0, y1, width, color, fillcolor) => shapes.push({ type: "rect", x0, x1, y0, y1, line: { width, color }, fillcolor });
  lines.forEach((cells, number) => {
    const top = height - number * tall;
    const bottom = top - CELL;
    traces.push({
      type: "heatmap", x: [...cells.map((cell) => cell.x), cells.at(-1).x + cells.at(-1).width], y: [bottom, top],
      z: [cells.map(({ index }) => (plain ? 0 : weights[index] ?? 0))], zmin: -value.limit, zmax: value.limit,
      colorscale: scale, showscale: false, xgap: 2, ygap: 0, customdata: [cells.map(({ index }) => index)],
      hovertext: [cells.map(({ index }) => (unknown ? escaped(words[index]) : hoverOf(value, index)))],
      hovertemplate: "%{hovertext}<extra></extra>",
    });
    if (noise && !unknown) traces.push({
      type: "bar", hoverinfo: "skip", base: bottom, x: cells.map((cell) => cell.x + cell.width / 2), y: cells.map(() => CELL),
      width: cells.map((cell) => cell.width - 2), marker: { color: sunk, pattern: { shape: "/", size: 7, solidity: 0.25, fgcolor: hatch, bgcolor: sunk } },
    });
    for (const { index, x, width: room } of cells) {
      const middle = x + room / 2;
      const grey = plain ? null : colour(scaleOf(value), weights[index], value.limit);
      const pen = plain ? main : ink(grey);
      const star = stars[index] ? " ★" : "";
      const bold = star || isChosen(index);
      const name = fitted(words[index], size, room - 10 - (star ? wide(star, size) : 0));
      if (plain) box(x + 1, x + room - 1, bottom, top, 1, line, "rgba(0,0,0,0)");
      say(middle, top - CELL * (unknown ? 0.5 : 0.33), bold ? `<b>${escaped(name)}${star}</b>` : escaped(name), size, pen);
      if (!unknown) {
        say(middle, top - CELL * 0.72, minus(texts[index][1]), 13, noise ? quiet : pen);
        if (noise) for (const [share, text, at] of [[0.33, name, size], [0.72, texts[index][1], 13]]) {
          for (const [key, item] of Object.entries({ x: middle, base: top - CELL * share - 9, y: 18, width: wide(text, at) + 8 })) under[key].push(item);
        }
        const reach = Math.min(room - 12, 72) / 2;
        const at = (number) => middle + reach * Math.max(-1, Math.min(1, number));
        const level = bottom - 8;
        const firm = noise ? edge : main;
        rule(at(-1), at(1), level, level, 1, line);
        rule(at(0), at(0), level - 4, level + 4, 1, edge);
        if (low[index] !== null && high[index] !== null) rule(at(low[index]), at(high[index]), level, level, 3, firm);
        if (weights[index] !== null) rule(at(weights[index]), at(weights[index]), level - 4, level + 4, 3, firm);
      }
      if (isGuessed(index)) shapes.push({ type: "rect", x0: x + 4, x1: x + room - 4, y0: bottom + 3, y1: top - 3, line: { width: 2, dash: "dot", color: pen } });
      if (isChosen(index)) {
        box(x + 2, x + room - 2, bottom + 1, top - 1, 2, main, "rgba(0,0,0,0)");
        box(x + 4, x + room - 4, bottom + 3, top - 3, 1.5, surface, "rgba(0,0,0,0)");
      }
    }
  });
  if (under.x.length) traces.push({ type: "bar", hoverinfo: "skip", ...under, marker: { color: sunk } });
  traces.push({
    type: "scatter", mode: "text", hoverinfo: "skip", cliponaxis: false, x: labels.x, y: labels.y, text: labels.text,
    textfont: { size: labels.size, color: labels.color },
  });
  const axis = { visible: false, fixedrange: true };
  const tip = isDark() ? ["#f3f0ea", "#1c1917"] : ["#1c1917", "#ffffff"];
  return {
    height, traces,
    layout: {
      width, height, margin: { l: 0, r: 0, t: 0, b: 0 }, dragmode: false, showlegend: false, barmode: "overlay", shapes,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { family: getComputedStyle(element).fontFamily },
      xaxis: { ...axis, range: [0, width] }, yaxis: { ...axis, range: [0, height] }, hovermode: "closest",
      hoverlabel: { bgcolor: tip[0], bordercolor: tip[0], font: { size: 13, color: tip[1] }, align: "left" },
    },
  };
}

// The buttons stay the same elements as long as there are as many words: focus is not lost when an edit arrives.
function cellButtons(value) {
  const { cells, lines } = board;
  while (cells.childElementCount > value.words.length) cells.lastElementChild.remove();
  while (cells.childElementCount < value.words.length) {
    const button = make("button", { type: "button" });
    const index = cells.childElementCount;
    button.addEventListener("click", () => choose(index));
    button.addEventListener("focus", () => hoverCell(index));
    button.addEventListener("blur", () => hoverCell(null));
    cells.append(button);
  }
  lines.forEach((line, number) => line.forEach(({ index, x, width }) => {
    Object.assign(cells.children[index].style, {
      left: `${x}px`, top: `${number * (CELL + WHISKER + GAP)}px`, width: `${width}px`, height: `${CELL}px`,
    });
  }));
  [...cells.children].forEach((button, index) => {
    const [word, weight, , interval, , holm] = value.rows[index];
    const star = `${value.noise ? "within noise, " : ""}${value.significant[index] ? "significant" : "not significant"}`;
    button.setAttribute("aria-label", isAsking() ? `${word}: did it change the picture?` : `${word}: weight ${weight}, 95 % interval ${interval}, p (Holm) ${holm}, ${star}${isGuessed(index) ? ", marked by you" : ""}`);
    button.setAttribute("aria-pressed", String(isChosen(index)));
  });
}

// What the mouse does over a cell, for the keyboard: Plotly's label, and the preview.
function hoverCell(index) {
  peek(index);
  if (!board.wired) return;
  if (index === null) return void Plotly.Fx.unhover(board.box);
  const number = board.lines.findIndex((line) => line.some((cell) => cell.index === index));
  const curve = board.box.data.findIndex((trace) => trace.type === "heatmap" && trace.customdata[0].includes(index));
  if (curve >= 0) Plotly.Fx.hover(board.box, [{ curveNumber: curve, pointNumber: [0, board.lines[number].findIndex((cell) => cell.index === index)] }]);
}

function wire() {
  if (board.wired) return;
  board.wired = true;
  const word = ({ points }) => points[0].customdata;
  board.box.on("plotly_click", (event) => choose(word(event)));
  board.box.on("plotly_hover", (event) => peek(word(event)));
  board.box.on("plotly_unhover", () => peek(null));
}

async function drawHeatmap(value) {
  const words = find(".words");
  const { unit = "edit" } = value;
  find(".ends i", words).style.background = gradient(scaleOf(value));
  find(".low", words).textContent = value.reference === "input picture" ? "−1 changes it" : "−1 works against";
  find(".high", words).textContent = value.reference === "input picture" ? "keeps the input +1" : `makes the ${unit} +1`;
  const unknown = value.weights.every((weight) => weight === null);
  for (const part of [".ends", ".evident"]) find(part, words).hidden = value.noise || unknown;
  find(".within", words).hidden = !value.noise;
  find(".yours", words).hidden = root.guess !== "told";
  find(".note", words).textContent = value.note;
  find(".key", words).textContent = value.note || unknown ? "" : value.noise ? "grey: nothing beyond noise" : "line: 95 % interval";
  board.width = board.box.clientWidth;
  if (!board.width) return; // not laid out yet: the observer calls again
  const { height, traces, layout } = heatmapFigure(value, board.width);
  board.box.style.height = `${height}px`; // before Plotly is there, so that nothing jumps
  cellButtons(value);
  await plotly();
  if (state.value !== value || layout.width !== board.box.clientWidth) return;
  await Plotly.react(board.box, traces, layout, { displayModeBar: false, doubleClick: false });
  wire();
}

new ResizeObserver(() => { if (state.value && board.box.clientWidth !== board.width) drawHeatmap(state.value); }).observe(board.box);
