// A picture from the camera, the clipboard, or dropped onto the form (components.py, PictureSources): each becomes the file of
// the button #upload, so that there is one way into the page.

const input = () => document.querySelector("#picture-sources input[type=file]");

function give(file) {
  const carried = new DataTransfer();
  carried.items.add(file);
  input().files = carried.files;
  input().dispatchEvent(new Event("change", { bubbles: true }));
}

const pictureIn = (list) => [...(list ?? [])].find((file) => file.type.startsWith("image/"));

element.querySelector(".camera").addEventListener("click", () => {
  input().setAttribute("capture", "environment"); // on a phone the camera; elsewhere a file
  input().click();
  input().removeAttribute("capture");
});
element.querySelector(".paste").addEventListener("click", async ({ currentTarget: button }) => {
  const say = (text) => {
    button.textContent = text;
    setTimeout(() => { button.textContent = "Paste"; }, 2500);
  };
  try {
    for (const item of await navigator.clipboard.read()) {
      const type = item.types.find((each) => each.startsWith("image/"));
      if (type) return void give(new File([await item.getType(type)], `pasted.${type.slice(6)}`, { type }));
    }
    say("No picture");
  } catch {
    say("Not allowed"); // by the browser; Ctrl+V works all the same
  }
});
addEventListener("paste", (event) => {
  const file = pictureIn(event.clipboardData?.files);
  if (file && input()?.offsetParent !== undefined) give(file);
});
addEventListener("dragover", (event) => {
  if (event.target.closest?.("#ask")) event.preventDefault();
});
addEventListener("drop", (event) => {
  if (!event.target.closest?.("#ask")) return;
  event.preventDefault();
  const file = pictureIn(event.dataTransfer?.files);
  if (file) give(file);
});
