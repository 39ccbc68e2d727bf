// One large picture: the input, an edit, both, where a word acts, or the edit without it. Its caption is the instruction, whose
// words can be switched off and on; beside it the rail says how far the picture is, and how far another seed goes.

const stage = { views: find(".views"), pict: find(".pict"), rail: find(".rail"), words: find(".what-if"), foot: find(".foot") };
const SVG = "http://www.w3.org/2000/svg";

// A map: one pixel for each place that is the word's, red where it makes it lighter, blue where darker.
function paintMap(canvas, map, { map_limit: limit }, scale) {
  [canvas.height, canvas.width] = [map.length, map[0].length];
  const brush = canvas.getContext("2d", { willReadFrequently: true });
  const pixels = brush.createImageData(canvas.width, canvas.height);
  map.flat().forEach((weight, index) => {
    if (weight === null) return;
    const strength = Math.sqrt(Math.min(1, Math.abs(weight) / limit));
    pixels.data.set([...colour(scale, weight, limit), Math.round(200 * strength)], 4 * index);
  });
  brush.putImageData(pixels, 0, 0);
}

// What is shown: the edit, its words, and what one sees in it.
function seen(value) {
  const word = state.peek ?? state.word;
  if (word !== null && (state.peek !== null || state.view === "without")) {
    const mask = value.words.map((_, index) => index !== word);
    return { ...locate(value, mask, word), view: "without", word };
  }
  return { ...locate(value, state.mask), view: state.view, word };
}

function footOf(value, shown) {
  const { view, exact, from, word } = shown;
  if (view === "input") return "The picture as it was given.";
  if (view === "where") return value.where[word] ? `It changes the picture ${value.where[word]}; red: lighter with it, blue: darker.` : "It changes no place evidently.";
  if (value.running && shown.mask.every(Boolean)) return "The edit with all words, the first one made.";
  if (exact && from === "tried") return "Made just now for these words; the numbers do not use it.";
  if (exact && shown.mask.every(Boolean) && view !== "without") return "Click a word to switch it off: the picture is the edit of the words that are left.";
  if (exact) return `One of the ${value.edits.length} edits behind the numbers.`;
  if (view === "without") return "The nearest edit without it; switch the words yourself to have exactly these made.";
  if (from === "failed") return "These words cannot be tried; this is the nearest edit.";
  return state.trying ? "The nearest edit so far; exactly these words are being tried now." : "The nearest edit there is to these words.";
}

function drawStage(value) {
  const shown = seen(value);
  const { view, word, mask } = shown;
  const name = word === null ? "" : value.words[word];
  const { pict, views } = stage;
  for (const button of views.children) {
    const { view } = button.dataset;
    button.setAttribute("aria-pressed", String(view === state.view));
    button.disabled = (["where", "without"].includes(view) && state.word === null) || (view === "where" && !value.maps);
  }
  pict.style.setProperty("--ratio", value.ratio);
  pict.dataset.view = view;
  const what = view === "without" ? `without “${name}”` : mask.every(Boolean) ? "all words" : "these words";
  const [under, over, canvas, left, right] = [".under", ".over", "canvas", ".left", ".right"].map((part) => find(part, pict));
  setPicture(under, view === "input" ? value.input : shown.src, view === "input" ? "The input picture" : `The edit, ${what}`);
  if (view === "both") setPicture(over, value.input, "The input picture");
  over.hidden = view !== "both";
  canvas.hidden = view !== "where";
  if (view === "where") {
    paintMap(canvas, value.maps[word], value, scaleOf(value));
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `Where “${name}” acts: ${value.where[word] || "no place changes evidently"}`);
  }
  left.textContent = view === "input" || view === "both" ? "input" : view === "where" ? `where “${name}” acts` : what;
  right.textContent = view === "both" ? what : "";
  stage.foot.textContent = footOf(value, shown);
  drawWords(value, mask);
  drawRail(value, view === "input" ? null : shown.distance);
}

