// The brush over the timeline: a click picks the nearest dump, a drag picks two.

function brush(data) {
  for (const svg of document.querySelectorAll("svg.timeline")) {
    const at = name => +svg.dataset[name];
    const second = event => {
      const box = svg.getBoundingClientRect(), x = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
      return (x - at("left")) / (at("right") - at("left")) * at("seconds");
    };
    const nearest = seconds => data.dumps.reduce((best, dump, n) => Math.abs(dump.seconds - seconds) < Math.abs(data.dumps[best].seconds - seconds) ? n : best, 0);
    let from = null;
    svg.style.cursor = "crosshair";
    svg.addEventListener("pointerdown", event => { from = nearest(second(event)); svg.setPointerCapture(event.pointerId); event.preventDefault(); });
    svg.addEventListener("pointermove", event => { if (from !== null) mark(data, Math.min(from, nearest(second(event))), Math.max(from, nearest(second(event)))); });
    svg.addEventListener("pointerup", event => {
      if (from === null) return;
      const to = nearest(second(event)), [a, b] = from < to ? [from, to] : [to, from];
      from = null;
      go(a === b ? { a: "", b: String(b) } : { a: String(a), b: String(b) });
    });
  }
}

// Shows the selection on both drawings.
function mark(data, a, b) {
  for (const svg of document.querySelectorAll("svg.timeline")) {
    svg.querySelectorAll(".chosen").forEach(old => old.remove());
    const at = name => +svg.dataset[name];
    const x = dump => at("left") + data.dumps[dump].seconds / at("seconds") * (at("right") - at("left"));
    const group = shape("g", { class: "chosen" });
    const top = at("top"), bottom = at("bottom");
    const differs = a >= 0 && a !== b;
    if (differs) group.append(shape("rect", { class: "range", x: x(a), y: top, width: x(b) - x(a), height: bottom - top }));
    for (const [dump, letter] of differs ? [[a, "A"], [b, "B"]] : [[b, "B"]]) {
      group.append(shape("path", { class: "edge-line", d: `M${x(dump)} ${top}V${bottom}` }));
      group.append(shape("text", { class: "letter", x: x(dump), y: top - 5, "text-anchor": dump === data.dumps.length - 1 ? "end" : "middle" }, letter));
    }
    svg.append(group);
    for (const tick of svg.querySelectorAll(".tick")) {
      tick.classList.toggle("a", differs && +tick.dataset.dump === a);
      tick.classList.toggle("b", +tick.dataset.dump === b);
    }
  }
}
