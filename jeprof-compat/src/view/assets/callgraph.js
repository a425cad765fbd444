// The call graph: drawn beforehand where the selection is one of the usual, else placed here in
// layers. Pan with the mouse, zoom with the wheel, a click focuses.

// A suspect has a border of its verdict's colour, which the page inherits to the shadow.
const SUSPECTS = ".paper { fill: none } .node.suspect rect { stroke: var(--leak); stroke-width: 3.5 } .node.suspect text { font-weight: bold }";

function graphView(data, kind, selection) {
  const drawn = usual(data, kind, selection);
  const svg = drawn ? parsed(data.drawings[drawn]) : layered(data, kind, selection);
  if (!svg) return [element("p", { class: "empty" }, "Nothing.")];
  svg.prepend(shape("style", {}, data.graph_css + SUSPECTS));
  const host = element("div", { id: "graph", tabindex: 0, role: "img", "aria-label": "Call graph; the table has the same figures" });
  // Its rules are its own: a shadow keeps them from the page.
  host.attachShadow({ mode: "open" }).append(svg);
  squeeze(svg);
  const move = pannable(host, svg, text => go({ focus: exactly(text), frame: named(kind, text) }));
  const button = (text, title, click) => element("button", { title, "aria-label": title, click }, text);
  const note = drawn ? "" : " Placed by the page.";
  return [element("p", { class: "line tools" }, button("+", "Larger", () => move.zoom(1 / 1.4)), button("−", "Smaller", () => move.zoom(1.4)), button("Whole", "The whole graph", move.whole),
    element("span", {}, "Drag to move, wheel to zoom; a click leaves the paths through a box, then s shows its callers and callees." + note)), host];
}

// Where another font stands in, text that came out too wide is squeezed into its box.
function squeeze(svg) {
  requestAnimationFrame(() => svg.querySelectorAll("text[data-room]").forEach(text => {
    const room = +text.dataset.room;
    if (text.getComputedTextLength() > room) { text.setAttribute("textLength", room); text.setAttribute("lengthAdjust", "spacingAndGlyphs"); }
  }));
}

// The frame of a whole name, as the title of a box has it.
function named(kind, text) {
  const { name, full } = kind.frames, at = name.indexOf(text);
  return at >= 0 ? text : name[full.indexOf(text)] ?? text;
}

function usual(data, kind, selection) {
  const filtered = ["ignore", "hide", "thread", "module", "size", "age"].some(key => state[key]);
  if (filtered || state.value !== "bytes" || selection.b !== data.dumps.length - 1 || selection.a > 0) return "";
  const suspect = state.focus && data.suspects.find(s => s.kind === kind.name && exactly(s.culprit) === state.focus);
  if (state.focus && !suspect) return "";
  const key = kind.name + (selection.a < 0 ? "/live" : "/growth") + (suspect ? "/" + suspect.culprit : "");
  return Object.hasOwn(data.drawings, key) ? key : "";
}

function parsed(text) {
  const svg = document.importNode(new DOMParser().parseFromString(text, "image/svg+xml").documentElement, true);
  for (const script of svg.querySelectorAll("script, style")) script.remove();
  return svg;
}

const MOST_BOXES = 30;

// What is drawn: the heaviest frames, and the calls between them; dashed those past left-out ones.
function callsOf(kind, selection) {
  const change = row => selection.a < 0 ? row.cum : row.grew - row.shrank;
  const rows = sums(kind, selection).sort((x, y) => Math.abs(change(y)) - Math.abs(change(x)) || x.frame - y.frame).slice(0, MOST_BOXES);
  const boxes = new Map(rows.map(row => [row.frame, { ...row, value: change(row), out: [], into: [] }]));
  const calls = new Map();
  selection.stacks.forEach((stack, at) => {
    const seen = new Set();
    let below = -1, skipped = false;
    for (const frame of framesOf(kind, selection, stack)) {
      if (!boxes.has(frame)) { skipped = true; continue; }
      const key = frame + " " + below;
      if (below >= 0 && below !== frame && !seen.has(key)) {
        seen.add(key);
        const call = calls.get(key) || { from: boxes.get(frame), to: boxes.get(below), value: 0, residual: true };
        call.value += selection.now[at] - selection.before[at];
        call.residual &&= skipped;
        calls.set(key, call);
      }
      below = frame; skipped = false;
    }
  });
  const whole = Math.abs(selection.total - selection.totalBefore) || 1;
  const edges = [...calls.values()].filter(edge => Math.abs(edge.value) > whole / 1000)
    .sort((x, y) => Math.abs(y.value) - Math.abs(x.value) || x.from.frame - y.from.frame || x.to.frame - y.to.frame);
  return { boxes: [...boxes.values()], edges, whole };
}

