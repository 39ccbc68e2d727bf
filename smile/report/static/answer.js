// An explanation of an answer. A word that is chosen recolours the answer, a segment recolours the prompt; both are state of
// this script, so that nothing is asked of the server.

const view = { value: null, word: null, segment: null, show: null, width: 0, mask: null };
const ROW = 44; // pixels of a line of words
const inDark = () => Boolean(element.closest(".dark"));
const shade = () => (inDark() ? view.value.dark_scale : view.value.scale);
const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
const signedNumber = (number) => (number === null ? "…" : Math.abs(number) < 0.005 ? "0.00" : `${number < 0 ? "−" : "+"}${Math.abs(number).toFixed(2)}`);

function paint(weight) {
  const at = Math.min(1, Math.max(0, 0.5 + (weight ?? 0) / 2));
  const stops = shade();
  const above = Math.max(1, stops.findIndex(([stop]) => stop >= at));
  const [[low, from], [high, to]] = [stops[above - 1], stops[above]];
  return from.map((channel, index) => Math.round(channel + (to[index] - channel) * (at - low) / (high - low)));
}

function pen(rgb) {
  const linear = rgb.map((value) => (value / 255 <= 0.04 ? value / 3294 : ((value / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.179 ? "#000" : "#fff";
}

// What guess.js asks of the view.
const shownValue = () => view.value;
const didIt = (value) => value.leading;
const drawMarked = () => drawPrompt(view.value);
const isChosen = (index) => (isAsking() ? guess.marks.has(index) : view.word === index);

// The value without anything that tells.
function withhold(value) {
  if (!value || !isAsking()) return value;
  const none = value.words.map(() => null);
  return {
    ...value, weights: none, low: none, high: none, leading: value.words.map(() => false), twice: value.words.map(() => false), noise: false,
    maps: null, places: null, edges: null, hover: value.words.map(() => []), rows: value.rows.map(([word, ...rest]) => [word, ...rest.map(() => "")]),
    answers: value.answers.slice(0, 1), warning: "", finding: "Which words made this answer? Mark them, then see.", remarks: [], facts: [],
  };
}

// What the prompt shows: what each word did to the whole answer, or to the segment that is chosen.
function shownWeights(value) {
  return view.segment === null || !value.maps ? value.weights : value.maps.map((row) => row[view.segment]);
}

function shownStrong(value) {
  return view.segment === null || !value.places ? value.leading : value.places.map((row) => row[view.segment]);
}

function lines(value, width) {
  const pencil = document.createElement("canvas").getContext("2d");
  pencil.font = `600 15px ${getComputedStyle(element.firstElementChild).fontFamily}`;
  const wide = value.words.map((word) => Math.min(width, Math.max(52, pencil.measureText(shorten(word)).width + 30)));
  const found = [];
  let [line, used] = [[], 0];
  wide.forEach((each, index) => {
    if (line.length && used + each > width) {
      found.push(line);
      [line, used] = [[], 0];
    }
    line.push([index, each]);
    used += each;
  });
  found.push(line);
  return found.map((row) => { // justified, but for a last line that is short
    const sum = row.reduce((total, [, each]) => total + each, 0);
    const scale = sum > 0.6 * width || found.length > 1 && row !== found.at(-1) ? width / sum : 1;
    return row.map(([index, each]) => [index, each * scale]);
  });
}

const shorten = (word) => (word.length > 44 ? `${word.slice(0, 43)}…` : word);

function promptFigure(value, width) {
  const [weights, strong] = [shownWeights(value), shownStrong(value)];
  const rows = lines(value, width);
  const data = [];
  const boxes = [];
  rows.forEach((row, number) => {
    const edges = row.reduce((found, [, wide]) => [...found, found.at(-1) + wide], [0]);
    row.forEach(([index, wide], at) => { boxes[index] = { left: edges[at], top: number * ROW, width: wide }; });
    const label = ([index]) => {
      const rgb = value.noise ? channels(inDark() ? "#272522" : "#f1efeb") : paint(weights[index]);
      const name = escaped(shorten(value.words[index])).replace(/\n/g, " ");
      const colour = value.noise ? (inDark() ? "#b3aba1" : "#5f5850") : pen(rgb);
      return `<span style="color:${colour}">${strong[index] ? `<b>${name}</b>` : name}${isAsking() ? "" : `<br>${value.noise ? "·" : signedNumber(weights[index])}`}</span>`;
    };
    data.push({
      type: "heatmap", x: edges, y: [number, number + 1], z: [row.map(([index]) => (value.noise ? 0 : weights[index] ?? 0))],
      text: [row.map(label)], texttemplate: "%{text}", textfont: { size: 14 }, customdata: [row.map(([index]) => index)],
      hovertext: [row.map(([index]) => [`<b>${escaped(shorten(value.words[index]))}</b>`, ...value.hover[index]].join("<br>"))],
      hovertemplate: "%{hovertext}<extra></extra>", zmin: -1, zmax: 1, showscale: false, xgap: 3, ygap: 3,
      colorscale: value.noise ? [[0, inDark() ? "#272522" : "#f1efeb"], [1, inDark() ? "#272522" : "#f1efeb"]] : shade().map(([at, rgb]) => [at, `rgb(${rgb})`]),
    });
  });
  const axis = { visible: false, fixedrange: true };
  const layout = {
    width, height: ROW * rows.length, margin: { l: 0, r: 0, t: 0, b: 0 }, dragmode: false, showlegend: false,
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hoverlabel: { align: "left" },
    font: { family: getComputedStyle(element.firstElementChild).fontFamily },
    xaxis: { ...axis, range: [0, width] }, yaxis: { ...axis, range: [rows.length, 0] },
  };
  return { data, layout, boxes };
}

// Buttons over the cells are for the keyboard; the mouse is Plotly's.
function placeButtons(value, boxes) {
  const cells = find(".cells");
  while (cells.childElementCount > value.words.length) cells.lastElementChild.remove();
  while (cells.childElementCount < value.words.length) {
    const button = make("button", { type: "button" });
    const index = cells.childElementCount;
    button.addEventListener("click", () => chooseWord(index));
    cells.append(button);
  }
  const [weights, strong] = [shownWeights(value), shownStrong(value)];
  [...cells.children].forEach((button, index) => {
    const { left, top, width } = boxes[index];
    Object.assign(button.style, { left: `${left}px`, top: `${top}px`, width: `${width - 3}px`, height: `${ROW - 3}px` });
    const said = `: ${signedNumber(weights[index])}${strong[index] ? ", one of the words that did most" : ""}. ${value.hover[index].join(", ")}`;
    button.setAttribute("aria-label", `${value.words[index]}${isAsking() ? "" : said}${isGuessed(index) ? ", marked by you" : ""}`);
    button.setAttribute("aria-pressed", String(isChosen(index)));
    button.classList.toggle("yours", isGuessed(index));
  });
}

async function drawPrompt(value) {
  const box = find(".prompt .plot");
  view.width = box.clientWidth;
  if (!view.width) return; // not laid out yet: the observer calls again
  const { data, layout, boxes } = promptFigure(value, view.width);
  box.style.height = `${layout.height}px`;
  const what = view.segment === null ? "the answer" : `“${shorten(value.segments[view.segment])}”`;
  find(".prompt h2").textContent = `What each ${value.words.some((word) => word.includes(" ")) ? "sentence" : "word"} did to ${what}`;
  find(".prompt .whole").hidden = view.segment === null;
  find(".legend i").style.background = `linear-gradient(90deg, ${shade().map(([at, rgb]) => `rgb(${rgb}) ${100 * at}%`).join(", ")})`;
  placeButtons(value, boxes);
  await plotly();
  if (view.value !== value || layout.width !== box.clientWidth) return;
  await Plotly.react(box, data, layout, { displayModeBar: false });
  if (!box.dataset.wired) {
    box.dataset.wired = "yes";
    box.on("plotly_click", ({ points }) => chooseWord(points[0].customdata));
  }
}

function drawSegments(value) {
  const line = find(".segments");
  while (line.childElementCount > value.segments.length) line.lastElementChild.remove();
  while (line.childElementCount < value.segments.length) {
    const index = line.childElementCount;
    const button = make("button", { type: "button" });
    button.addEventListener("click", () => chooseSegment(index));
    line.append(button);
  }
  [...line.children].forEach((button, index) => {
    const effect = view.word !== null && value.maps ? value.maps[view.word][index] : null;
    const rgb = effect === null ? null : paint(effect);
    button.replaceChildren(value.segments[index], ...(effect === null ? [] : [make("small", { textContent: signedNumber(effect) })]));
    Object.assign(button.style, rgb ? { background: `rgb(${rgb})`, color: pen(rgb) } : { background: "", color: "" });
    button.setAttribute("aria-pressed", String(view.segment === index));
    button.disabled = !value.maps;
  });
  find(".parts .hint").textContent = !value.maps ? "" : view.word === null
    ? "choose a part to see its words"
    : `coloured by what “${shorten(value.words[view.word])}” did`;
}

function drawTable(table, columns, rows, mark = () => false) {
  const row = (cells, tag, number) => make("tr", {}, ...cells.map((text, index) => {
    const cell = make(index ? tag : "th", { textContent: text, title: text });
    if (cell.tagName === "TH") cell.scope = tag === "th" ? "col" : "row";
    if (tag === "td" && index) cell.classList.toggle("shown", mark(number, index - 1));
    return cell;
  }));
  table.replaceChildren(make("thead", {}, row(columns, "th", 0)), make("tbody", {}, ...rows.map((cells, number) => row(cells, "td", number))));
}

async function drawTrace(value) {
  const [box, said] = [find(".trace .plot"), find(".trace .quiet")];
  const edges = value.edges ?? [];
  said.textContent = edges.length ? value.traced : "No path from a word or a sentence can be told from chance.";
  box.hidden = !edges.length;
  const width = box.clientWidth || find(".paths").clientWidth - 32;
  if (!edges.length || width < 10) return;
  const k = value.words.length;
  const sources = [...new Set(edges.map(({ source }) => source).filter((source) => source < k))].sort((a, b) => a - b);
  const at = (index, count) => (index + 0.5) / count;
  const places = new Map(sources.map((source, index) => [source, [at(index, sources.length), 1]]));
  const [ys, middle] = [value.segments.map((_, index) => 0.12 + 0.3 * (value.segments.length - 1 - index) / Math.max(1, value.segments.length - 1)), 0.5];
  value.segments.forEach((_, index) => places.set(k + index, [value.segments.length > 1 ? at(index, value.segments.length) : middle, ys[index]]));
  const ink = inDark() ? "#f3f0ea" : "#1c1917";
  const data = edges.map(({ source, target, weight, said: numbers }) => {
    const [[x0, y0], [x1, y1]] = [places.get(source), places.get(k + target)];
    const steps = [...Array(25).keys()].map((step) => step / 24);
    const ease = (step) => step * step * (3 - 2 * step);
    return {
      type: "scatter", mode: "lines", x: steps.map((s) => x0 + (x1 - x0) * ease(s)), y: steps.map((s) => y0 - 0.05 + (y1 + 0.05 - y0 + 0.05) * s),
      line: { width: 2 + 8 * Math.min(1, Math.abs(weight)), color: `rgb(${paint(weight < 0 ? -0.65 : 0.65)})`, simplify: false },
      hoverinfo: "text", text: `${escaped(shorten(source < k ? value.words[source] : value.segments[source - k]))} → ${escaped(shorten(value.segments[target]))}<br>${numbers}`,
    };
  });
  const note = (x, y, text, more) => ({ x, y, text, showarrow: false, font: { size: 13, color: ink }, ...more });
  const box2 = { bgcolor: inDark() ? "#272522" : "#f1efeb", bordercolor: inDark() ? "#8f877d" : "#8a8278", borderpad: 5 };
  const letters = Math.max(12, Math.floor(width / Math.max(1, value.segments.length) / 7.5));
  const cut = (text, length) => escaped(text.length > length ? `${text.slice(0, length - 1)}…` : text);
  const annotations = [
    ...sources.map((source) => note(places.get(source)[0], 1.04, `<b>${cut(value.words[source], Math.max(6, Math.floor(width / sources.length / 8)))}</b>`)),
    ...value.segments.map((segment, index) => note(...places.get(k + index), cut(segment, letters), box2)),
    ...edges.map(({ source, weight }, index) => {
      const line = data[index];
      const step = 5 + 6 * edges.slice(0, index).filter((edge) => edge.source === source).length; // near its word: words stand apart
      return note(line.x[Math.min(step, 20)], line.y[Math.min(step, 20)], signedNumber(weight), { font: { size: 12, color: ink }, bgcolor: inDark() ? "#1d1c1a" : "#fff" });
    }),
  ];
  const axis = { visible: false, fixedrange: true };
  await plotly();
  if (view.value !== value) return;
  await Plotly.react(box, data, {
    width, height: 260, margin: { l: 0, r: 0, t: 0, b: 0 }, showlegend: false, hovermode: "closest", dragmode: false, annotations,
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { family: getComputedStyle(element.firstElementChild).fontFamily },
    xaxis: { ...axis, range: [0, 1] }, yaxis: { ...axis, range: [0, 1.1] },
  }, { displayModeBar: false });
}

const sameMask = (one, other) => one.every((kept, index) => kept === other[index]);

// What if: the answer to exactly these words, one of those there are, or asked live. It is no part of the numbers.
function drawWhatIf(value) {
  view.mask ??= value.words.map(() => true);
  const line = find(".what-if .choices");
  while (line.childElementCount > value.words.length) line.lastElementChild.remove();
  while (line.childElementCount < value.words.length) {
    const index = line.childElementCount;
    const button = make("button", { type: "button" });
    button.addEventListener("click", () => {
      view.mask = view.mask.map((kept, at) => (at === index ? !kept : kept));
      drawWhatIf(view.value);
      clearTimeout(view.later);
      if (!answerTo(view.value)) view.later = setTimeout(() => trigger("edit", { mask: view.mask }), 400);
    });
    line.append(button);
  }
  [...line.children].forEach((button, index) => {
    button.textContent = value.words[index];
    button.setAttribute("aria-pressed", String(view.mask[index]));
  });
  const found = answerTo(value);
  find(".what-if .told").replaceChildren(...(found ? [found.answer] : ["…"]));
  find(".what-if .quiet").textContent = !found ? "Asking the model; a file of its own has only the prompts that were asked."
    : found.live ? "Asked just now; the numbers do not use it." : "One of the prompts that were asked.";
}

function answerTo(value) {
  const row = value.masks.findIndex((mask) => sameMask(mask, view.mask));
  const group = value.answers.find(({ rows }) => rows.includes(row));
  if (row >= 0 && group) return { answer: group.parts.filter(([kind]) => kind !== "gone").map(([, words]) => words).join(" "), live: false };
  const tried = (props.tried?.edits ?? []).find(({ mask }) => mask.length === view.mask.length && sameMask(mask, view.mask));
  return tried && { answer: tried.answer, live: true };
}

function drawPaths(value) {
  if (!view.picked) view.show = null; // a run that ends has a trace that it had not before
  const there = { trace: value.edges !== null, matrix: value.maps !== null, numbers: true, whatif: true };
  if (view.show === null || !there[view.show]) view.show = Object.keys(there).find((name) => there[name]);
  for (const button of element.querySelectorAll(".switch button")) {
    button.hidden = !there[button.dataset.show];
    button.setAttribute("aria-pressed", String(button.dataset.show === view.show));
  }
  find(".trace").hidden = view.show !== "trace";
  find(".matrix").hidden = view.show !== "matrix";
  find(".table").hidden = view.show !== "numbers";
  find(".what-if").hidden = view.show !== "whatif";
  if (view.show === "whatif") drawWhatIf(value);
  if (view.show === "trace") drawTrace(value).catch((error) => console.error(error));
  if (view.show === "matrix") {
    drawTable(find(".matrix table"), ["word", ...value.segments], value.words.map((word, index) => [word, ...value.maps[index].map(signedNumber)]),
      (row, column) => Boolean(value.places?.[row][column]));
  }
  if (view.show === "numbers") drawTable(find(".table table"), value.columns, value.rows);
}

function drawAnswers(value) {
  const most = Math.max(...value.answers.map(({ rows }) => rows.length));
  const strong = value.words.map((_, index) => value.leading[index]);
  find(".gallery h2").textContent = value.different > value.answers.length
    ? `${value.answers.length} of ${value.different} answers to ${value.prompts} prompts`
    : `${value.different} ${value.different === 1 ? "answer" : "different answers"} to ${value.prompts} prompts`;
  const items = value.answers.map(({ parts, rows, example, itself }) => {
    const tags = { same: "span", gone: "del", new: "ins" };
    const text = make("p", {}, ...parts.flatMap(([kind, words], index) => [...(index ? [" "] : []), make(tags[kind], { textContent: words })]));
    const left = value.words.map((word, index) => ({ word, index })).filter(({ index }) => !value.masks[example][index])
      .sort((a, b) => strong[b.index] - strong[a.index] || a.index - b.index);
    const shown = left.slice(0, 12);
    const out = make("p", { className: "left-out" }, ...(itself ? ["the answer itself"] : ["for example without ",
      ...shown.flatMap(({ word, index }) => [make("del", { textContent: word, className: strong[index] ? "main" : "" }), " "]), left.length > 12 ? "…" : ""]));
    const kept = view.word === null ? rows.length : rows.filter((row) => value.masks[row][view.word]).length;
    const bar = (count, name) => make("i", { className: name, style: `width: ${Math.round(84 * count / most)}px` });
    const bars = make("span", {}, bar(kept, "with"), ...(view.word === null || kept === rows.length ? [] : [bar(rows.length - kept, "without")]));
    const said = view.word === null ? `${rows.length}` : `${kept} / ${rows.length - kept}`;
    const title = view.word === null ? "" : `${kept} with “${value.words[view.word]}”, ${rows.length - kept} without`;
    return make("li", {}, make("div", {}, text, out), make("div", { className: "often", title }, bars, make("span", { textContent: said })));
  });
  find(".gallery .head .quiet").textContent = view.word === null ? "how often" : `with / without “${shorten(value.words[view.word])}”`;
  find(".answers").replaceChildren(...items);
}

function redraw() {
  drawSegments(view.value);
  drawAnswers(view.value);
  drawPrompt(view.value).catch((error) => console.error(error));
}

function chooseWord(word) {
  if (isAsking()) return markGuess(word);
  view.word = view.word === word ? null : word;
  redraw();
}

function chooseSegment(segment) {
  view.segment = view.segment === segment ? null : segment;
  redraw();
}

function drawFinding(value) {
  const notice = value.running ? null : props.notice; // a run is the answer to what was asked
  const old = Boolean(notice?.kind);
  find(".finding").textContent = old ? notice.text : value.warning || value.finding;
  find(".finding").dataset.tone = old ? notice.kind : value.warning ? "warn" : "";
  find(".said .numbers").textContent = old ? `Below is the old answer, to “${shorten(value.prompt)}”.` : [value.warning ? value.finding : "", value.remarks[0] ?? ""].filter(Boolean).join(" ");
  const marks = [...(old ? ["old answer"] : []), value.source || "run here", ...(old ? [] : value.facts), value.note].filter(Boolean);
  find(".badges").replaceChildren(...marks.map((text, index) => make("span", { textContent: text, className: index ? "" : "main" })));
  const pin = find(".pin");
  pin.hidden = old || value.running || !props.pin; // a file of its own has no next run
  pin.textContent = props.pin?.on ? "Unpin" : "Pin";
  pin.title = props.pin?.on ? "Compare the next runs with none" : "Compare the next run with this one";
  markOld(old, [".prompt", ".parts", ".paths", ".gallery"]);
}

function draw() {
  const before = view.value;
  const other = before?.prompt !== props.value?.prompt || before?.answer !== props.value?.answer;
  if (other) beginGuess();
  const value = withhold(props.value);
  find(".nothing").hidden = Boolean(value);
  find(".something").hidden = !value;
  view.value = value;
  if (!value) return;
  if (other) Object.assign(view, { word: null, segment: null, show: null, mask: null, picked: false });
  drawFinding(value);
  find(".remarks").textContent = [...value.remarks.slice(1), value.unchecked].filter(Boolean).join(" ");
  find(".python").hidden = !value.python;
  find(".python pre").textContent = value.python;
  drawPaths(value);
  redraw();
  drawGuess();
}

find(".pin").addEventListener("click", () => trigger("like"));
find(".whole").addEventListener("click", () => chooseSegment(view.segment));
for (const button of element.querySelectorAll(".switch button")) {
  button.addEventListener("click", () => { Object.assign(view, { show: button.dataset.show, picked: true }); drawPaths(view.value); });
}
find(".python button").addEventListener("click", ({ currentTarget }) => copy(currentTarget, find(".python pre").textContent, find(".python pre")));
new ResizeObserver(() => {
  if (!view.value || find(".prompt .plot").clientWidth === view.width) return;
  drawPrompt(view.value).catch((error) => console.error(error));
  drawPaths(view.value);
}).observe(find(".prompt .plot"));
watch("value", draw);
watch("pin", () => view.value && drawFinding(view.value));
watch("notice", () => view.value && drawFinding(view.value));
watch("tried", () => view.value && view.show === "whatif" && drawWhatIf(view.value));
draw();
