// Two pictures: an edit before and after, and where in it a word acts. A map is laid over the grey reference with one
// pixel for each place that is the word's, red where it makes it lighter, blue where darker: the more, the less is seen of
// the picture. Other places stay as they are.

const slide = find(".before .slide");
const where = find(".where");
let multiples = null; // the value whose maps are drawn small

function paintMap(canvas, map, { scale, map_limit: limit }) {
  [canvas.height, canvas.width] = [map.length, map[0].length];
  const brush = canvas.getContext("2d");
  const pixels = brush.createImageData(canvas.width, canvas.height);
  map.flat().forEach((weight, index) => {
    if (weight === null) return;
    const strength = Math.sqrt(Math.min(1, Math.abs(weight) / limit));
    pixels.data.set([...colour(scale, weight, limit), Math.round(255 * strength)], 4 * index);
  });
  brush.putImageData(pixels, 0, 0);
}

// What the edits of a seed are compared with.
const referenceOf = (value, seed) =>
  value.reference === "input picture" ? value.input : value.edits.find((edit) => edit.seed === seed && edit.mask.every(Boolean)).src;

function setPicture(image, src, alt) {
  if (image.getAttribute("src") !== src) image.src = src;
  image.alt = alt;
}

function drawBefore(value) {
  const chosen = state.edit === null ? null : state.edit < value.edits.length ? value.edits[state.edit] : value.others[state.edit - value.edits.length];
  const left = chosen?.src ?? value.input;
  const right = chosen?.mask ? referenceOf(value, chosen.seed) : value.edits[0].src;
  const [from, to] = [chosen ? "this edit" : "input", chosen && value.reference === "input picture" ? "input" : "all words"];
  setPicture(find(".under", slide), right, to);
  setPicture(find(".over", slide), left, from);
  find(".left", slide).textContent = from;
  find(".right", slide).textContent = to;
  const what = find(".before .what");
  if (!chosen) what.textContent = "the input, and the edit with all words";
  else what.replaceChildren(...captionOf(value, chosen), ` · ${chosen.said}`);
}

function moveSlide() {
  const share = find("input", slide).value;
  find(".over", slide).style.clipPath = `inset(0 ${100 - share}% 0 0)`;
  find(".line", slide).style.left = `${share}%`;
}

function drawWhere(value) {
  where.hidden = find(".multiples").hidden = !value.maps;
  if (!value.maps) return;
  const size = (index) => Math.abs(value.weights[index] ?? 0);
  const largest = value.words.map((_, index) => index).sort((a, b) => value.significant[b] - value.significant[a] || size(b) - size(a))[0];
  const shown = state.word ?? largest;
  find(".title", where).textContent = `Where “${value.words[shown]}” acts`;
  const said = value.where[shown];
  find(".what", where).textContent = said || "it changes no place evidently";
  setPicture(find(".base", where), referenceOf(value, value.edits[0].seed), "");
  const canvas = find("canvas", where);
  paintMap(canvas, value.maps[shown], value);
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `Where “${value.words[shown]}” acts: ${said || "no place changes evidently"}`);
  drawMultiples(value, shown);
}

// The buttons stay the same elements as long as the words do: focus is not lost when one is chosen.
function drawMultiples(value, shown) {
  const box = find(".maps");
  const src = referenceOf(value, value.edits[0].seed);
  if (multiples !== value) {
    multiples = value;
    box.replaceChildren(...value.words.map((word, index) => {
      const canvas = make("canvas");
      paintMap(canvas, value.maps[index], value);
      const picture = make("span", { className: "slide" }, make("img", { src, alt: "" }), canvas);
      const button = make("button", { type: "button" }, picture, make("span", { textContent: word }));
      button.setAttribute("aria-label", `Where “${word}” acts`);
      button.addEventListener("click", () => choose(index));
      return button;
    }));
  }
  [...box.children].forEach((button, index) => {
    button.setAttribute("aria-pressed", String(state.word === index));
    button.classList.toggle("shown", index === shown);
  });
}

find("input", slide).addEventListener("input", moveSlide);
find(".opacity input").addEventListener("input", ({ currentTarget }) => { find("canvas", where).style.opacity = currentTarget.value / 100; });