// The buttons stay the same elements as long as there are as many words.
function drawWords(value, mask) {
  const box = stage.words;
  if (box.childElementCount !== value.words.length + 2) {
    const reset = make("button", { type: "button", className: "reset", textContent: "all on" });
    reset.addEventListener("click", () => switchWords(state.value.words.map(() => true)));
    box.replaceChildren(make("span", { className: "asks", textContent: "What if" }), ...value.words.map((_, index) => {
      const button = make("button", { type: "button", className: "switch" });
      button.addEventListener("click", () => {
        const now = seen(state.value).mask.slice();
        now[index] = !now[index];
        switchWords(now);
      });
      return button;
    }), reset);
  }
  value.words.forEach((word, index) => {
    const button = box.children[index + 1];
    if (button.textContent !== word) button.textContent = word;
    button.setAttribute("aria-pressed", String(Boolean(mask[index])));
  });
  box.lastElementChild.style.visibility = mask.every(Boolean) ? "hidden" : "";
}

function drawing(tag, properties, text = "") {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(properties)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
}

// From the full edit at the top to the farthest at the bottom: a ring for each edit, a hatch as far as another seed goes.
function drawRail(value, distance) {
  const { rail } = stage;
  const height = stage.pict.clientHeight;
  if (!rail.offsetParent || height < 80) return;
  const [farthest, noise] = [farthestOf(value), farthestSeed(value)];
  const at = (number) => 26 + (number / farthest) * (height - 46);
  const from = value.reference === "input picture" ? "input" : "full edit";
  const kids = [
    drawing("text", { x: 0, y: 10 }, from),
    ...(noise ? [drawing("rect", { class: "hatch", x: 0, y: 26, width: 20, height: Math.max(2, at(noise) - 26) })] : []),
    drawing("line", { x1: 10, x2: 10, y1: 26, y2: height - 20 }),
    ...ofSeed(value, seedOf(value)).filter(({ edit }) => edit.distance !== null).map(({ edit }) => drawing("circle", { class: "ring", cx: 10, cy: at(edit.distance), r: 4 })),
    drawing("text", { x: 0, y: height - 1 }, "farthest"),
  ];
  const clear = distance == null || Math.abs(at(distance) - at(noise)) > 24;
  if (noise && (at(noise) - 26 > 40 || clear)) {
    const y = Math.min(at(noise) - 6, height - 34);
    kids.push(drawing("text", { x: 26, y: Math.max(36, y) }, "another"), drawing("text", { x: 26, y: Math.max(48, y + 12) }, "seed"));
  }
  if (distance != null) {
    kids.push(drawing("circle", { class: "here", cx: 10, cy: at(distance), r: 6.5 }), drawing("text", { class: "how-far", x: 26, y: at(distance) + 5 }, distance.toFixed(2)));
  }
  const svg = drawing("svg", { width: 64, height, viewBox: `0 0 64 ${height}`, "aria-hidden": "true" });
  const pattern = drawing("pattern", { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
  pattern.append(drawing("rect", { class: "ground", width: 6, height: 6 }), drawing("rect", { class: "stripe", width: 1.5, height: 6 }));
  const defs = drawing("defs", {});
  defs.append(pattern);
  svg.append(defs, ...kids);
  rail.replaceChildren(svg);
  const said = distance == null ? "" : `${distance.toFixed(2)} from the ${from}; `;
  rail.setAttribute("aria-label", `How far this picture is: ${said}the farthest edit is ${farthest.toFixed(2)}${noise ? `, another seed goes up to ${noise.toFixed(2)}` : ""}`);
}

function moveCut() {
  const share = find("input", stage.pict).value;
  find(".over", stage.pict).style.clipPath = `inset(0 ${100 - share}% 0 0)`;
  find(".cut", stage.pict).style.left = `${share}%`;
}

stage.views.addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  if (button) chooseView(button.dataset.view);
});
find("input", stage.pict).addEventListener("input", moveCut);
moveCut();
new ResizeObserver(() => { if (state.value) drawStage(state.value); }).observe(stage.pict);
