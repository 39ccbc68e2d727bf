// Draws a report in its frame (components.py, ReportView). The frame is of no origin, so plotly.js is named by its address.

const frame = element.querySelector("iframe");

function draw() {
  const { root = "", api_prefix = "/gradio_api" } = window.gradio_config ?? {};
  const plotly = `<head><script src="${root}${api_prefix}/file=${encodeURI(props.plotly_js)}"></` + "script>";
  const body = document.body.classList.contains("dark") ? '<body class="dark">' : "<body>";
  frame.hidden = !props.value;
  if (props.value) frame.srcdoc = props.value.page.replace("<head>", () => plotly).replace("<body>", body);
}

watch("value", draw);
draw();
