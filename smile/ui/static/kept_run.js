// The number of the page's run (components.py, KeptRun) goes into the address, so that a page that is loaded anew finds it, and
// whoever shows the run and carries it out hears of it. The address's other parameters stay.

watch("value", () => {
  const address = new URL(location.href);
  if (props.value) address.searchParams.set("run", props.value);
  else address.searchParams.delete("run");
  history.replaceState(history.state, "", address);
  if (location.hostname.endsWith(".hf.space")) { // a Space is in a frame, whose own address is what is loaded anew
    parent.postMessage({ queryString: address.search.slice(1) }, "https://huggingface.co");
  }
  if (!props.value) return;
  trigger("select");
  if (props.waiting) trigger("play");
});
