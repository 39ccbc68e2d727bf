// ?guess=1: which words did it is not shown until somebody has marked those that they think did; then both are, with a score.
// The view says what it shows (`shownValue`), which words did it (`didIt`), how its value looks without anything that tells
// (`withhold`), and draws its words and all of itself again (`drawMarked`, `draw`).

const guess = { marks: new Set(), on: new URLSearchParams(location.search).get("guess") === "1" };
const root = (find(".answer-view") ?? document.documentElement).dataset; // of an edit the page hides more than the view
if (guess.on) root.guess = "asking";
const isAsking = () => root.guess === "asking";
const isGuessed = (index) => root.guess === "told" && guess.marks.has(index);

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
  const [all, acts] = [value.words.map((_, index) => index), didIt(value)];
  const did = all.filter((index) => acts[index]);
  const [found, missed] = [did.filter((index) => guess.marks.has(index)), did.filter((index) => !guess.marks.has(index))];
  const wrong = all.filter((index) => guess.marks.has(index) && !acts[index]);
  const parts = did.length ? [`You found ${found.length} of the ${did.length} ${did.length > 1 ? "words" : "word"} that did it.`] : ["No word evidently did it."];
  if (missed.length) parts.push(`Missed: ${quoteWords(value, missed)}.`);
  if (wrong.length) parts.push(`Marked, but nothing shows that it did something: ${quoteWords(value, wrong)}.`);
  if (!missed.length && !wrong.length) parts.push("A perfect guess.");
  return parts.join(" ");
}

function drawGuess() {
  const [reveal, score, value] = [find(".reveal"), find(".score"), shownValue()];
  reveal.hidden = !isAsking();
  reveal.disabled = Boolean(value?.running);
  reveal.textContent = guess.marks.size ? "Show what did it" : "No word did it";
  score.hidden = root.guess !== "told";
  if (!score.hidden && value) score.textContent = scoreOf(value);
  if (value) drawMarked().catch((error) => console.error(error));
}

find(".reveal").addEventListener("click", () => {
  root.guess = "told";
  draw();
  find(".finding").focus();
});
