// Wires the page: reads the data, draws the bar, and draws the view anew after every change.

function say(text) { document.getElementById("status").textContent = text; }

const DRAW = { flame: flameView, graph: graphView, table: tableView, sandwich: sandwichView };
let page;

async function start() {
  if (typeof DecompressionStream === "undefined") return say("This browser cannot unpack the data; what is above stands by itself.");
  const data = await unpack();
  page = { data, hit: 0 };
  if (!data.kinds.length || !data.dumps.length) return;
  buildBar(data);
  brush(data);
  cards(data);
  tips();
  addEventListener("hashchange", () => { if (location.hash !== page.drawn) update(); });
  addEventListener("resize", () => { clearTimeout(page.late); page.late = setTimeout(update, 120); });
  addEventListener("keydown", keys);
  update();
  document.documentElement.dataset.ready = performance.now();
}

function field(name, label, attributes) {
  const input = element("input", { id: "in-" + name, type: "search", autocomplete: "off", spellcheck: "false", ...attributes, input: event => go({ [name]: event.target.value }, true) });
  return element("label", { class: name === "q" ? "search" : "" }, label, input);
}

function choice(name, label, options) {
  const list = element("select", { id: "in-" + name, change: event => go({ [name]: event.target.value, ...(name === "kind" ? { root: "" } : {}) }) });
  for (const [value, text] of options) list.append(element("option", { value }, text));
  return element("label", {}, label, list);
}

function buildBar(data) {
  const dumps = data.dumps.map((dump, n) => [String(n), `${n}: ${clock(dump.seconds)} ${dump.trigger}`]);
  const tabs = element("span", { class: "tabs", role: "tablist", "aria-label": "View" });
  for (const [view, title] of Object.entries(VIEWS)) tabs.append(element("button", { role: "tab", id: "tab-" + view, "aria-controls": "view", click: () => go({ view }) }, title));
  const button = (text, title, click) => element("button", { title, click }, text);
  const modules = new Set(data.kinds.flatMap(kind => kind.frames.module.map(m => kind.strings[m])));
  const threads = new Set(data.kinds.flatMap(kind => kind.threads.length ? kind.thread_names : []));
  const pools = [...new Set(data.kinds.flatMap(kind => kind.pools))].filter(Boolean).sort().map(pool => [pool, "all of " + pool]);
  const options = set => [...set].filter(Boolean).sort().map(text => [text, text]);
  const bounds = data.kinds[0].age_bounds.map(bound => [String(bound), "older than " + clock(bound)]);
  const values = [["bytes", "bytes live"], ["objects", "blocks live"], ["allocated", "bytes allocated"]].filter(v => v[0] === "bytes" || data.kinds.some(kind => kind["has_" + v[0]]));
  const line = (...parts) => element("div", { class: "line" }, ...parts.filter(Boolean));
  const bar = document.getElementById("bar");
  bar.append(
    line(tabs,
      data.kinds.length > 1 && choice("kind", "Samples", data.kinds.map(kind => [kind.name, kind.title])),
      values.length > 1 && choice("value", "Show", values),
      dumps.length > 1 && choice("b", "at dump", [["", `last (${dumps.length - 1})`], ...dumps.slice(0, -1)]),
      dumps.length > 1 && choice("a", "less dump", [["", "none"], ...dumps.slice(0, -1)]),
      element("span", { class: "spacer" }),
      element("span", { class: "group" }, button("SVG", "Save the picture as SVG", saveSvg), button("PNG", "Save the picture as PNG", savePng),
      button("CSV", "Save the table of this selection", () => save("malloscope.csv", [csv(page.kind, page.selection)], "text/csv")),
      button("Collapsed", "Save the stacks of this selection, one a line", () => save("malloscope.folded", [collapsed(page.kind, page.selection)], "text/plain")),
      button("?", "Keys", help))),
    element("details", { class: "filters", open: !isNarrow() }, element("summary", {}, "Search and filters"), line(field("q", "Search", { placeholder: "regexp  /" }), field("focus", "Focus", { placeholder: "only paths with" }), field("ignore", "Ignore", { placeholder: "no paths with" }), field("hide", "Hide", { placeholder: "frames" }),
      modules.size > 2 && choice("module", "Module", [["", "any module"], ...options(modules)]),
      threads.size > 1 && choice("thread", "Thread", [["", "any thread"], ...pools, ...options(threads)]),
      choice("size", "Block", Object.entries(SIZES)),
      bounds.length > 0 && choice("age", "Age", [["", "any age"], ...bounds]),
      choice("turn", "From", [["", "the root"], ["leaf", "the allocation"]]),
      choice("up", "Grow", [["", "downwards"], ["1", "upwards"]]),
      button("Reset", "All filters off (0)", () => go({ ...DEFAULTS, view: state.view })))));
  bar.hidden = false;
}

