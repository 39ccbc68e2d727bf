// Says, before anything is drawn, whether this is in somebody's page, and sends for plotly.js, which is what the heatmap
// waits for longest.

const query = new URLSearchParams(location.search);
document.documentElement.classList.toggle("embed", query.has("embed"));
document.documentElement.dataset.embed = query.get("embed") ?? "";
if (parent !== window && ["heatmap", "gallery", "where"].includes(query.get("embed"))) { // one view: as high as it is
  let told = 0;
  const tell = () => {
    const bottom = document.querySelector("#view .explanation")?.getBoundingClientRect().bottom ?? 0;
    const height = Math.ceil(bottom + scrollY) + 12;
    if (!bottom || height === told) return;
    told = height;
    parent.postMessage({ type: "smile-height", height }, "*"); // a number is no secret
  };
  new ResizeObserver(tell).observe(document.documentElement);
  new MutationObserver(tell).observe(document.documentElement, { childList: true, subtree: true });
}
if (query.get("guess") === "1") document.documentElement.dataset.guess = "asking";
query.delete("embed");

addEventListener("click", ({ target }) => {
  const link = target.closest?.("#header .full");
  if (link) link.href = `${location.pathname}?${query}`;
  if (target.closest?.("#header .light-dark")) document.body.classList.toggle("dark");
  if (!target.closest?.(".plan summary")) document.querySelector(".plan[open]")?.removeAttribute("open");
  if (!target.closest?.("#advanced")) document.querySelector("#advanced > button.label-wrap.open")?.click(); // it lies over the answer
}, true);
addEventListener("keydown", ({ key }) => {
  const open = document.querySelector("#advanced > button.label-wrap.open");
  if (key === "Escape" && open) [open.click(), open.focus()];
});

const { root = "", api_prefix = "/gradio_api" } = window.gradio_config ?? {};
const plot = Object.assign(document.createElement("link"), { rel: "preload", as: "script", fetchPriority: "low" });
plot.href = `${root}${api_prefix}/file=${encodeURI(plotlyJs)}`;
document.head.append(plot);
