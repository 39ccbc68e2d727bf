// Lets one paint the region on the picture (components.py, RegionPainter). Runs once, when the component is mounted;
// `element`, `props` and `watch` come from gr.HTML. `props.picture` is the picture, `props.value` the region: a PNG that is
// opaque where the region is, of the canvas's size, as a data URL, and "" where nothing is painted.

const find = (selector) => element.querySelector(selector);
const [stage, image, canvas, size] = [".stage", "img", "canvas", "input"].map(find);
const brush = canvas.getContext("2d", { willReadFrequently: true });
let known = ""; // the value that the canvas shows
let last = null; // where the stroke under way has come to

async function load(url) {
  const loaded = new Image();
  loaded.src = url;
  await loaded.decode();
  return loaded;
}

async function show() {
  const { picture, value } = props;
  element.classList.toggle("blank", !picture);
  if (!picture) return;
  if (image.getAttribute("src") !== picture) {
    image.src = picture;
    await image.decode();
    if (props.picture !== picture) return; // a newer one is on its way
    const scale = canvas.dataset.longest / Math.max(image.naturalWidth, image.naturalHeight);
    canvas.width = Math.round(image.naturalWidth * scale); // which also clears it
    canvas.height = Math.round(image.naturalHeight * scale);
    known = "";
  }
  if ((value ?? "") === known) return;
  const region = value ? await load(value) : null;
  if (props.value !== value) return;
  brush.globalCompositeOperation = "source-over";
  brush.clearRect(0, 0, canvas.width, canvas.height);
  brush.imageSmoothingEnabled = false;
  if (region) brush.drawImage(region, 0, 0, canvas.width, canvas.height);
  known = value ?? "";
}

function draw(event) {
  const box = canvas.getBoundingClientRect();
  const point = [(event.clientX - box.left) * canvas.width / box.width, (event.clientY - box.top) * canvas.height / box.height];
  brush.globalCompositeOperation = find(".erase").getAttribute("aria-pressed") === "true" ? "destination-out" : "source-over";
  brush.strokeStyle = "#fff";
  brush.lineCap = brush.lineJoin = "round";
  brush.lineWidth = Number(size.value) / 100 * Math.max(canvas.width, canvas.height);
  brush.beginPath();
  brush.moveTo(...(last ?? point));
  brush.lineTo(...point);
  brush.stroke();
  last = point;
}

function keep(value) {
  known = value;
  props.value = value;
}

canvas.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  canvas.setPointerCapture(event.pointerId);
  draw(event);
});
canvas.addEventListener("pointermove", (event) => {
  if (last) draw(event);
});
for (const end of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(end, () => {
    if (last) keep(canvas.toDataURL("image/png"));
    last = null;
  });
}
find(".erase").addEventListener("click", ({ currentTarget }) => {
  currentTarget.setAttribute("aria-pressed", String(currentTarget.getAttribute("aria-pressed") !== "true"));
});
find(".clear").addEventListener("click", () => {
  brush.clearRect(0, 0, canvas.width, canvas.height);
  keep("");
});
watch(["value", "picture"], show);
show();
