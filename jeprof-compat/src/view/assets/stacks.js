// From the selection to weighted stacks, and from those to trees. No view counts by itself: what
// they show are sums of the same weights.

// Frames that an expression matches: by name, file:line or module, like --focus.
function matching(kind, expression) {
  const hits = new Uint8Array(kind.frames.name.length);
  if (!expression) return hits;
  const { name, full, module, file, line } = kind.frames;
  for (let f = 0; f < hits.length; f++) {
    const place = kind.strings[file[f]] + ":" + line[f];
    hits[f] = expression.test(name[f]) || expression.test(full[f]) || expression.test(place)
      || expression.test(kind.strings[module[f]]);
  }
  return hits;
}

// Whether a node or one above it has a frame that is hit.
function reached(kind, hits) {
  const out = new Uint8Array(kind.frame.length);
  for (let n = 0; n < out.length; n++)
    out[n] = hits[kind.frame[n]] | (kind.parent[n] < 0 ? 0 : out[kind.parent[n]]);
  return out;
}

function ofSize(size, mean) {
  if (size === "tiny") return mean < 1024;
  if (size === "small") return mean >= 1024 && mean < 65536;
  if (size === "large") return mean >= 65536 && mean < 1048576;
  return mean >= 1048576;
}

// Share of a stack's bytes that is as old as `seconds`; a class that begins below is not.
function olderThan(kind, dump, stack, seconds) {
  const classes = kind.age_bounds.length + 1;
  let sum = 0;
  for (let c = 1; c < classes; c++)
    if (kind.age_bounds[c - 1] >= seconds) sum += kind.ages[dump][stack * classes + c];
  return sum;
}

// Share of every stack's bytes that a thread holds, or a pool of threads.
function ofThread(kind, dump, name) {
  const shares = new Float32Array(kind.leaf.length);
  kind.thread_names.forEach((title, thread) => {
    if (title !== name && kind.pools[thread] !== name) return;
    const own = new Float32Array(kind.leaf.length);
    for (const list of kind.threads.slice(0, dump + 1)) eachPart(list, (stack, part, share) => { if (part === thread) own[stack] = share; });
    own.forEach((share, stack) => shares[stack] += share);
  });
  return shares;
}

// The selection: for every stack a weight at B and, in a diff, at A, with the variance of the
// difference. Samples that live through both dumps are the same samples: only births and deaths
// make noise.
function select(data, kind) {
  const b = state.b === "" ? data.dumps.length - 1 : +state.b;
  const a = state.a === "" ? -1 : +state.a;
  const hidden = matching(kind, pattern(state.hide));
  const focus = pattern(state.focus), ignore = pattern(state.ignore);
  const focused = focus && reached(kind, matching(kind, focus));
  const ignored = ignore && reached(kind, matching(kind, ignore));
  const inModule = state.module && reached(kind, Uint8Array.from(kind.frames.module, m => kind.strings[m] === state.module));
  const column = kind[state.value];
  const isObjects = state.value === "objects";
  const threads = state.thread ? { [a]: a < 0 ? null : ofThread(kind, a, state.thread), [b]: ofThread(kind, b, state.thread) } : null;
  const since = a < 0 ? 0 : data.dumps[b].seconds - data.dumps[a].seconds;
  const out = { a, b, isObjects, hidden, stacks: [], now: [], before: [], variance: [], samples: [], objects: [], bytes: [], total: 0, totalBefore: 0 };
  for (let s = 0; s < kind.leaf.length; s++) {
    const leaf = kind.leaf[s];
    if (focused && !focused[leaf] || ignored && ignored[leaf] || inModule && !inModule[leaf]) continue;
    const bytes = kind.bytes[b][s];
    if (state.size) {
      const at = bytes > 0 || a < 0 ? b : a, count = kind.objects[at][s];
      if (!count || !ofSize(state.size, kind.bytes[at][s] / count)) continue;
    }
    const part = dump => (state.age && kind.hasAges ? olderThan(kind, dump, s, +state.age) : 1) * (threads ? threads[dump][s] : 1);
    const share = part(b), now = column[b][s] * share, before = a < 0 ? 0 : column[a][s] * part(a);
    if (!now && !before) continue;
    const spread = dump => (kind.deviation[dump][s] / 1000 * kind.bytes[dump][s]) ** 2;
    let variance = spread(b);
    if (a >= 0 && kind.hasAges && bytes > 0) {
      const classes = kind.age_bounds.length + 1;
      const survived = kind.age_bounds.reduce((sum, bound, c) => bound >= since ? sum + kind.ages[b][s * classes + c + 1] : sum, 0);
      const died = Math.max(0, kind.bytes[a][s] - survived * bytes);
      variance = variance * (1 - survived) + (kind.bytes[a][s] ? spread(a) * died / kind.bytes[a][s] : 0);
    } else if (a >= 0) variance += spread(a);
    out.stacks.push(s); out.now.push(now); out.before.push(before); out.variance.push(variance * (a < 0 ? share : 1));
    out.samples.push(Math.round(Math.max(kind.samples[b][s] * share, a < 0 ? 0 : kind.samples[a][s] * part(a))));
    out.objects.push(kind.objects[b][s] * share); out.bytes.push(bytes * share);
    out.total += now; out.totalBefore += before;
  }
  return out;
}

