// The call graph: drawn beforehand where the selection is one of the usual, else placed here in
// layers. Pan with the mouse, zoom with the wheel, a click focuses.

function graphView(data, kind, selection) {
  const drawn = usual(data, kind, selection);
  const svg = drawn ? parsed(data.drawings[drawn]) : layered(data, kind, selection);
  if (!svg) return [element("p", { class: "empty" }, "Nothing.")];
  const host = element("div", { id: "graph", role: "img", "aria-label": "Call graph; the table has the same figures" });
  // Its rules are its own: a shadow keeps them from the page.
  host.attachShadow({ mode: "open" }).append(svg);
  pannable(host, svg, name => go({ frame: name, view: "sandwich" }));
  const note = drawn ? "" : " The boxes are placed by the page; the graph of an unfiltered selection is drawn more carefully.";
  return [host, element("p", { class: "empty" }, "Drag to move, wheel to zoom, click a box for its callers and callees." + note)];
}

function usual(data, kind, selection) {
  const filtered = ["focus", "ignore", "hide", "thread", "module", "size", "age"].some(key => state[key]);
  if (filtered || state.value !== "bytes" || selection.b !== data.dumps.length - 1 || selection.a > 0) return "";
  const key = kind.name + (selection.a < 0 ? "/live" : "/growth");
  return data.drawings[key] ? key : "";
}

function parsed(text) {
  const svg = document.importNode(new DOMParser().parseFromString(text, "image/svg+xml").documentElement, true);
  for (const script of svg.querySelectorAll("script")) script.remove();
  return svg;
}

const MOST_BOXES = 50;

