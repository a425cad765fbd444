// Unpacks the report's data: the reader of view/html/data.rs. Columns become typed arrays.

const SVG = "http://www.w3.org/2000/svg";

async function unpack() {
  const bytes = decoded(document.getElementById("data").textContent);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const data = await new Response(stream).json();
  for (const kind of data.kinds) unpackKind(kind, data.dumps.length);
  return data;
}

function decoded(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const text = atob(base64), bytes = new Uint8Array(text.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

// A list whose elements are made when they are first asked for: most dumps never are.
function lazily(length, make) {
  const list = [];
  for (let at = 0; at < length; at++)
    Object.defineProperty(list, at, { configurable: true, get() { const value = make(at, list); Object.defineProperty(list, at, { value }); return value; } });
  return list;
}

function unpackKind(kind, dumps) {
  const stacks = kind.leaf.length, nothing = new Float64Array(stacks);
  kind.parent = Int32Array.from(kind.parent, (back, at) => back ? at - back : -1);
  kind.frame = Int32Array.from(kind.frame);
  for (const name of ["bytes", "objects", "allocated", "samples", "deviation"]) {
    const columns = kind[name];
    kind["has_" + name] = columns.length > 0;
    kind[name] = lazily(dumps, (dump, list) => {
      if (!columns[dump]) return nothing;
      const column = Float64Array.from(columns[dump]);
      columns[dump] = true;
      if (dump) for (let s = 0, before = list[dump - 1]; s < stacks; s++) column[s] += before[s];
      return column;
    });
  }
  const classes = kind.age_bounds.length + 1, ages = kind.ages;
  kind.ages = lazily(dumps, (dump, list) => {
    const shares = dump ? list[dump - 1].slice() : new Float32Array(stacks * classes);
    eachPart(ages[dump] || [], (stack, part, share) => shares[stack * classes + part] = share);
    return shares;
  });
  kind.hasAges = classes > 1;
}

// `stack, part, thousandths, ...`, the stack as difference to the one before: those that are others
// than at the dump before.
function eachPart(list, tell) {
  for (let at = 0, stack = 0; at < list.length; at += 3) {
    stack += list[at];
    tell(stack, list[at + 1], list[at + 2] / 1000);
  }
}

function amount(value, isObjects) {
  const sign = value < 0 ? "-" : "";
  let figure = Math.abs(value);
  if (isObjects) return sign + Math.round(figure).toLocaleString("en");
  const units = ["B", "KB", "MB", "GB", "TB"];
  let unit = 0;
  while (figure >= 999.5 && unit < 4) { figure /= 1024; unit++; }
  return sign + figure.toFixed(unit ? 1 : 0) + " " + units[unit];
}

function clock(seconds) {
  const s = Math.round(seconds), two = n => String(n).padStart(2, "0");
  if (s < 60) return s + " s";
  if (s < 3600) return Math.floor(s / 60) + ":" + two(s % 60) + " min";
  if (s < 172800) return Math.floor(s / 3600) + ":" + two(Math.floor(s % 3600 / 60)) + " h";
  return Math.floor(s / 86400) + " d " + Math.floor(s % 86400 / 3600) + " h";
}

// Elements only ever get text and attributes that are no handlers: names cannot become markup.
function element(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

function shape(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const name in attributes) node.setAttribute(name, attributes[name]);
  node.append(...children);
  return node;
}
