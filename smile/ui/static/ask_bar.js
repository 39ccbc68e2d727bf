// On a phone the form is folded into one bar (components.py, AskBar): what is asked, and the button that asks it.

const [picture, open, go] = ["img", ".open", ".go"].map((part) => element.querySelector(part));
const form = () => document.querySelector("#ask");

const write = (part, text) => { if (part.textContent !== text) part.textContent = text; }; // a change is heard of below

function show() {
  const field = document.querySelector("#instruction textarea");
  const source = document.querySelector("#picture img")?.src;
  const button = document.querySelector("#stop:not([disabled])") ?? document.querySelector("#explain");
  const editor = document.querySelector("#editor label.selected")?.innerText.trim();
  write(open.querySelector("b"), field?.value || "Say what should change");
  write(open.querySelector("span"), `${editor ?? ""} · ${form()?.classList.contains("unfolded") ? "fold ▴" : "change ▾"}`);
  if (source && picture.src !== source) picture.src = source;
  picture.hidden = !source;
  if (button) write(go, button.id === "stop" ? "Stop" : "Explain");
}

open.addEventListener("click", () => {
  open.setAttribute("aria-expanded", String(form().classList.toggle("unfolded")));
  show();
});
go.addEventListener("click", () => {
  form().classList.remove("unfolded");
  open.setAttribute("aria-expanded", "false");
  document.querySelector(go.textContent === "Stop" ? "#stop" : "#explain").click();
});
const watching = new MutationObserver(show);
const begin = () => {
  if (!form()) return void setTimeout(begin, 50);
  watching.observe(form(), { subtree: true, attributeFilter: ["src", "disabled", "class"] });
  form().addEventListener("input", show);
  setInterval(() => { // a value that is set by Gradio changes no attribute
    if (open.querySelector("b").textContent !== document.querySelector("#instruction textarea")?.value) show();
  }, 500);
  show();
};
begin();
