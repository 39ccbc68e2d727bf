// Which edit stands for which words: those that the numbers rest on, those that somebody tried, else the nearest.

const key = (mask) => mask.map(Number).join("");
const differ = (one, other) => one.reduce((count, kept, index) => count + (kept !== other[index]), 0);
const seedOf = (value) => (state.seed === "all" ? value.edits[0].seed : state.seed ?? value.edits[0].seed);
const ofSeed = (value, seed = state.seed ?? value.edits[0].seed) =>
  value.edits.map((edit, index) => ({ edit, index })).filter(({ edit }) => seed === "all" || edit.seed === seed);

// The edit of exactly these words; else the nearest, of which `exact` is false.
function locate(value, mask, without = null) {
  const made = ofSeed(value, seedOf(value)).map(({ edit }) => edit).filter((edit) => edit.src);
  const same = made.find((edit) => key(edit.mask) === key(mask));
  if (same) return { ...same, exact: true, from: "numbers" };
  const tried = state.tried.find((edit) => edit.seed === seedOf(value) && key(edit.mask) === key(mask));
  if (tried?.src) return { ...tried, exact: true, from: "tried" };
  const near = made.filter((edit) => without === null || !edit.mask[without]).sort((a, b) => differ(a.mask, mask) - differ(b.mask, mask))[0];
  return { ...(near ?? made[0]), exact: false, from: tried ? "failed" : "nearest" };
}

// The words of an edit, those that were left out struck out; said as well, for those who do not see the line.
function captionOf(value, edit, marked = null) {
  if (!edit.mask) return [`all words, seed ${edit.seed}`];
  const parts = [];
  value.words.forEach((word, index) => {
    if (index) parts.push(" ");
    const part = make(edit.mask[index] ? "span" : "del", { textContent: word });
    if (index === marked) part.className = "marked";
    parts.push(part);
  });
  if (state.seed === "all" && value.edits[0].seed !== value.edits.at(-1).seed) parts.push(` (seed ${edit.seed})`);
  return parts;
}

// As far as anything goes: what bars and rail end at.
const farthestOf = (value) => Math.max(0, ...[...value.edits, ...value.others].map(({ distance }) => distance ?? 0)) || 1;
const farthestSeed = (value) => Math.max(0, ...value.others.map(({ distance }) => distance ?? 0));

function setPicture(image, src, alt) {
  if (image.getAttribute("src") !== src) image.src = src;
  image.alt = alt;
}
