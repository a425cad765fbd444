// The sortable table of frames; the twin of the pictures for who cannot see them.

const MOST_ROWS = 500;

function columnsOf(selection) {
  const size = value => amount(value, selection.isObjects);
  const plain = [
    ["flat", "Flat", row => row.flat, size],
    ["cum", "Cumulative", row => row.cum, size],
    ["share", "Share", row => row.cum / (selection.total || 1), v => (v * 100).toFixed(1) + "%"],
  ];
  const diff = [
    ["grew", "Grew", row => row.grew, size],
    ["shrank", "Shrank", row => row.shrank, size],
    ["net", "Net", row => row.cum - row.before, v => (v > 0 ? "+" : "") + size(v)],
    ["rate", "Per hour", row => (row.cum - row.before) / selection.hours, v => (v > 0 ? "+" : "") + size(v)],
    ["cum", "Now", row => row.cum, size],
  ];
  const both = [
    ["noise", "± 95 %", row => 1.96 * Math.sqrt(row.variance), v => state.value === "bytes" ? amount(v) : "–"],
    ["objects", "Blocks", row => row.objects, v => amount(v, true)],
    ["mean", "Mean size", row => row.objects ? row.bytes / row.objects : 0, v => amount(v)],
    ["samples", "Samples", row => row.samples, v => String(v)],
  ];
  return [...(selection.a < 0 ? plain : diff), ...both];
}

function sortedRows(kind, selection) {
  const columns = columnsOf(selection), fallback = selection.a < 0 ? "cum" : "net";
  const [key, down] = state.sort ? [state.sort.replace(/^-/, ""), !state.sort.startsWith("-")] : [fallback, true];
  const column = columns.find(c => c[0] === key);
  const name = row => kind.frames.name[row.frame];
  const compare = column ? (x, y) => column[2](y) - column[2](x) : (x, y) => name(x) < name(y) ? 1 : -1;
  const rows = sums(kind, selection).sort((x, y) => (down ? 1 : -1) * compare(x, y) || x.frame - y.frame);
  return { columns, rows, key, down };
}

// Where there is little room, the name has to be seen beside the figures.
const isNarrow = () => innerWidth <= 640;

function tableView(data, kind, selection, found) {
  const { columns: all, rows, key, down } = sortedRows(kind, selection);
  const columns = isNarrow() ? all.filter(([id]) => ["flat", "net", "cum"].includes(id)) : all;
  const head = element("tr"), body = element("tbody");
  for (const [id, title] of [...columns, ["name", "Function"], ...(isNarrow() ? [] : [["module", "Module"]])]) {
    const sorted = id === key;
    const button = element("button", { click: () => go({ sort: (sorted && down ? "-" : "") + id }) }, title + (sorted ? (down ? " ▾" : " ▴") : ""));
    head.append(element("th", { class: id === "name" || id === "module" ? "" : "n", scope: "col", "aria-sort": sorted ? (down ? "descending" : "ascending") : "none" }, button));
  }
  for (const row of rows.slice(0, MOST_ROWS)) {
    const change = selection.a < 0 ? row.cum : row.cum - row.before;
    const noise = isNoise(selection, change, row.variance, row.samples);
    const name = kind.frames.name[row.frame];
    const line = element("tr", { class: [noise && "noise", found[row.frame] && "found", name === state.frame && "chosen"].filter(Boolean).join(" ") });
    for (const [, , value, text] of columns) line.append(element("td", { class: "n" }, text(value(row))));
    const button = element("button", { class: "link", title: placeOf(kind, row.frame), click: () => go({ frame: name, view: "sandwich" }) }, name);
    line.append(element("td", { class: "name" }, button, noise ? element("small", {}, " n.s.") : ""));
    if (!isNarrow()) line.append(element("td", { class: "module" }, kind.strings[kind.frames.module[row.frame]]));
    body.append(line);
  }
  const table = element("table", { class: "sort" }, element("thead", {}, head), body);
  const rest = rows.length - MOST_ROWS;
  return [element("div", { class: "scroll" }, table), rest > 0 ? element("p", { class: "empty" }, `${rest} more rows: filter, or export as CSV.`) : ""];
}
