// The edits it was computed from: in the order one likes, and with a word chosen, those that have it beside those that
// do not. An edit that is clicked goes into the before and after.

const tiles = new Map(); // by position, so that a picture is decoded once and focus stays where it was

// The instruction with the words that were left out struck out; said as well, for those who do not see the line.
function captionOf(value, edit) {
  if (!edit.mask) return [`all words, other seed (${edit.seed})`];
  const parts = [];
  value.words.forEach((word, index) => {
    if (index) parts.push(" ");
    parts.push(edit.mask[index] ? word : make("del", { textContent: word }));
  });
  if (value.edits[0].seed !== value.edits.at(-1).seed) parts.push(` (seed ${edit.seed})`);
  return parts;
}

function tile(value, edit, index, farthest) {
  if (!tiles.has(index)) {
    const button = make("button", { type: "button", className: "edit" });
    button.addEventListener("click", () => {
      state.edit = state.edit === index ? null : index;
      drawBefore(state.value);
      markTiles();
    });
    tiles.set(index, { button, key: "" });
  }
  const known = tiles.get(index);
  const key = JSON.stringify([edit.src?.length, edit.src?.slice(-64), edit.mask, edit.said, edit.seed, farthest, value.words]);
  if (known.key === key) return known.button;
  known.key = key;
  const left = edit.mask ? value.words.filter((_, word) => !edit.mask[word]).join(", ") : "";
  const bar = make("i", { className: "bar" }, make("i"));
  bar.firstChild.style.width = `${100 * (edit.distance ?? 0) / (farthest || 1)}%`;
  known.button.replaceChildren(
    edit.src ? make("img", { src: edit.src, alt: "" }) : make("span", { className: "failed", textContent: "blocked or failed" }),
    make("span", { className: "text" }, ...captionOf(value, edit)), bar, make("span", { className: "distance", textContent: edit.said }));
  known.button.disabled = !edit.src;
  const name = edit.mask ? (left ? `Edit without ${left}` : "Edit with all words") : `Edit with all words, other seed ${edit.seed}`;
  known.button.setAttribute("aria-label", `${name}, ${edit.said}`);
  return known.button;
}

function markTiles() {
  for (const [index, { button }] of tiles) button.setAttribute("aria-pressed", String(state.edit === index));
}

function drawGallery(value) {
  const edits = value.edits.map((edit, index) => ({ edit, index }));
  const others = value.others.map((edit, index) => ({ edit, index: index + edits.length }));
  const farthest = Math.max(0, ...[...edits, ...others].map(({ edit }) => edit.distance ?? 0));
  const kept = ({ edit }) => edit.mask.filter(Boolean).length;
  const orders = {
    run: (a, b) => a.index - b.index,
    distance: (a, b) => (a.edit.distance ?? Infinity) - (b.edit.distance ?? Infinity) || a.index - b.index,
    kept: (a, b) => kept(b) - kept(a) || a.index - b.index,
  };
  edits.sort(orders[find(".gallery select").value]);
  const word = state.word === null ? null : value.words[state.word];
  const groups = word === null
    ? [["", edits]]
    : [[`With “${word}”`, edits.filter(({ edit }) => edit.mask[state.word])], [`Without “${word}”`, edits.filter(({ edit }) => !edit.mask[state.word])]];
  if (others.length) groups.push(["All words, other seeds: how far an edit moves when nothing is left out", others]);
  find(".gallery h2").textContent = value.running
    ? `The ${edits.length} edits made so far`
    : `The ${edits.length} edits it was computed from; words struck out were left out`;
  for (const index of tiles.keys()) if (index >= edits.length + others.length) tiles.delete(index);
  const focused = find(".groups").contains(document.activeElement) ? document.activeElement : null;
  find(".groups").replaceChildren(...groups.map(([title, members]) => make("div", { className: "group" },
    ...(title ? [make("h3", { textContent: word !== null && members !== others ? `${title} (${members.length})` : title })] : []),
    make("div", { className: "tiles" }, ...members.map(({ edit, index }) => tile(value, edit, index, farthest))))));
  focused?.focus({ preventScroll: true });
  find(".groups").classList.toggle("split", word !== null);
  markTiles();
}

find(".gallery select").addEventListener("change", () => drawGallery(state.value));
