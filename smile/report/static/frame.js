// The frame of an answer: the finding, what is chosen, and everything drawn again when a value arrives or a choice is made.
// It knows neither pictures nor answers: `drawHeatmap`, `drawStage`, `drawGallery` and `drawBelow` are those of the scripts
// that files.py puts before it.

// What is chosen. `mask`: the words that are on; `peek`: a word that the mouse or the focus is on; `tried`: edits made for what if.
const state = { value: null, word: null, edit: 0, mask: [], view: "both", peek: null, seed: null, tried: [], trying: false };

// What guess.js asks of the view.
const shownValue = () => state.value;
const didIt = (value) => value.significant;
const drawMarked = () => drawHeatmap(state.value);
const isChosen = (index) => (isAsking() ? guess.marks.has(index) : state.word === index);

// The value without anything that tells.
function withhold(value) {
  if (!value || !isAsking()) return value;
  const none = value.words.map(() => null);
  return {
    ...value, weights: none, low: none, high: none, alone: none, significant: value.words.map(() => false), noise: false, maps: null,
    where: [], others: [], rows: value.rows.map(([word, ...rest]) => [word, ...rest.map(() => "")]),
    headline: "Which words changed the picture? Mark them, then see.", figures: [], finding: "", remarks: "",
    edits: value.edits.map((edit) => ({ ...edit, distance: null, said: edit.src ? "" : edit.said })),
  };
}

function drawChoice() {
  [...board.cells.children].forEach((button, index) => button.setAttribute("aria-pressed", String(isChosen(index))));
  drawStage(state.value);
  drawGallery(state.value);
  drawMultiples(state.value);
  drawHeatmap(state.value).catch((error) => console.error(error));
}

function choose(word) {
  if (isAsking()) return markGuess(word);
  state.word = state.word === word ? null : word;
  state.mask = state.value.words.map(() => true);
  state.edit = null;
  if (state.word === null) Object.assign(state, { view: ["where", "without"].includes(state.view) ? "both" : state.view, edit: 0 });
  else if (state.view !== "where") state.view = "without";
  state.peek = null;
  drawChoice();
}

// The mouse or the focus is on a word: the picture is the nearest edit without it, until it leaves.
function peek(word) {
  if (!state.value || isAsking() || state.view === "where" || state.peek === word) return;
  state.peek = word;
  drawStage(state.value);
}

function chooseView(view) {
  Object.assign(state, { view, peek: null });
  drawStage(state.value);
}

function chooseSeed(seed) {
  Object.assign(state, { seed, edit: null });
  drawStage(state.value);
  drawGallery(state.value);
}

function chooseEdit(index) {
  const again = state.edit === index;
  const edit = state.value.edits[again ? 0 : index];
  if (state.seed !== "all") state.seed = edit.seed;
  Object.assign(state, { edit: again ? null : index, mask: edit.mask.slice(), view: state.view === "both" ? "both" : "edit", peek: null });
  drawStage(state.value);
  markTiles();
}

let later = 0;

// The words that are on were changed. What is not among the edits is made, once nobody has clicked for a moment.
function switchWords(mask) {
  const { value } = state;
  Object.assign(state, { mask, peek: null, view: state.view === "both" ? "both" : "edit" });
  const same = ofSeed(value).find(({ edit }) => key(edit.mask) === key(mask));
  state.edit = same?.index ?? null;
  clearTimeout(later);
  state.trying = false;
  if (locate(value, mask).from === "nearest" && props.tried && !value.running && mask.some(Boolean)) {
    state.trying = true;
    later = setTimeout(() => trigger("edit", { mask, seed: seedOf(value) }), 350);
  }
  drawStage(value);
  markTiles();
}

// What was made for what if arrives.
function drawTried() {
  state.tried = props.tried?.edits ?? [];
  state.trying = false;
  if (state.value) drawStage(state.value);
}

function drawFinding(value) {
  const notice = value.running ? null : props.notice;
  const [line, figures] = [find(".finding h2"), find(".finding .figures")];
  const old = Boolean(notice?.kind);
  line.textContent = old ? notice.text : value.warning || value.headline;
  figures.replaceChildren(...(old ? [make("b", { textContent: "Below is the old answer" }), `, to “${value.instruction}”.`]
    : [...(value.lesson ? [make("b", { textContent: value.lesson }), " "] : []), ...(value.warning ? [`${value.headline} `] : []), ...value.figures.map(([text, strong]) => (strong ? make("b", { textContent: text }) : text))]));
  figures.title = old ? "" : [value.finding, value.remarks].join(" ");
  find(".finding").dataset.tone = old ? notice.kind : value.warning ? "warn" : "";
  const badges = old ? ["old answer", ...value.badges.slice(0, 1)] : value.badges;
  find(".badges").replaceChildren(...badges.map((textContent) => make("li", { textContent })));
  find(".live").hidden = !value.source || old;
  find(".back").hidden = !old;
  const pin = find(".pin");
  pin.hidden = old || value.running || !props.pin; // a file of its own has no next run
  pin.textContent = props.pin?.on ? "Unpin" : "Pin";
  pin.title = props.pin?.on ? "Compare the next runs with none" : "Compare the next run with this one";
  find(".take").hidden = old || value.running || !document.querySelector("#take-away");
  markOld(old, [".words", ".stage", ".gallery"]);
}

function draw() {
  let value = props.value;
  const before = state.value;
  const other = !before || !value || before.instruction !== value.instruction || before.edits.length > value.edits.length || before.input !== value.input;
  if (other) beginGuess();
  value = withhold(value);
  find(".nothing").hidden = Boolean(value);
  find(".something").hidden = !value;
  state.value = value;
  if (!value) return;
  if (other || before.running !== value.running && state.mask.every(Boolean)) {
    const view = value.running ? "edit" : "both";
    if (other) Object.assign(state, { word: null, seed: null, tried: [] });
    if (state.word === null) Object.assign(state, { edit: 0, mask: value.words.map(() => true), view, peek: null, trying: false });
  }
  if (other && value.maps && document.documentElement.dataset.embed === "where") { // there is nothing else to see
    const size = (index) => Number(value.significant[index]) * 2 + Math.abs(value.weights[index] ?? 0);
    Object.assign(state, { word: value.words.map((_, index) => index).sort((a, b) => size(b) - size(a))[0], edit: null, view: "where" });
  }
  drawFinding(value);
  drawGallery(value);
  drawStage(value);
  drawBelow(value);
  drawGuess();
}

find(".pin").addEventListener("click", () => trigger("like"));
find(".live").addEventListener("click", () => trigger("play"));
find(".back").addEventListener("click", () => trigger("undo"));
find(".take").addEventListener("click", () => document.querySelector("#take-away").scrollIntoView({ block: "center" }));
watch("value", draw);
watch(["notice"], () => { if (state.value) drawFinding(state.value); });
watch(["pin"], () => { if (state.value) drawFinding(state.value); });
watch(["tried"], drawTried);
new MutationObserver(() => { if (state.value) draw(); }).observe(document.body, { attributeFilter: ["class"] }); // light or dark
