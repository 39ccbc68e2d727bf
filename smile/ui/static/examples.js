// Says which example was clicked (components.py, Examples).

element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  button.closest("details")?.removeAttribute("open");
  trigger("select", { index: Number(button.dataset.index) });
});