function update() {
  const { data } = page;
  page.drawn = location.hash;
  state = readHash(data);
  const kind = data.kinds.find(kind => kind.name === state.kind) || data.kinds[0];
  for (const name in DEFAULTS) {
    const input = document.getElementById("in-" + name);
    if (!input) continue;
    if (input.value !== state[name]) input.value = name === "kind" ? kind.name : state[name];
    if (input.type === "search") { const bad = pattern(state[name]) === undefined; input.classList.toggle("bad", bad); input.setAttribute("aria-invalid", bad); }
  }
  for (const view in VIEWS) document.getElementById("tab-" + view).setAttribute("aria-selected", view === state.view);
  const selection = select(data, kind);
  selection.hours = selection.a < 0 ? 1 : Math.max(1, data.dumps[selection.b].seconds - data.dumps[selection.a].seconds) / 3600;
  const found = matching(kind, pattern(state.q));
  Object.assign(page, { kind, selection, found });
  const view = document.getElementById("view");
  const hadFocus = view.contains(document.activeElement);
  view.replaceChildren(...DRAW[state.view](data, kind, selection, found));
  if (hadFocus) (view.querySelector("[tabindex='0']") || view).focus({ preventScroll: true });
  mark(data, selection.a, selection.b);
  summarize(kind, selection, found);
}

function summarize(kind, selection, found) {
  const size = value => amount(value, selection.isObjects);
  const { a, b, stacks, total, totalBefore } = selection;
  const what = WORDS[state.value];
  const parts = [a < 0 ? `${size(total)} ${what} at dump ${b}` : `${total - totalBefore < 0 ? "" : "+"}${size(total - totalBefore)} from dump ${a} to ${b}`, `${stacks.length} call paths`];
  if (state.q) {
    const hits = found.reduce((sum, hit) => sum + hit, 0), inside = reached(kind, found);
    const sum = stacks.reduce((sum, stack, at) => inside[kind.leaf[stack]] ? sum + selection.now[at] - selection.before[at] : sum, 0);
    parts.push(`search: ${hits} functions, ${size(sum)}`);
  }
  if (["q", "focus", "ignore", "hide"].some(key => pattern(state[key]) === undefined)) parts.push("an expression is broken");
  say(parts.join("; ") + ".");
}

function cards(data) {
  data.suspects.forEach((suspect, at) => {
    const actions = document.querySelector(`#suspect-${at} .actions`);
    if (!actions) return;
    const show = change => () => { go({ ...DEFAULTS, kind: suspect.kind === data.kinds[0].name ? "" : suspect.kind, frame: suspect.culprit, ...change }); document.getElementById("explore").scrollIntoView(); };
    const growth = { focus: exactly(suspect.culprit), ...(data.dumps.length > 1 ? { a: "0" } : {}) };
    actions.append(element("button", { click: show(growth) }, "Its growth"),
      element("button", { click: show({ ...growth, view: "graph" }) }, "Call graph"),
      element("button", { click: show({ view: "sandwich" }) }, "Callers"),
      element("button", { click: () => copy(issueText(data, suspect)) }, "Copy as issue text"));
    actions.hidden = false;
  });
}