// Runs of boxes in which each calls only the next, with all it has, are one box: analysis/graph/fold.rs.
function folded(kind, { boxes, edges, whole }, suspects) {
  const same = (x, y) => Math.abs(x - y) <= 0.02 * Math.abs(y);
  for (const box of boxes) { box.folded = []; box.suspect = suspects.has(box.frame); }
  const out = box => edges.filter(e => e.from === box && e.to !== box), into = box => edges.filter(e => e.to === box && e.from !== box);
  const passes = box => !box.suspect && !kind.frames.mine[box.frame] && Math.abs(box.flat) <= 0.02 * Math.abs(box.value);
  const next = box => { const [edge, more] = out(box); return edge && !more && into(edge.to).length === 1 && same(box.value, edge.value) && same(edge.to.value, edge.value) ? edge.to : null; };
  const gone = new Set(), isInner = new Set(boxes.filter(passes).map(next));
  for (const first of boxes) {
    if (isInner.has(first) || !passes(first)) continue;
    for (let box = next(first); box && passes(box) && box !== first; box = next(box)) { first.folded.push(box.frame); gone.add(box); first.last = box; }
  }
  const kept = edges.filter(e => !gone.has(e.to));
  for (const box of boxes) if (box.last) for (const edge of kept) if (edge.from === box.last) edge.from = box;
  return { boxes: boxes.filter(box => !gone.has(box)), edges: kept, whole };
}

// Ranks by the longest way from a root; a call that closes a circle is not asked.
function rank(boxes, edges) {
  for (const edge of edges) {
    edge.back = reaches(edge.to, edge.from);
    if (!edge.back) { edge.from.out.push(edge.to); edge.to.into.push(edge.from); }
  }
  const depth = box => box.rank ??= Math.max(-1, ...box.into.map(depth)) + 1;
  boxes.forEach(depth);
}

function reaches(from, wanted) {
  const todo = [from], seen = new Set(todo);
  while (todo.length) {
    const box = todo.pop();
    if (box === wanted) return true;
    for (const next of box.out) if (!seen.has(next)) { seen.add(next); todo.push(next); }
  }
  return false;
}

// A call over several layers has a place in each, so that it goes around the boxes there.
function bends(edges) {
  const out = [];
  for (const edge of edges) {
    edge.way = [edge.from];
    if (!edge.back) for (let r = edge.from.rank + 1; r < edge.to.rank; r++) {
      const bend = { rank: r, width: 6, height: 0, frame: edge.from.frame, out: [], into: [edge.way.at(-1)] };
      edge.way.at(-1).out.push(bend);
      edge.way.push(bend);
      out.push(bend);
    }
    edge.way.push(edge.to);
    if (edge.way.length > 2) { edge.way.at(-2).out.push(edge.to); edge.to.into.push(edge.way.at(-2)); }
  }
  return out;
}

const GAP = 24, BETWEEN = 34;

// Letters follow the flat value, but none are three times as large as others, and the program's own
// are read when the rest is not: Letters::LEVEL of view/picture/node_label.rs.
const SMALLEST = 12, GROWS = 22, OWN = 18, SUSPECT = 21;

function label(data, kind, box, whole, isObjects) {
  const least = box.suspect ? SUSPECT : kind.frames.mine[box.frame] ? OWN : SMALLEST;
  const size = Math.max(least, SMALLEST + GROWS * Math.sqrt(Math.min(1, Math.abs(box.flat) / whole)));
  box.name = kind.frames.name[box.frame];
  const figure = box.flat === box.value ? amount(box.value, isObjects) : `${box.flat ? amount(box.flat, isObjects) : 0} of ${amount(box.value, isObjects)}`;
  // The package of a class stands over it.
  const own = kind.frames.own[box.frame], part = (...ends) => fit(data, box.name.slice(...ends), 290);
  box.lines = [[part(own), size], [figure, Math.max(SMALLEST, size * 0.75)]];
  if (own) box.lines.unshift([part(0, own), Math.max(SMALLEST, size * 0.6)]);
  if (box.folded.length) box.lines.splice(-1, 0, [`⋮ and ${box.folded.length} more, the last`, SMALLEST], [fit(data, kind.frames.name[box.folded.at(-1)], 290), size]);
  box.width = Math.max(...box.lines.map(([text, size]) => textWidth(data, text) / data.font * size)) * (box.suspect ? 1.13 : 1) + 14;
  box.height = box.lines.reduce((sum, [, size]) => sum + size * 1.25, 8);
}

