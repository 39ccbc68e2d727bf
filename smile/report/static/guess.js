// ?guess=1: which words did it is not shown until somebody has marked those that they think did; then both are, with a score.

const guess = { marks: new Set(), on: new URLSearchParams(location.search).get("guess") === "1" };
const root = document.documentElement.dataset;
if (guess.on) root.guess = "asking";
const isAsking = () => root.guess === "asking";
const isChosen = (index) => (isAsking() ? guess.marks.has(index) : state.word === index);
const isGuessed = (index) => root.guess === "told" && guess.marks.has(index);

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

function markGuess(index) {
  if (!guess.marks.delete(index)) guess.marks.add(index);
  drawGuess();
}

// Another question, another guess.
function beginGuess() {
  guess.marks.clear();
  if (guess.on) root.guess = "asking";
}

const quoteWords = (value, indices) => {
  const names = indices.map((index) => `“${value.words[index]}”`);
  return names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${names.at(-1)}` : names[0];
};

// In plain words: what was found, what was marked for nothing, what was missed.
function scoreOf(value) {
  const all = value.words.map((_, index) => index);
  const did = all.filter((index) => value.significant[index]);
  const [found, missed] = [did.filter((index) => guess.marks.has(index)), did.filter((index) => !guess.marks.has(index))];
  const wrong = all.filter((index) => guess.marks.has(index) && !value.significant[index]);
  const parts = did.length ? [`You found ${found.length} of the ${did.length} ${did.length > 1 ? "words" : "word"} that did it.`] : ["No word evidently did it."];
  if (missed.length) parts.push(`Missed: ${quoteWords(value, missed)}.`);
  if (wrong.length) parts.push(`Marked, but nothing shows that it did something: ${quoteWords(value, wrong)}.`);
  if (!missed.length && !wrong.length) parts.push("A perfect guess.");
  return parts.join(" ");
}

function drawGuess() {
  const [reveal, score] = [find(".reveal"), find(".score")];
  reveal.hidden = !isAsking();
  reveal.disabled = Boolean(state.value?.running);
  reveal.textContent = guess.marks.size ? "Show what did it" : "No word did it";
  score.hidden = root.guess !== "told";
  if (!score.hidden && state.value) score.textContent = scoreOf(state.value);
  if (state.value) drawHeatmap(state.value).catch((error) => console.error(error));
}

find(".reveal").addEventListener("click", () => {
  root.guess = "told";
  draw();
  find(".finding").focus();
});