// One tooltip for all frames, of mouse and of keyboard.
function tips() {
  const tip = element("div", { id: "tip", hidden: true });
  document.body.append(tip);
  const show = (group, x, y) => {
    tip.textContent = group.tip();
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = Math.max(4, Math.min(x + 12, innerWidth - box.width - 8)) + "px";
    tip.style.top = (y + 18 + box.height > innerHeight ? Math.max(4, y - box.height - 10) : y + 18) + "px";
  };
  const view = document.getElementById("view"), hide = () => tip.hidden = true;
  view.addEventListener("pointermove", event => { const group = event.target.closest(".frame"); if (group?.tip) show(group, event.clientX, event.clientY); else hide(); });
  view.addEventListener("pointerleave", hide);
  view.addEventListener("focusin", event => { if (event.target.tip && event.target.matches(":focus-visible")) { const box = event.target.getBoundingClientRect(); show(event.target, box.left, box.bottom - 14); } });
  view.addEventListener("focusout", hide);
  addEventListener("scroll", hide, { passive: true });
}

const KEYS = [["/", "search"], ["n  N", "next, previous hit"], ["f", "icicle"], ["g", "call graph"], ["t", "table"], ["s", "sandwich of the chosen function"], ["[  ]", "dump before, after"], ["d", "growth since the first dump, and back"], ["arrows", "walk the icicle"], ["Enter", "zoom to a frame, and out again"], ["0", "reset all filters"], ["?", "this help"]];

function help() {
  const open = document.querySelector("dialog");
  if (open) return open.remove();
  const list = element("dl");
  for (const [key, text] of KEYS) list.append(element("dt", {}, element("kbd", {}, key)), element("dd", {}, text));
  const dialog = element("dialog", { "aria-label": "Keys", close: event => event.target.remove() }, element("h3", {}, "Keys"), list, element("p", {}, element("button", { click: () => dialog.close(), autofocus: true }, "Close")));
  document.body.append(dialog);
  dialog.showModal();
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input, select, textarea")) { if (event.key === "Escape" || event.key === "Enter" && event.target.type === "search") { event.target.blur(); document.getElementById("view").focus({ preventScroll: true }); } return; }
  const last = page.data.dumps.length - 1, { a, b } = page.selection;
  const actions = {
    "/": () => { const search = document.getElementById("in-q"); search.closest("details").open = true; search.focus(); }, "?": help, n: () => hit(1), N: () => hit(-1), f: () => go({ view: "flame" }), g: () => go({ view: "graph" }), t: () => go({ view: "table" }), s: () => go({ view: "sandwich" }),
    "[": () => b > Math.max(0, a + 1) && go({ b: String(b - 1) }), "]": () => b < last && go({ b: b + 1 === last ? "" : String(b + 1) }), d: () => b > 0 && go({ a: a < 0 ? "0" : "" }), 0: () => go({ ...DEFAULTS, view: state.view }),
  };
  const action = Object.hasOwn(actions, event.key) && actions[event.key];
  if (action && (!document.querySelector("dialog[open]") || event.key === "?")) { event.preventDefault(); action(); }
}

// The next hit of the search in the order of the view.
function hit(step) {
  const hits = [...document.querySelectorAll("#view .found")];
  if (!hits.length) return say(state.q ? "No hit in this view." : "Search for something first: /");
  const at = hits.findIndex(node => node.contains(document.activeElement));
  page.hit = at < 0 ? (step > 0 ? 0 : hits.length - 1) : (at + step + hits.length) % hits.length;
  const node = hits[page.hit], target = node.matches("tr") ? node.querySelector("button") : node;
  target.focus();
  target.scrollIntoView({ block: "nearest" });
  say(`hit ${page.hit + 1} of ${hits.length}`);
}

// After the first paint: who waits for the verdict does not wait for the data. A page in the
// background is never painted, and goes on by the clock.
function begin() {
  if (page !== undefined) return;
  page = null;
  start().catch(error => say("The data of this report cannot be read: " + error.message));
}
requestAnimationFrame(() => setTimeout(begin));
setTimeout(begin, 300);