function layered(data, kind, selection) {
  const { boxes, edges, whole } = folded(kind, callsOf(kind, selection), suspectsOf(data, kind)), layers = [];
  if (!boxes.length) return null;
  rank(boxes, edges);
  for (const box of boxes) label(data, kind, box, whole, selection.isObjects);
  for (const box of [...boxes, ...bends(edges)]) (layers[box.rank] ??= []).push(box);
  arrange(layers);
  let y = 0;
  for (const layer of layers) {
    const height = Math.max(...layer.map(box => box.height));
    for (const box of layer) { box.y = y + (height - box.height) / 2; if (!box.lines) { box.y = y; box.height = height; } }
    y += height + BETWEEN;
  }
  const left = Math.min(...boxes.map(b => b.x - b.width / 2)), right = Math.max(...boxes.map(b => b.x + b.width / 2));
  const svg = shape("svg", { viewBox: `${left - 60} -20 ${right - left + 120} ${y}`, "font-family": data.family });
  for (const edge of [...edges].reverse()) svg.append(line(edge, whole, selection));
  for (const box of boxes) svg.append(boxOf(kind, box, whole, selection));
  return svg;
}

// Sweeps down and up: a box wishes to stand above and below those that it calls and is called by.
function arrange(layers) {
  for (const layer of layers) spread(layer);
  for (let sweep = 0; sweep < 16; sweep++) {
    for (const layer of sweep % 2 ? [...layers].reverse() : layers) {
      for (const box of layer) {
        const near = sweep % 2 ? box.out : box.into;
        box.wish = near.length ? near.reduce((sum, other) => sum + other.x, 0) / near.length : box.x;
      }
      layer.sort((x, y) => x.wish - y.wish || x.frame - y.frame);
      spread(layer);
    }
  }
}

// Boxes of a layer beside each other, as near to where they wish to be as the others allow.
function spread(layer) {
  let x = 0;
  for (const box of layer) { box.x = x + box.width / 2; x += box.width + GAP; }
  const shift = layer.reduce((sum, box) => sum + (box.wish ?? 0) - box.x, 0) / layer.length;
  for (const box of layer) box.x += shift;
}

function boxOf(kind, box, whole, selection) {
  const noise = isNoise(selection, box.value, box.variance, box.samples), band = state.value === "bytes" && box.variance > 0 ? " ± " + amount(1.96 * Math.sqrt(box.variance)) : "";
  let text = [kind.frames.full[box.frame] || box.name, placeOf(kind, box.frame), box.lines.at(-1)[0] + band, box.samples ? `${box.samples} samples` : "", noise ? "n.s.: within noise" : ""].filter(Boolean).join("\n");
  for (const frame of box.folded) text += "\n→ " + (kind.frames.full[frame] || kind.frames.name[frame]);
  const group = shape("g", { class: "node " + heat(box.value, whole) + (box.suspect ? " suspect" : ""), opacity: noise ? 0.5 : 1 }, shape("title", {}, text),
    shape("rect", { x: box.x - box.width / 2, y: box.y, width: box.width, height: box.height }));
  let y = box.y + 4;
  for (const [line, size] of box.lines) { y += size * 1.25; group.append(shape("text", { x: box.x, y: y - size * 0.3, "font-size": size, "text-anchor": "middle", "data-room": box.width - 4 }, line)); }
  return group;
}

function line(edge, whole, selection) {
  const { from, to, way, back } = edge, width = 0.8 + 5.2 * Math.min(1, Math.abs(edge.value) / whole), head = 5 + width * 1.4;
  let d, x, y, tip;
  if (back) {
    // Up again, beside the boxes.
    const [x1, y1, x2, y2] = [from.x + from.width / 2, from.y + from.height / 2, to.x + to.width / 2, to.y + to.height / 2], out = Math.max(x1, x2) + 40;
    d = `M${x1} ${y1}C${out} ${y1} ${out} ${y2} ${x2 + head} ${y2}`;
    [x, y, tip] = [out - 8, (y1 + y2) / 2, `M${x2} ${y2}l${head} ${-head / 2}v${head}z`];
  } else {
    let at = [from.x, from.y + from.height];
    d = `M${at[0]} ${at[1]}`;
    way.slice(1).forEach((box, n) => {
      const end = [box.x, box === to ? box.y - head : box.y], bend = (end[1] - at[1]) / 2;
      d += `C${at[0]} ${at[1] + bend} ${end[0]} ${end[1] - bend} ${end[0]} ${end[1]}`;
      if (!n) [x, y] = [(at[0] + end[0]) / 2 + 4, (at[1] + end[1]) / 2 + 3];
      if (box !== to) { at = [box.x, box.y + box.height]; d += `V${at[1]}`; }
    });
    tip = `M${to.x} ${to.y}l${-head / 2} ${-head}h${head}z`;
  }
  const text = amount(edge.value, selection.isObjects);
  return shape("g", { class: `edge ${heat(edge.value, whole)}${edge.residual ? " residual" : ""}` }, shape("title", {}, `${from.name} → ${to.name}\n${text}`),
    shape("path", { d, "stroke-width": width }), shape("path", { class: "head", d: tip }), shape("text", { class: "amount", x, y }, text));
}

