// The edits it was computed from, all at once. A word that is chosen splits them in place: at the left those that have it, at
// the right those that do not, each beside its nearest. An edit that is chosen goes onto the stage.

const tiles = new Map(); // by position, so that a picture is decoded once and focus stays where it was

function tile(value, edit, index, farthest) {
  if (!tiles.has(index)) {
    const button = make("button", { type: "button", className: "edit" });
    button.addEventListener("click", () => chooseEdit(index));
    tiles.set(index, { button, key: "" });
  }
  const known = tiles.get(index);
  const now = JSON.stringify([edit.src?.length, edit.src?.slice(-64), edit.mask, edit.said, edit.seed, farthest, value.words, state.word, state.seed]);
  if (known.key === now) return known.button;
  known.key = now;
  const left = edit.mask ? value.words.filter((_, word) => !edit.mask[word]).join(", ") : "";
  const bar = make("i", { className: "bar" });
  bar.style.setProperty("--share", `${(100 * (edit.distance ?? 0)) / farthest}%`);
  const picture = make("span", { className: "im" }, edit.src ? make("img", { src: edit.src, alt: "" }) : edit.said ? make("span", { className: "failed", textContent: edit.said }) : "");
  known.button.replaceChildren(picture, bar, make("span", { className: "text" }, ...captionOf(value, edit, state.word)));
  known.button.disabled = !edit.src;
  known.button.title = edit.said && `${edit.said}${edit.mask && value.reference !== "input picture" ? " from the full edit" : ""}`;
  const name = edit.mask ? (left ? `Edit without ${left}` : "Edit with all words") : `Edit with all words, seed ${edit.seed}`;
  known.button.setAttribute("aria-label", `${name}, ${edit.said || "not made yet"}`);
  return known.button;
}

// Those with the word by distance, and beside each the one without it that differs least in the other words.
function split(value, members, word) {
  const there = members.filter(({ edit }) => edit.mask[word]).sort((a, b) => (a.edit.distance ?? Infinity) - (b.edit.distance ?? Infinity));
  const left = members.filter(({ edit }) => !edit.mask[word]);
  const matched = there.flatMap(({ edit }) => {
    const near = left.map((other, at) => [differ(edit.mask, other.edit.mask), at]).sort((a, b) => a[0] - b[0])[0];
    return near ? left.splice(near[1], 1) : [];
  });
  return [there, [...matched, ...left]];
}

function place(button, row, column) {
  Object.assign(button.style, row === null ? { gridRow: "", gridColumn: "" } : { gridRow: row + 1, gridColumn: column + 1 });
  return button;
}

function drawGallery(value) {
  const grid = find(".gallery .grid");
  const members = ofSeed(value);
  const farthest = farthestOf(value);
  const waiting = (value.planned ?? []).map((mask, at) => ({ edit: { mask, src: null, said: "", seed: value.edits[0].seed }, index: value.edits.length + at }));
  const all = [...members, ...waiting];
  for (const index of tiles.keys()) if (index >= value.edits.length + waiting.length) tiles.delete(index);
  const focused = grid.contains(document.activeElement) ? document.activeElement : null;
  const { columns, narrow } = galleryShape(all.length);
  const buttons = ({ edit, index }) => tile(value, edit, index, farthest);
  let shown = [];
  grid.classList.toggle("split", state.word !== null);
  if (state.word === null) {
    grid.style.setProperty("--columns", columns);
    shown = all.map((each) => place(buttons(each), null));
  } else {
    const [there, without] = split(value, all, state.word);
    if (narrow) { // above each other, one pair after another
      const count = Math.max(there.length, without.length);
      for (let at = 0; at < count; at++) {
        if (there[at]) shown.push(place(buttons(there[at]), 0, at));
        if (without[at]) shown.push(place(buttons(without[at]), 1, at));
      }
    } else {
      let [left, right] = [Math.ceil(columns / 2), Math.floor(columns / 2)];
      const most = Math.ceil(all.length / columns);
      while (there.length > left * most) left++;
      while (without.length > right * most) right++;
      grid.style.setProperty("--columns", left + right);
      grid.style.setProperty("--cut", left / (left + right));
      const rows = Math.max(Math.ceil(there.length / left), Math.ceil(without.length / right));
      for (let row = 0; row < rows; row++) {
        there.slice(row * left, row * left + left).forEach((each, at) => shown.push(place(buttons(each), row, at)));
        without.slice(row * right, row * right + right).forEach((each, at) => shown.push(place(buttons(each), row, left + at)));
      }
    }
  }
  const size = value.edits[0].src ? value.ratio : 1;
  grid.style.setProperty("--ratio", size);
  grid.classList.toggle("few", all.length < 9);
  grid.classList.toggle("many", all.length > 16);
  grid.replaceChildren(...shown);
  focused?.focus({ preventScroll: true });
  drawGalleryHead(value, members);
  markTiles();
}

function drawGalleryHead(value, members) {
  const head = find(".gallery .head");
  const seeds = [...new Set(value.edits.map((edit) => edit.seed))];
  const title = (text, more = "") => make("h3", {}, text, make("span", { textContent: more }));
  const count = (kept) => members.filter(({ edit }) => edit.mask[state.word] === kept).length;
  const from = value.reference === "input picture" ? "input" : "full edit";
  const key = value.running ? [] : ["bar: ", make("span", { className: "full", textContent: `how far from the ${from}` }), make("span", { className: "short", textContent: "distance" })];
  const parts = state.word === null
    ? [title(value.running ? `${members.length} of ${members.length + value.planned.length} edits` : `The ${members.length} edits it was computed from`), make("span", { className: "key" }, ...key)]
    : [title(`with “${value.words[state.word]}”`, ` · ${count(true)}`), title("without", ` · ${count(false)}, next to its nearest`)];
  head.classList.toggle("halves", state.word !== null);
  if (seeds.length > 1) {
    const box = make("span", { className: "seg seeds", role: "group", ariaLabel: "Seed" });
    for (const seed of [...seeds, "all"]) {
      const button = make("button", { type: "button", textContent: seed === "all" ? "all" : `seed ${seed}` });
      button.setAttribute("aria-pressed", String(seed === (state.seed ?? seeds[0])));
      button.addEventListener("click", () => chooseSeed(seed));
      box.append(button);
    }
    parts.push(box);
  }
  head.replaceChildren(...parts);
}

// How many columns so many edits stand in, as wide as the page is.
function galleryShape(count) {
  const room = element.clientWidth;
  if (room < 560) return { columns: Math.ceil(count / 2), narrow: true };
  if (count <= 4) return { columns: 2, narrow: false };
  return { columns: count > 16 && room >= 1000 ? 6 : 4, narrow: false };
}

function markTiles() {
  for (const [index, { button }] of tiles) button.setAttribute("aria-pressed", String(state.edit === index));
}

function drawOthers(value) {
  find(".others").hidden = !value.others.length;
  const farthest = farthestOf(value);
  find(".others .grid").replaceChildren(...value.others.map((edit) => {
    const bar = make("i", { className: "bar" });
    bar.style.setProperty("--share", `${(100 * (edit.distance ?? 0)) / farthest}%`);
    const picture = edit.src ? make("img", { src: edit.src, alt: "" }) : make("span", { className: "failed", textContent: edit.said });
    return make("figure", { className: "other" }, make("span", { className: "im" }, picture), bar, make("figcaption", { textContent: `seed ${edit.seed} · ${edit.said}` }));
  }));
}
