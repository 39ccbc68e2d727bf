// The answer as a whole: what is chosen, and everything drawn again when a value arrives or a choice is made.

function choose(word) {
  state.word = state.word === word ? null : word;
  [...board.cells.children].forEach((button, index) => button.setAttribute("aria-pressed", String(state.word === index)));
  drawWhere(state.value);
  drawGallery(state.value);
}

function drawShare({ python, bibtex, link }) {
  const base = location.origin + location.pathname;
  const pieces = { python, bibtex, link: link && `${base}?${link}` };
  for (const [name, text] of Object.entries(pieces)) {
    find(`.${name}`).hidden = !text;
    find(`.${name} pre`).textContent = text;
  }
}

function draw() {
  const value = props.value;
  find(".nothing").hidden = Boolean(value);
  find(".something").hidden = !value;
  const before = state.value;
  state.value = value;
  if (!value) return;
  if (before?.instruction !== value.instruction || before.edits.length > value.edits.length || before.input !== value.input) {
    Object.assign(state, { word: null, edit: null }); // another explanation
  }
  find(".source").hidden = !value.source;
  find(".source span").textContent = value.source;
  find(".finding").textContent = value.finding;
  find(".remarks").textContent = value.remarks;
  find(".facts").textContent = value.facts;
  drawBefore(value);
  drawWhere(value);
  drawGallery(value);
  drawShare(value);
  drawHeatmap(value).catch((error) => console.error(error));
}

find(".live").addEventListener("click", () => trigger("play"));
for (const button of element.querySelectorAll(".piece button")) {
  button.addEventListener("click", () => copy(button, button.previousElementSibling.textContent, button.previousElementSibling));
}
moveSlide();
watch("value", draw);
draw();