// The classes of view/colour.rs.
function heat(value, whole) {
  const step = Math.round(Math.sqrt(Math.min(1, Math.abs(value) / whole)) * 8);
  return (value < 0 && step ? "c" : "h") + step;
}

// Smallest scale at which letters can be read, and the one that is taken where the whole is smaller.
const READABLE = 0.45, LOOK = 0.75;

function pannable(host, svg, choose) {
  const box = svg.viewBox.baseVal, whole = [box.x, box.y, box.width, box.height];
  svg.setAttribute("width", "100%"); svg.setAttribute("height", "100%");
  let from = null, moved = false;
  const set = ([x, y, width, height]) => { box.x = x; box.y = y; box.width = width; box.height = height; };
  const scale = () => Math.max(box.width / host.clientWidth, box.height / host.clientHeight) || 1;
  const zoom = (factor, px = 0.5, py = 0.5) => set([box.x + box.width * px * (1 - factor), box.y + box.height * py * (1 - factor), box.width * factor, box.height * factor]);
  const pan = (dx, dy) => { box.x -= dx * scale(); box.y -= dy * scale(); };
  // Where the whole would be too small to read, it begins at the chosen box, else at the largest.
  const begin = () => {
    const nodes = [...svg.querySelectorAll(".node")].map(node => [node, node.getBoundingClientRect()]);
    // By then another view may have taken its place.
    if (!host.clientWidth || 1 / scale() >= READABLE || !nodes.length) return;
    const chosen = nodes.find(([node]) => state.frame && titleOf(node) === state.frame);
    const [, place] = chosen ?? nodes.reduce((best, n) => n[1].width * n[1].height > best[1].width * best[1].height ? n : best);
    const view = svg.getBoundingClientRect(), unit = scale(), middle = (near, at, size, start, extent, shown) => {
      const wanted = start + (near - at - (size - extent / unit) / 2) * unit - shown / 2;
      return shown > extent ? start - (shown - extent) / 2 : Math.min(Math.max(wanted, start), start + extent - shown);
    };
    const [x, y, width, height] = whole, w = host.clientWidth / LOOK, h = host.clientHeight / LOOK;
    set([middle(place.x + place.width / 2, view.x, view.width, x, width, w), middle(place.y + place.height / 2, view.y, view.height, y, height, h), w, h]);
  };
  requestAnimationFrame(begin);
  host.addEventListener("wheel", event => {
    event.preventDefault();
    const rect = host.getBoundingClientRect();
    zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, (event.clientX - rect.left) / rect.width, (event.clientY - rect.top) / rect.height);
  }, { passive: false });
  host.addEventListener("pointerdown", event => { from = [event.clientX, event.clientY]; moved = false; });
  host.addEventListener("pointermove", event => {
    if (!from || !event.buttons) return;
    const dx = event.clientX - from[0], dy = event.clientY - from[1];
    if (Math.abs(dx) + Math.abs(dy) > 3) moved = true;
    if (!moved) return;
    pan(dx, dy);
    from = [event.clientX, event.clientY];
  });
  const ways = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
  host.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (ways[event.key]) pan(...ways[event.key]);
    else if (event.key === "+" || event.key === "=") zoom(1 / 1.4);
    else if (event.key === "-") zoom(1.4);
    else if (event.key === "Home") set(whole);
    else return;
    event.preventDefault();
  });
  svg.addEventListener("click", event => {
    const node = event.target.closest(".node");
    if (node && !moved) choose(titleOf(node));
  });
  return { zoom, whole: () => set(whole) };
}

const titleOf = node => node.querySelector("title").textContent.split("\n")[0];
