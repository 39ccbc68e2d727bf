// On a phone the form is folded into one bar (components.py, AskBar): what is asked, and the button that asks it.

const [picture, open, go] = ["img", ".open", ".go"].map((each) => element.querySelector(each));
const { parts } = props;
const part = (name) => (parts[name] ? document.querySelector(parts[name]) : null);
const form = () => part("form");

const write = (where, text) => { if (where.textContent !== text) where.textContent = text; }; // a change is heard of below

function show() {
  const field = part("text");
  const source = part("picture")?.src;
  const button = document.querySelector(`${parts.stop}:not([disabled])`) ?? part("start");
  const kind = part("kind");
  write(open.querySelector("b"), field?.value || field?.placeholder || "");
  write(open.querySelector("span"), `${kind?.value ?? kind?.textContent.trim() ?? ""} · ${form()?.classList.contains("unfolded") ? "fold ▴" : "change ▾"}`);
  if (source && picture.src !== source) picture.src = source;
  picture.hidden = !source;
  if (button) write(go, button === part("start") ? "Explain" : "Stop");
}

open.addEventListener("click", () => {
  open.setAttribute("aria-expanded", String(form().classList.toggle("unfolded")));
  show();
});
go.addEventListener("click", () => {
  form().classList.remove("unfolded");
  open.setAttribute("aria-expanded", "false");
  part(go.textContent === "Stop" ? "stop" : "start").click();
});
const watching = new MutationObserver(show);
const begin = () => {
  if (!form()) return void setTimeout(begin, 50);
  watching.observe(form(), { subtree: true, attributeFilter: ["src", "disabled", "class"] });
  form().addEventListener("input", show);
  setInterval(() => { // a value that is set by Gradio changes no attribute
    if (open.querySelector("b").textContent !== part("text")?.value) show();
  }, 500);
  show();
};
begin();