// Frames of a stack, leaf first, without the hidden ones.
function framesOf(kind, selection, stack) {
  const out = [];
  for (let n = kind.leaf[stack]; n >= 0; n = kind.parent[n])
    if (!selection.hidden[kind.frame[n]]) out.push(kind.frame[n]);
  return out;
}

// A tree of paths: node 0 is the root of all. `paths` calls its argument with frames from the
// root on, a weight, a variance and samples.
function grow(paths) {
  const tree = { parent: [-1], frame: [-1], value: [0], variance: [0], samples: [0] };
  const index = new Map();
  paths((frames, weight, variance, samples) => {
    let node = 0;
    const add = n => { tree.value[n] += weight; tree.variance[n] += variance; tree.samples[n] += samples; };
    add(0);
    for (const frame of frames) {
      const key = node * 1e6 + frame;
      let next = index.get(key);
      if (next === undefined) {
        next = tree.parent.length;
        index.set(key, next);
        tree.parent.push(node); tree.frame.push(frame); tree.value.push(0); tree.variance.push(0); tree.samples.push(0);
      }
      node = next;
      add(node);
    }
  });
  return related(tree);
}

// The same for paths from the root with all their frames: they are in the data as a tree.
function grown(kind, selection, weight) {
  const size = kind.frame.length + 1, parent = new Int32Array(size), frame = new Int32Array(size);
  const value = new Float64Array(size), variance = new Float64Array(size), samples = new Float64Array(size);
  parent[0] = frame[0] = -1;
  for (let n = 1; n < size; n++) { parent[n] = kind.parent[n - 1] + 1; frame[n] = kind.frame[n - 1]; }
  selection.stacks.forEach((stack, at) => {
    if (weight[at] <= 0) return;
    const node = kind.leaf[stack] + 1;
    value[node] += weight[at]; variance[node] += selection.variance[at]; samples[node] += selection.samples[at];
  });
  for (let n = size - 1; n > 0; n--) { const up = parent[n]; value[up] += value[n]; variance[up] += variance[n]; samples[up] += samples[n]; }
  return related({ parent, frame, value, variance, samples });
}

// Children of a node, the heaviest first; sorted when they are asked for, for few are seen.
function related(tree) {
  const size = tree.parent.length, first = new Int32Array(size).fill(-1), next = new Int32Array(size).fill(-1), sorted = new Map();
  for (let n = size - 1; n > 0; n--) if (tree.value[n] > 0) { next[n] = first[tree.parent[n]]; first[tree.parent[n]] = n; }
  tree.children = node => {
    let list = sorted.get(node);
    if (list) return list;
    list = [];
    for (let n = first[node]; n >= 0; n = next[n]) list.push(n);
    list.sort((x, y) => tree.value[y] - tree.value[x] || tree.frame[x] - tree.frame[y]);
    sorted.set(node, list);
    return list;
  };
  return tree;
}

// Weights of one direction: what there is, or what grew, or what shrank. None is negative.
function weights(selection, direction) {
  return selection.now.map((now, at) => {
    if (selection.a < 0) return now;
    const change = now - selection.before[at];
    return Math.max(0, direction === "shrink" ? -change : change);
  });
}

function treeOf(kind, selection, direction, leafFirst) {
  const weight = weights(selection, direction);
  if (!leafFirst && !state.hide) return grown(kind, selection, weight);
  return grow(add => selection.stacks.forEach((stack, at) => {
    if (weight[at] <= 0) return;
    const frames = framesOf(kind, selection, stack);
    add(leafFirst ? frames : frames.reverse(), weight[at], selection.variance[at], selection.samples[at]);
  }));
}

// Flat and cumulative sums by frame; a frame counts once a stack however often it recurses.
function sums(kind, selection) {
  const rows = [], seen = new Int32Array(kind.frames.name.length).fill(-1), { hidden, now, before, variance, samples, objects, bytes } = selection;
  selection.stacks.forEach((stack, at) => {
    const change = now[at] - before[at];
    let isLeaf = true;
    for (let n = kind.leaf[stack]; n >= 0; n = kind.parent[n]) {
      const frame = kind.frame[n];
      if (hidden[frame]) continue;
      const row = rows[frame] ??= { frame, flat: 0, cum: 0, before: 0, grew: 0, shrank: 0, variance: 0, samples: 0, objects: 0, bytes: 0 };
      if (isLeaf) { row.flat += selection.a < 0 ? now[at] : change; isLeaf = false; }
      if (seen[frame] === at) continue;
      seen[frame] = at;
      row.cum += now[at]; row.before += before[at];
      row.grew += Math.max(0, change); row.shrank += Math.max(0, -change);
      row.variance += variance[at]; row.samples += samples[at];
      row.objects += objects[at]; row.bytes += bytes[at];
    }
  });
  return rows.filter(Boolean);
}

// Too little to tell from chance: few samples, or in a diff a change within its noise.
const FEW = 9;
function isNoise(selection, value, variance, samples) {
  if (samples && samples < FEW) return true;
  return selection.a >= 0 && !selection.isObjects && variance > 0 && Math.abs(value) < 1.96 * Math.sqrt(variance);
}
