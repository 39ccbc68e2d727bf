// What all parts share. `element`, `props`, `watch` and `trigger` come from gr.HTML on the app's page and from
// templates/page.html in an exported file. Anybody's texts are set as textContent, and escaped where Plotly reads markup.

const find = (selector, from = element) => from.querySelector(selector);
const make = (tag, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};
const escaped = (text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
const minus = (text) => text.replaceAll("-", "−"); // a true minus
const shortened = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

function plotly() {
  if (window.Plotly) return Promise.resolve();
  window.plotlyLoading ??= new Promise((resolve, reject) => {
    const { root = "", api_prefix = "/gradio_api" } = window.gradio_config ?? {};
    const script = document.createElement("script");
    script.src = `${root}${api_prefix}/file=${encodeURI(props.plotly_js)}`;
    script.onload = resolve;
    script.onerror = () => reject(new Error("plotly.js could not be loaded"));
    document.head.append(script);
  });
  return window.plotlyLoading;
}

const GREY = [226, 226, 226]; // of what is not known, or within noise

const isDark = () => Boolean(element.closest(".dark"));
const scaleOf = (value) => (isDark() ? value.dark_scale : value.scale);
const css = (name) => getComputedStyle(element).getPropertyValue(name).trim();

// The colour [r, g, b] of a weight on the scale -limit to limit; grey where it is not known.
function colour(scale, weight, limit) {
  if (weight === null) return GREY;
  const at = Math.min(1, Math.max(0, 0.5 + 0.5 * weight / limit));
  const above = Math.max(1, scale.findIndex(([stop]) => stop >= at));
  const [[low, from], [high, to]] = [scale[above - 1], scale[above]];
  return from.map((channel, index) => Math.round(channel + (to[index] - channel) * (at - low) / (high - low)));
}

// Black or white, whichever is easier to read on a colour: a contrast of at least 4.58.
function ink(rgb) {
  const linear = rgb.map((value) => (value / 255 <= 0.04 ? value / 3294 : ((value / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.179 ? "#000" : "#fff";
}

const gradient = (scale) =>
  `linear-gradient(90deg, ${scale.map(([at, rgb]) => `rgb(${rgb}) ${100 * at}%`).join(", ")})`;

function fillTable(table, columns, rows) {
  const line = (cells, tag) => {
    const row = make("tr");
    cells.forEach((text, index) => {
      const cell = make(index ? tag : "th", { textContent: text });
      if (cell.tagName === "TH") cell.scope = tag === "th" ? "col" : "row";
      row.append(cell);
    });
    return row;
  };
  table.replaceChildren(
    make("thead", {}, line(columns, "th")), make("tbody", {}, ...rows.map((cells) => line(cells, "td"))));
}

// Copies, and says so on the button. Where the browser forbids the clipboard, as in some iframes, the text is selected.
async function copy(button, text, shown) {
  try {
    await navigator.clipboard.writeText(text);
    button.dataset.was ??= button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = button.dataset.was; }, 2000);
  } catch {
    getSelection().selectAllChildren(shown);
  }
}

// What is shown is not the answer to what is asked: these parts are grey, and nothing in them can be chosen.
function markOld(old, parts) {
  for (const part of parts) {
    find(part).inert = old;
    find(part).classList.toggle("old", old);
  }
}

const copyTable = (button, table) =>
  copy(button, [...table.rows].map((row) => [...row.cells].map((cell) => cell.textContent).join("\t")).join("\n"), table);

// A file that is made here, without a server.
function hand(name, text, kind) {
  const url = URL.createObjectURL(new Blob([text], { type: kind }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
