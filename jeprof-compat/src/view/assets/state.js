// What is selected, and its life in the #hash: every change is a link, and the back button works.

const VIEWS = { flame: "Icicle", graph: "Call graph", table: "Table", sandwich: "Sandwich" };
const SIZES = { "": "any size", tiny: "< 1 KB", small: "1 – 64 KB", large: "64 KB – 1 MB", huge: "≥ 1 MB" };
const WORDS = { bytes: "live", objects: "live blocks", allocated: "ever allocated" };
const DEFAULTS = {
  view: "flame", kind: "", value: "bytes", a: "", b: "", q: "", focus: "", ignore: "", hide: "",
  thread: "", module: "", size: "", age: "", root: "", frame: "", sort: "", up: "", turn: "",
};
let state = { ...DEFAULTS };

// A hash that is not ours is not believed: unknown keys and values go.
function readHash(data) {
  const next = { ...DEFAULTS };
  for (const [key, value] of new URLSearchParams(location.hash.slice(1)))
    if (key in DEFAULTS) next[key] = value;
  if (!(next.view in VIEWS)) next.view = DEFAULTS.view;
  if (!["bytes", "objects", "allocated"].includes(next.value)) next.value = "bytes";
  if (!(next.size in SIZES)) next.size = "";
  const isDump = text => /^\d+$/.test(text) && +text < data.dumps.length;
  if (!isDump(next.a)) next.a = "";
  if (!isDump(next.b)) next.b = "";
  if (next.a !== "" && +next.a >= (next.b === "" ? data.dumps.length - 1 : +next.b)) next.a = "";
  return next;
}

function hashOf(wanted) {
  const changed = Object.entries(wanted).filter(([key, value]) => value !== DEFAULTS[key]);
  return "#" + new URLSearchParams(changed);
}

// A step that the back button undoes; typing replaces, or every letter would be one.
function go(change, replace) {
  const next = hashOf({ ...state, ...change });
  if (next === (location.hash || "#")) return;
  if (replace) history.replaceState(null, "", next);
  else location.hash = next;
  // At once: the next key may come before the browser tells.
  dispatchEvent(new Event("hashchange"));
}

// Nothing for no expression, undefined for a broken one.
function pattern(text) {
  if (!text) return null;
  try { return new RegExp(text, "i"); } catch { return undefined; }
}

// The expression for one name and no other.
function exactly(name) {
  return "^" + name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&") + "$";
}
