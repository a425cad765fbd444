// One frame with its callers above and its callees below.

function sandwichView(data, kind, selection, found) {
  const rows = sums(kind, selection).sort((x, y) => size(y) - size(x));
  function size(row) { return selection.a < 0 ? row.cum : row.grew; }
  let frame = kind.frames.name.indexOf(state.frame);
  if (!state.frame || frame < 0) frame = rows.length ? rows.reduce((best, row) => row.flat > best.flat ? row : best).frame : -1;
  if (frame < 0) return [element("p", { class: "empty" }, "Nothing is selected.")];
  const out = [element("h3", {}, "Callers and callees of ", element("code", {}, kind.frames.name[frame]))];
  const choose = element("select", { "aria-label": "Frame", change: event => go({ frame: event.target.value }) });
  for (const row of rows.slice(0, 300)) choose.append(element("option", { value: kind.frames.name[row.frame], selected: row.frame === frame }, kind.frames.name[row.frame]));
  out.push(element("p", { class: "choose" }, choose));
  for (const direction of selection.a < 0 ? [""] : ["grow", "shrink"]) {
    const weight = weights(selection, direction);
    const half = pick => grow(add => selection.stacks.forEach((stack, at) => {
      const frames = weight[at] > 0 ? framesOf(kind, selection, stack) : [];
      if (frames.includes(frame)) add(pick(frames), weight[at], selection.variance[at], selection.samples[at]);
    }));
    // From the outermost occurrence upwards, from the same downwards: recursion counts once.
    const callers = half(frames => frames.slice(frames.lastIndexOf(frame) + 1));
    const callees = half(frames => frames.slice(0, frames.lastIndexOf(frame)).reverse());
    const word = { grow: "grew by ", shrink: "shrank by " }[direction] || "";
    const title = `${kind.frames.name[frame]}: ${word}${amount(callees.value[0], selection.isObjects)}`;
    if (direction) out.push(element("h3", {}, direction === "grow" ? "Grew" : "Shrank"));
    if (!callees.value[0]) { out.push(element("p", { class: "empty" }, "Nothing.")); continue; }
    const click = (node, hit) => hit >= 0 && go({ frame: kind.frames.name[hit] });
    out.push(drawTree(data, kind, selection, { tree: callers, direction, title, found, upwards: true, click }));
    out.push(drawTree(data, kind, selection, { tree: callees, direction, title, found, click }));
  }
  return out;
}
