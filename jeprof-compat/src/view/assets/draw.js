// Draws a tree as SVG: the icicle downwards, or upwards for callers. The look is that of
// view/picture/flame.rs; hues come from there.

// Widths of letters in the font that is there, whatever stands in for the one that was asked for; each is
// asked for once.
const letters = new Map();
let ruler;

function textWidth(data, text) {
  if (ruler === undefined) {
    ruler = document.createElement("canvas").getContext("2d");
    if (ruler) ruler.font = `${data.font}px ${data.family}`;
  }
  let sum = 0;
  for (const c of text) {
    let width = letters.get(c);
    if (width === undefined) letters.set(c, width = ruler ? ruler.measureText(c).width : (data.widths[c.codePointAt(0) - 32] ?? 1000) / 1000 * data.font);
    sum += width;
  }
  return sum;
}

// Frames under suspicion, by their number, with the verdict and the rank of the first card.
function suspectsOf(data, kind) {
  const out = new Map();
  data.suspects.forEach((suspect, at) => {
    const frame = suspect.kind === kind.name && ["leak", "growing"].includes(suspect.verdict) ? kind.frames.name.indexOf(suspect.culprit) : -1;
    if (frame >= 0 && !out.has(frame)) out.set(frame, { verdict: suspect.verdict, rank: at + 1 });
  });
  return out;
}

// As much of a name as has room: its end says more than its beginning.
function fit(data, name, room) {
  if (room < 12) return "";
  if (textWidth(data, name) <= room) return name;
  const letters = [...name];
  let left = room - data.font, start = letters.length;
  while (start > 0 && (left -= textWidth(data, letters[start - 1])) >= 0) start--;
  return letters.length - start < 2 ? "" : "…" + letters.slice(start).join("");
}

// Kerning may still make a label wider than its letters: then it is told how wide to be.
const held = (data, label, room) => textWidth(data, label) > room - 6 ? { textLength: Math.min(room, textWidth(data, label)).toFixed(1), lengthAdjust: "spacingAndGlyphs" } : {};

const NARROWEST = 1.5, ROW_WORTH = 20;

// Places of the nodes that can be seen: [node, x, width, row]. Above the zoomed node its callers
// take the whole width. Rows at the end where nothing is wide enough to be read go: they would be
// most of the picture of a deep stack.
function place(tree, root, width) {
  const out = [], above = [];
  for (let n = tree.parent[root]; n >= 0; n = tree.parent[n]) above.unshift(n);
  above.forEach((n, row) => out.push([n, 0, width, row, true]));
  const scale = width / (tree.value[root] || 1), todo = [[root, 0, above.length]];
  while (todo.length) {
    const [node, x, row] = todo.pop();
    const size = tree.value[node] * scale;
    if (size < NARROWEST) continue;
    out.push([node, x, size, row, false]);
    let at = x;
    for (const child of tree.children(node)) {
      todo.push([child, at, row + 1]);
      at += tree.value[child] * scale;
    }
  }
  const last = Math.max(...out.filter(p => p[2] >= ROW_WORTH).map(p => p[3])) + 1;
  return out.filter(p => p[3] <= last);
}

