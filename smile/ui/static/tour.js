// A tour of five steps, for whoever asks for it in the header. Nothing is kept but that it was seen; then it is not offered again.

const SEEN = "smile-tour-seen";
const steps = [
  ["#explain-tab-button", "#ask", "Ask", "Choose a picture, or one of the examples. Say what should change, and press Explain."],
  ["#explain-tab-button", "#view .words", "The words", "Each word of the instruction, coloured by what it did to the picture. A star: more than chance. Choose one, and everything else shows what it did."],
  ["#explain-tab-button", "#view .gallery", "The edits", "The picture was edited again and again with words left out; all answers come from these edits. Choose one to see it large."],
  ["#explain-tab-button", "#trust-section", "Can this be trusted?", "How far to believe it, each point in one sentence, with the figures behind a click."],
  ["#ask-tab-button", "#ask-model", "Ask a model", "The same for a language model: which words of a prompt made its answer. Scenarios, beside it, explains many edits at once."],
];
const tour = { panel: null, at: 0 };
const rememberTour = () => {
  document.documentElement.classList.add("toured");
  try { localStorage.setItem(SEEN, "1"); } catch { /* a browser that keeps nothing offers it again */ }
};
try { document.documentElement.classList.toggle("toured", localStorage.getItem(SEEN) === "1"); } catch { /* as above */ }

function endTour() {
  document.querySelector("[data-tour]")?.removeAttribute("data-tour");
  tour.panel?.remove();
  tour.panel = null;
  document.querySelector("#explain-tab-button")?.click();
}

// A tab that is opened for the first time has its parts a moment later.
function markPart(part, at, tries = 200) {
  if (!tour.panel || tour.at !== at) return;
  const target = document.querySelector(part);
  if (!target?.offsetParent) return void (tries && requestAnimationFrame(() => markPart(part, at, tries - 1)));
  target.setAttribute("data-tour", "");
  target.scrollIntoView({ block: innerWidth < 720 ? "start" : "nearest" }); // on a phone the panel lies below it
}

function showStep(at) {
  const [tab, part, title, text] = steps[at];
  document.querySelector("[data-tour]")?.removeAttribute("data-tour");
  const button = document.querySelector(tab);
  if (button?.getAttribute("aria-selected") !== "true") button?.click();
  const folded = document.querySelector("#ask-bar .open[aria-expanded=false]");
  if (part === "#ask" && folded?.offsetParent) folded.click();
  tour.at = at;
  markPart(part, at);
  tour.panel.querySelector("b").textContent = `${at + 1} of ${steps.length}: ${title}`;
  tour.panel.querySelector("p").textContent = text;
  tour.panel.querySelector(".next").textContent = at + 1 < steps.length ? "Next" : "Done";
}

function beginTour() {
  if (tour.panel) return;
  rememberTour();
  const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
  tour.panel = make("section", { className: "tour-panel", role: "dialog", ariaLabel: "Tour", tabIndex: -1 });
  const said = make("div", { ariaLive: "polite" });
  said.append(make("b", {}), make("p", {}));
  tour.panel.append(said, make("button", { type: "button", className: "skip", textContent: "Skip" }), make("button", { type: "button", className: "next" }));
  document.querySelector(".gradio-container").append(tour.panel);
  showStep(0);
  tour.panel.focus();
}

addEventListener("click", ({ target }) => {
  if (target.closest?.("#header .tour")) beginTour();
  if (target.closest?.(".tour-panel .skip")) endTour();
  if (target.closest?.(".tour-panel .next")) tour.at + 1 < steps.length ? showStep(tour.at + 1) : endTour();
});
addEventListener("keydown", ({ key }) => { if (key === "Escape" && tour.panel) endTour(); });
