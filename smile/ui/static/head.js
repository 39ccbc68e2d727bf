// Says, before anything is drawn, whether this is in somebody's page, and sends for plotly.js, which is what the heatmap
// waits for longest.

const query = new URLSearchParams(location.search);
document.documentElement.classList.toggle("embed", query.get("embed") === "1");
query.delete("embed");

addEventListener("click", ({ target }) => {
  const link = target.closest?.("#header .full");
  if (link) link.href = `${location.pathname}?${query}`;
  // On a phone the answer stands above the question.
  if (innerWidth <= 860 && target.closest?.("#explain, #compare")) document.querySelector("#answer").scrollIntoView();
}, true);

const { root = "", api_prefix = "/gradio_api" } = window.gradio_config ?? {};
const plot = Object.assign(document.createElement("link"), { rel: "preload", as: "script", fetchPriority: "low" });
plot.href = `${root}${api_prefix}/file=${encodeURI(plotlyJs)}`;
document.head.append(plot);
