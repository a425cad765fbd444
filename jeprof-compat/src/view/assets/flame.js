// The icicle of the selection: one tree, or in a diff one of what grew and one of what shrank.

// A node as names from the root on, so that a link to it survives another report.
function pathTo(kind, tree, node) {
  const names = [];
  for (let n = node; n > 0; n = tree.parent[n]) names.unshift(kind.frames.name[tree.frame[n]]);
  return names.join("\n");
}

function nodeAt(kind, tree, path) {
  let node = 0;
  for (const name of path ? path.split("\n") : []) {
    const next = tree.children(node).find(child => kind.frames.name[tree.frame[child]] === name);
    if (next === undefined) return node;
    node = next;
  }
  return node;
}

function flameView(data, kind, selection, found) {
  const out = [], diff = selection.a >= 0, leafFirst = state.turn === "leaf";
  for (const direction of diff ? ["grow", "shrink"] : [""]) {
    const tree = treeOf(kind, selection, direction, leafFirst);
    const sum = amount(tree.value[0], selection.isObjects);
    const title = diff ? `${direction === "grow" ? "Grew" : "Shrank"} by ${sum}` : `all: ${sum} ${WORDS[state.value]}`;
    if (diff) out.push(element("h3", {}, title));
    if (tree.value[0] <= 0) { out.push(element("p", { class: "empty" }, "Nothing.")); continue; }
    const root = nodeAt(kind, tree, state.root);
    out.push(drawTree(data, kind, selection, {
      tree, root, direction, title, found, upwards: state.up === "1",
      click: (node, frame) => go({ root: node === root ? "" : pathTo(kind, tree, node), frame: frame < 0 ? "" : kind.frames.name[frame] }),
    }));
  }
  return out;
}
