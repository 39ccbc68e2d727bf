// What stands below the first screen: small maps, the other seeds, the numbers, and what is to be taken away as text.

let multiples = null; // the value whose maps are drawn small

// The buttons stay the same elements as long as the words do: focus is not lost when one is chosen.
function drawMultiples(value) {
  find(".multiples").hidden = !value.maps;
  if (!value.maps) return;
  const box = find(".maps");
  if (multiples !== value) {
    multiples = value;
    const base = value.reference === "input picture" ? value.input : value.edits[0].src;
    box.replaceChildren(...value.words.map((word, index) => {
      const canvas = make("canvas");
      paintMap(canvas, value.maps[index], value, scaleOf(value));
      const picture = make("span", { className: "slide" }, make("img", { src: base, alt: "" }), canvas);
      picture.style.setProperty("--ratio", value.ratio);
      const button = make("button", { type: "button" }, picture, make("b", { textContent: word }), make("span", { textContent: value.where[index] || "no place evidently" }));
      button.setAttribute("aria-label", `Where “${word}” acts: ${value.where[index] || "no place evidently"}`);
      button.addEventListener("click", () => choose(index));
      return button;
    }));
  }
  [...box.children].forEach((button, index) => button.setAttribute("aria-pressed", String(state.word === index)));
}

function drawNumbers(value) {
  find(".facts").textContent = value.facts;
  find(".whole").textContent = [value.finding, value.remarks].filter(Boolean).join(" ");
  fillTable(find(".numbers table"), value.columns, value.rows);
}

// Which words each edit had, how far it moved, and what it counts.
function takeCsv(value) {
  const quoted = (text) => `"${String(text).replaceAll('"', '""')}"`;
  const lines = [["edit", "seed", ...value.words, "distance", "response", "locality weight"].map(quoted)];
  value.edits.forEach((edit, index) => lines.push([index, edit.seed, ...edit.mask.map(Number), edit.distance ?? "", edit.response ?? "", edit.counts ?? ""]));
  hand("edits.csv", lines.map((line) => line.join(",")).join("\n"), "text/csv");
}

function drawShare({ python, bibtex, link }) {
  const base = location.origin + location.pathname;
  const pieces = { python, bibtex, link: link && `${base}?${link}` };
  for (const [name, text] of Object.entries(pieces)) {
    find(`.${name}`).hidden = !text;
    find(`.${name} pre`).textContent = text;
  }
}

function drawBelow(value) {
  drawMultiples(value);
  drawOthers(value);
  drawNumbers(value);
  drawShare(value);
}

find(".copy-table").addEventListener("click", ({ currentTarget }) => copyTable(currentTarget, find(".numbers table")));
find(".take-csv").addEventListener("click", () => takeCsv(state.value));
for (const button of element.querySelectorAll(".piece button")) {
  button.addEventListener("click", () => copy(button, button.previousElementSibling.textContent, button.previousElementSibling));
}