function hatch() {
  return shape("defs", {}, shape("pattern", { id: "hatch", width: 7, height: 7, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    shape("rect", { width: 7, height: 7 }), shape("path", { d: "M0 0V7" })));
}

// `options`: tree, root, direction, upwards, found, label of the root, what a click does.
function drawTree(data, kind, selection, options) {
  const { tree, direction = "" } = options, root = options.root || 0;
  const width = Math.max(280, Math.floor(document.getElementById("view").clientWidth));
  const placed = place(tree, root, width), rows = 1 + Math.max(0, ...placed.map(p => p[3]));
  const height = rows * data.row;
  const svg = shape("svg", { class: "flame", viewBox: `0 0 ${width} ${height}`, role: "tree", "aria-label": options.title, "font-family": data.family, "font-size": data.font });
  svg.append(hatch());
  const suspects = suspectsOf(data, kind);
  for (const [node, x, size, row, isAbove] of placed) {
    const frame = tree.frame[node], name = frame < 0 ? options.title : kind.frames.name[frame];
    const noise = isNoise(selection, tree.value[node], tree.variance[node], tree.samples[node]);
    const look = direction && frame >= 0 ? direction : "m" + (frame < 0 ? 7 : kind.frames.hue[frame]);
    const classes = ["frame", look, isAbove && "above", noise && "noise", frame >= 0 && options.found[frame] && "found"];
    const suspect = suspects.get(frame);
    if (suspect) classes.push("suspect", suspect.verdict);
    const y = (options.upwards ? rows - 1 - row : row) * data.row;
    const group = shape("g", { class: classes.filter(Boolean).join(" "), role: "treeitem", tabindex: node === root ? 0 : -1, "aria-level": row + 1,
      "aria-label": `${name}, ${amount(tree.value[node], selection.isObjects)}${suspect ? ", suspect " + suspect.rank : ""}` });
    group.append(shape("rect", { x: x.toFixed(1), y, width: Math.max(0.4, size - 0.6).toFixed(1), height: data.row - 1 }));
    const flag = suspect && size > 60 ? `${suspect.verdict === "leak" ? "LEAK" : "GROWS"} ${suspect.rank}` : "", room = size - (flag ? textWidth(data, flag) + 16 : 0);
    if (flag) group.append(shape("text", { class: "flag", x: (x + size - 6).toFixed(1), y: (y + data.row * 0.68).toFixed(1), "text-anchor": "end" }, flag));
    const label = fit(data, name, room - 8);
    if (label) { const text = shape("text", { x: (x + 4).toFixed(1), y: (y + data.row * 0.68).toFixed(1), ...held(data, label, room - 5) }); text.textContent = label; group.append(text); }
    group.tip = () => describe(kind, selection, tree, node, name, direction);
    group.frame = frame; group.node = node;
    svg.append(group);
  }
  svg.addEventListener("click", event => { const g = event.target.closest(".frame"); if (g) options.click(g.node, g.frame); });
  svg.addEventListener("keydown", event => walk(event, tree, svg, options));
  return svg;
}

function describe(kind, selection, tree, node, name, direction) {
  const value = tree.value[node], frame = tree.frame[node], whole = tree.value[0];
  const band = selection.isObjects || state.value !== "bytes" ? "" : " ± " + amount(1.96 * Math.sqrt(tree.variance[node]));
  const what = { grow: "grew by ", shrink: "shrank by " }[direction] || "";
  const lines = [frame < 0 ? name : kind.frames.full[frame] || name];
  if (frame >= 0) lines.push(placeOf(kind, frame));
  lines.push(`${what}${amount(value, selection.isObjects)}${band} (${(value / (whole || 1) * 100).toFixed(1)}%)`);
  if (tree.samples[node]) lines.push(`${tree.samples[node]} samples`);
  if (isNoise(selection, value, tree.variance[node], tree.samples[node])) lines.push("n.s.: within noise");
  return lines.filter(Boolean).join("\n");
}

function placeOf(kind, frame) {
  const { file, line, module } = kind.frames;
  const place = kind.strings[file[frame]] && kind.strings[file[frame]] + (line[frame] ? ":" + line[frame] : "");
  return [place, kind.strings[module[frame]]].filter(Boolean).join(" in ");
}

// Arrows walk the tree, Enter does what a click does.
function walk(event, tree, svg, options) {
  const group = event.target.closest(".frame");
  if (!group || event.altKey || event.ctrlKey || event.metaKey) return;
  const at = group.node, parent = tree.parent[at], siblings = parent < 0 ? [at] : tree.children(parent);
  const [towards, away] = options.upwards ? ["ArrowUp", "ArrowDown"] : ["ArrowDown", "ArrowUp"];
  const beside = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  let next;
  if (event.key === "Enter" || event.key === " ") { event.preventDefault(); options.click(at, group.frame); return; }
  if (event.key === towards) next = tree.children(at)[0];
  else if (event.key === away) next = parent;
  else if (beside) next = siblings[siblings.indexOf(at) + beside];
  else return;
  event.preventDefault();
  for (const other of svg.querySelectorAll(".frame")) if (other.node === next) { group.tabIndex = -1; other.tabIndex = 0; other.focus(); return; }
}