// What is drawn: the heaviest frames, and the calls between them, past those left out.
function callsOf(kind, selection) {
  const change = row => selection.a < 0 ? row.cum : row.grew - row.shrank;
  const rows = sums(kind, selection).sort((x, y) => Math.abs(change(y)) - Math.abs(change(x))).slice(0, MOST_BOXES);
  const boxes = new Map(rows.map(row => [row.frame, { ...row, value: change(row), out: [], into: [] }]));
  const calls = new Map();
  selection.stacks.forEach((stack, at) => {
    const frames = framesOf(kind, selection, stack).filter(f => boxes.has(f)).reverse(), seen = new Set();
    for (let i = 1; i < frames.length; i++) {
      const key = frames[i - 1] + " " + frames[i];
      if (frames[i - 1] === frames[i] || seen.has(key)) continue;
      seen.add(key);
      calls.set(key, (calls.get(key) || 0) + selection.now[at] - selection.before[at]);
    }
  });
  const whole = Math.abs(selection.total - selection.totalBefore) || 1;
  const edges = [...calls].map(([key, value]) => { const [from, to] = key.split(" ").map(Number); return { from: boxes.get(from), to: boxes.get(to), value }; })
    .filter(edge => Math.abs(edge.value) > whole / 1000).sort((x, y) => Math.abs(y.value) - Math.abs(x.value));
  return { boxes: [...boxes.values()], edges, whole };
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

const GAP = 26, LAYER = 84;

function layered(data, kind, selection) {
  const { boxes, edges, whole } = callsOf(kind, selection);
  if (!boxes.length) return null;
  rank(boxes, edges);
  const layers = [];
  for (const box of boxes) {
    box.name = kind.frames.name[box.frame];
    box.label = fit(data, box.name, 250);
    box.figure = `${amount(box.flat, selection.isObjects)} of ${amount(box.value, selection.isObjects)}`;
    box.width = Math.max(textWidth(data, box.label), textWidth(data, box.figure)) * 1.12 + 18;
    (layers[box.rank] ??= []).push(box);
  }
  for (const layer of layers) spread(layer);
  for (let sweep = 0; sweep < 12; sweep++) {
    for (const layer of sweep % 2 ? [...layers].reverse() : layers) {
      for (const box of layer) {
        const near = sweep % 2 ? box.out : box.into;
        box.wish = near.length ? near.reduce((sum, other) => sum + other.x, 0) / near.length : box.x;
      }
      layer.sort((x, y) => x.wish - y.wish || x.frame - y.frame);
      spread(layer);
    }
  }
  const left = Math.min(...boxes.map(b => b.x - b.width / 2)), right = Math.max(...boxes.map(b => b.x + b.width / 2));
  const svg = shape("svg", { viewBox: `${left - 20} -20 ${right - left + 40} ${layers.length * LAYER}`, "font-family": data.family, "font-size": data.font });
  const style = document.createElementNS(SVG, "style");
  style.textContent = "text{fill:var(--ink)}.edge path{stroke:var(--dim);fill:none;opacity:.75}.amount{font-size:9px;fill:var(--dim)}"
    + document.querySelector("style").textContent.split("\n").filter(line => /^(\.node\.|\.edge\.|@media \(prefers|}$)/.test(line)).slice(0, 80).join("\n");
  svg.append(style);
  for (const edge of edges) svg.append(line(edge, whole, selection));
  for (const box of boxes) {
    const y = box.rank * LAYER;
    const group = shape("g", { class: "node " + heat(box.value, whole) }, shape("title", {}, `${kind.frames.full[box.frame] || box.name}\n${placeOf(kind, box.frame)}\n${box.figure}`),
      shape("rect", { x: box.x - box.width / 2, y, width: box.width, height: 38, rx: 2.5 }));
    for (const [text, at] of [[box.label, 16], [box.figure, 31]]) group.append(shape("text", { x: box.x, y: y + at, "text-anchor": "middle" }, text));
    group.name = box.name;
    svg.append(group);
  }
  return svg;
}

// Boxes of a layer beside each other, as near to where they wish to be as the others allow.
function spread(layer) {
  let x = 0;
  for (const box of layer) { box.x = x + box.width / 2; x += box.width + GAP; }
  const shift = layer.reduce((sum, box) => sum + (box.wish ?? 0) - box.x, 0) / layer.length;
  for (const box of layer) box.x += shift;
}

function line(edge, whole, selection) {
  const { from, to } = edge, y1 = from.rank * LAYER + 38, y2 = to.rank * LAYER, bend = Math.max(24, Math.abs(y2 - y1) / 2);
  const path = shape("path", { d: `M${from.x} ${y1}C${from.x} ${y1 + bend} ${to.x} ${y2 - bend} ${to.x} ${y2}`, "stroke-width": 0.8 + 5 * Math.min(1, Math.abs(edge.value) / whole) });
  const label = shape("text", { class: "amount", x: (from.x + to.x) / 2 + 4, y: (y1 + y2) / 2 }, amount(edge.value, selection.isObjects));
  return shape("g", { class: "edge" }, path, label);
}

// The classes of view/colour.rs.
function heat(value, whole) {
  const step = Math.round(Math.sqrt(Math.min(1, Math.abs(value) / whole)) * 8);
  return (value < 0 && step ? "c" : "h") + step;
}

function pannable(host, svg, choose) {
  const box = svg.viewBox.baseVal, whole = [box.x, box.y, box.width, box.height];
  svg.setAttribute("width", "100%"); svg.setAttribute("height", "100%");
  let from = null, moved = false;
  const scale = () => Math.max(box.width / host.clientWidth, box.height / host.clientHeight);
  host.addEventListener("wheel", event => {
    event.preventDefault();
    const factor = event.deltaY > 0 ? 1.2 : 1 / 1.2, rect = host.getBoundingClientRect();
    const x = box.x + box.width * (event.clientX - rect.left) / rect.width, y = box.y + box.height * (event.clientY - rect.top) / rect.height;
    box.x = x - (x - box.x) * factor; box.y = y - (y - box.y) * factor; box.width *= factor; box.height *= factor;
  }, { passive: false });
  host.addEventListener("pointerdown", event => { from = [event.clientX, event.clientY]; moved = false; });
  host.addEventListener("pointermove", event => {
    if (!from || !event.buttons) return;
    const dx = event.clientX - from[0], dy = event.clientY - from[1];
    if (Math.abs(dx) + Math.abs(dy) > 3) moved = true;
    box.x -= dx * scale(); box.y -= dy * scale();
    from = [event.clientX, event.clientY];
  });
  host.addEventListener("dblclick", () => [box.x, box.y, box.width, box.height] = whole);
  svg.addEventListener("click", event => {
    const node = event.target.closest(".node");
    if (!node || moved) return;
    choose(node.name ?? node.querySelector("title").textContent.split("\n")[0]);
  });
}
