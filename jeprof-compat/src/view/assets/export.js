// What leaves the page: pictures of the view, tables, stacks, and a suspect as text of an issue.

function save(name, parts, type) {
  const url = URL.createObjectURL(parts instanceof Blob ? parts : new Blob(parts, { type }));
  const link = element("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

// What rules of the page say of a shape.
const LOOKS = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "paint-order", "opacity", "font-size", "font-weight", "white-space"];

// The pictures of the view as one file; colours are those of the eye, not of rules elsewhere.
function picture() {
  const view = document.getElementById("view"), graph = document.getElementById("graph");
  const all = graph ? [graph.shadowRoot.querySelector("svg")] : [...view.querySelectorAll("svg.flame")];
  if (!all.length) return null;
  let height = 0, width = 0;
  const parts = all.map(svg => {
    const copy = svg.cloneNode(true), box = svg.viewBox.baseVal, style = getComputedStyle(svg);
    const from = svg.querySelectorAll("*"), to = copy.querySelectorAll("*");
    from.forEach((node, n) => {
      const look = getComputedStyle(node);
      for (const key of LOOKS) if (!["title", "style", "defs"].includes(node.localName)) to[n].style[key] = look[key];
    });
    copy.querySelectorAll("style").forEach(old => old.remove());
    for (const [key, value] of Object.entries({ x: 0, y: height, width: box.width, height: box.height, fill: style.color })) copy.setAttribute(key, value);
    height += box.height + 12; width = Math.max(width, box.width);
    return copy;
  });
  const paper = getComputedStyle(document.body).backgroundColor;
  const whole = shape("svg", { xmlns: SVG, width, height, viewBox: `0 0 ${width} ${height}` }, shape("rect", { width, height, fill: paper }), ...parts);
  return { text: new XMLSerializer().serializeToString(whole), width, height };
}

async function savePng() {
  const made = picture();
  if (!made) return say("This view is a table: export it as CSV.");
  const image = new Image(), scale = Math.min(2, 8000 / Math.max(made.width, made.height));
  image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(made.text);
  await image.decode();
  const canvas = element("canvas", { width: Math.round(made.width * scale), height: Math.round(made.height * scale) });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  canvas.toBlob(blob => save("malloscope.png", blob));
}

function saveSvg() {
  const made = picture();
  if (made) save("malloscope.svg", [made.text], "image/svg+xml");
  else say("This view is a table: export it as CSV.");
}

// A spreadsheet would run what begins like a formula.
function cell(text) {
  const safe = /^[=+@\t\r-]/.test(text) ? "'" + text : text;
  return '"' + safe.replaceAll('"', '""') + '"';
}

function csv(kind, selection) {
  const { columns, rows } = sortedRows(kind, selection);
  const lines = [[...columns.map(c => c[1]), "Function", "Module", "Place"].map(cell).join(",")];
  for (const row of rows) {
    const figures = columns.map(c => String(Math.round(c[2](row) * 1e4) / 1e4));
    lines.push([...figures, cell(kind.frames.name[row.frame]), cell(kind.strings[kind.frames.module[row.frame]]), cell(placeOf(kind, row.frame))].join(","));
  }
  return lines.join("\n") + "\n";
}

// As view/folded.rs writes it; a diff has two columns, before and now.
function collapsed(kind, selection) {
  const lines = new Map();
  selection.stacks.forEach((stack, at) => {
    const names = framesOf(kind, selection, stack).reverse().map(f => (kind.frames.full[f] || kind.frames.name[f]).replaceAll(";", ":").replace(/[\x00-\x1f\x7f-\x9f]/g, "\ufffd"));
    const sum = lines.get(names.join(";")) || [0, 0];
    lines.set(names.join(";"), [sum[0] + selection.before[at], sum[1] + selection.now[at]]);
  });
  const figures = ([before, now]) => selection.a < 0 ? Math.trunc(now) : Math.trunc(before) + " " + Math.trunc(now);
  return [...lines].map(([names, sum]) => names + " " + figures(sum)).sort().join("\n") + "\n";
}

// Text that is safe inside a line of code of Markdown.
const tick = text => "`" + String(text).replaceAll("`", "'").replace(/\s+/g, " ") + "`";

function issueText(data, suspect) {
  const bytes = value => amount(value), lines = [];
  lines.push(`### Memory ${suspect.verdict === "leak" ? "leak" : "growth"} in ${tick(suspect.culprit)}`, "");
  if (suspect.sentence) lines.push(suspect.sentence, "");
  if (suspect.place) lines.push(`- place: ${tick(suspect.place)}`);
  if (suspect.rate) {
    const [unit, seconds] = data.per, told = hourly => bytes(hourly * seconds / 3600);
    lines.push(`- rate: ${told(suspect.rate.value)}/${unit} (95 %: ${told(suspect.rate.low)} to ${told(suspect.rate.high)})`);
  }
  lines.push(`- live now: ${bytes(suspect.live.value)} (95 %: ${bytes(suspect.live.low)} to ${bytes(suspect.live.high)}), ${suspect.samples} samples`);
  if (suspect.reason) lines.push(`- why: ${suspect.reason}`);
  for (const fact of data.facts) if (!["Host", "Process"].includes(fact.name)) lines.push(`- ${fact.name}: ${fact.text}`);
  lines.push("", "Call path, allocation first:", "```");
  for (const frame of suspect.stack) lines.push([frame.name, [frame.place, frame.module].filter(Boolean).join(" in ")].filter(Boolean).join("  ").replaceAll("```", "'''"));
  lines.push("```");
  const ids = new Map(suspect.stack.filter(f => f.build_id).map(f => [f.module, f.build_id]));
  for (const [module, id] of ids) lines.push(`- build id of ${tick(module)}: ${tick(id)}`);
  if (suspect.keywords.length) lines.push("", "Keywords: " + suspect.keywords.map(tick).join(", "));
  return lines.join("\n") + "\n";
}

// The clipboard needs a secure page, which file:// is not everywhere: then the old way.
async function copy(text) {
  try { await navigator.clipboard.writeText(text); } catch {
    const area = element("textarea", { class: "sr" }, text);
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say("Copied.");
}
