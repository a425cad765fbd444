// Pan, zoom and search for the call graph. Runs inside the SVG file itself, needs no network, and
// the picture is complete without it.
"use strict";
(() => {
  const svg = document.documentElement;
  const viewport = document.getElementById("viewport");
  const box = svg.viewBox.baseVal;
  const whole = { width: box.width, height: box.height };
  let scale = 1, left = 0, top = 0;

  // The page becomes the window onto the picture; without a script the file scales by its viewBox.
  svg.removeAttribute("viewBox");
  svg.setAttribute("width", "100%");
  svg.setAttribute("height", "100%");
  svg.style.position = "fixed";
  svg.style.cursor = "grab";
  svg.style.touchAction = "none";
  document.querySelector(".paper").setAttribute("width", "100%");
  document.querySelector(".paper").setAttribute("height", "100%");

  const show = () => {
    viewport.setAttribute("transform", `translate(${left} ${top}) scale(${scale})`);
  };
  // The search box stands above the picture, not on it.
  const STRIP = 44;
  const fit = () => {
    scale = Math.min(innerWidth / whole.width, Math.max(60, innerHeight - STRIP) / whole.height, 2);
    left = (innerWidth - whole.width * scale) / 2;
    top = Math.max(STRIP, (innerHeight - whole.height * scale) / 2);
    show();
  };
  const zoom = (factor, x, y) => {
    const next = Math.min(20, Math.max(0.02, scale * factor));
    left = x - (x - left) * next / scale;
    top = y - (y - top) * next / scale;
    scale = next;
    show();
  };
  const zoomMiddle = (factor) => zoom(factor, innerWidth / 2, innerHeight / 2);
  const pan = (x, y) => { left += x; top += y; show(); };

  let touched = false;
  addEventListener("resize", () => { if (!touched) fit(); });
  svg.addEventListener("wheel", (event) => {
    event.preventDefault();
    touched = true;
    // deltaMode 1 counts lines.
    const distance = event.deltaY * (event.deltaMode === 1 ? 16 : 1);
    zoom(Math.exp(-distance / 400), event.clientX, event.clientY);
  }, { passive: false });

  // One pointer drags, two pinch.
  const pointers = new Map();
  const spread = () => {
    const [a, b] = [...pointers.values()];
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, d: Math.hypot(a.x - b.x, a.y - b.y) };
  };
  svg.addEventListener("pointerdown", (event) => {
    if (event.target.closest("#finder")) return;
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  svg.addEventListener("pointermove", (event) => {
    const last = pointers.get(event.pointerId);
    if (!last) return;
    touched = true;
    const now = { x: event.clientX, y: event.clientY };
    if (pointers.size === 1) {
      // Not before a drag begins, or a click would never reach a box.
      svg.setPointerCapture(event.pointerId);
      pan(now.x - last.x, now.y - last.y);
      pointers.set(event.pointerId, now);
    } else if (pointers.size === 2) {
      const before = spread();
      pointers.set(event.pointerId, now);
      const after = spread();
      pan(after.x - before.x, after.y - before.y);
      if (before.d > 0) zoom(after.d / before.d, after.x, after.y);
    }
  });
  for (const end of ["pointerup", "pointercancel"]) {
    svg.addEventListener(end, (event) => pointers.delete(event.pointerId));
  }

  // Search over whole names, which the tooltips hold.
  const nodes = [...document.querySelectorAll(".node")];
  const names = nodes.map((node) => node.querySelector("title").textContent.toLowerCase());
  const frame = document.createElementNS("http://www.w3.org/2000/svg", "foreignObject");
  const form = document.createElementNS("http://www.w3.org/1999/xhtml", "div");
  const input = document.createElementNS("http://www.w3.org/1999/xhtml", "input");
  const count = document.createElementNS("http://www.w3.org/1999/xhtml", "output");
  form.id = "finder";
  input.type = "search";
  input.placeholder = "Search  ( / )";
  input.setAttribute("aria-label", "Search names");
  form.append(input, count);
  frame.append(form);
  const placeFinder = () => {
    frame.setAttribute("x", Math.max(0, innerWidth - 330));
    frame.setAttribute("y", 10);
    frame.setAttribute("width", 330);
    frame.setAttribute("height", 40);
  };
  addEventListener("resize", placeFinder);
  placeFinder();
  svg.append(frame);

  let hits = [], current = -1;
  const search = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    hits = [];
    nodes.forEach((node, index) => {
      const hit = words.length > 0 && words.every((word) => names[index].includes(word));
      if (hit) hits.push(node);
      node.classList.toggle("found", hit);
      node.classList.toggle("faded", words.length > 0 && !hit);
    });
    current = -1;
    count.textContent = words.length > 0 ? `${hits.length} of ${nodes.length}` : "";
  };
  const goTo = (step) => {
    if (hits.length === 0) return;
    current = (current + step + hits.length) % hits.length;
    touched = true;
    const place = hits[current].getBoundingClientRect();
    pan(innerWidth / 2 - place.x - place.width / 2, innerHeight / 2 - place.y - place.height / 2);
    count.textContent = `${current + 1} of ${hits.length}`;
  };
  input.addEventListener("input", search);
  input.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter") goTo(event.shiftKey ? -1 : 1);
    if (event.key === "Escape") { input.value = ""; search(); input.blur(); }
  });

  const keys = {
    "/": () => input.focus(),
    "n": () => goTo(1),
    "N": () => goTo(-1),
    "+": () => zoomMiddle(1.25),
    "=": () => zoomMiddle(1.25),
    "-": () => zoomMiddle(0.8),
    "0": fit,
    "ArrowLeft": () => pan(60, 0),
    "ArrowRight": () => pan(-60, 0),
    "ArrowUp": () => pan(0, 60),
    "ArrowDown": () => pan(0, -60),
  };
  addEventListener("keydown", (event) => {
    const action = keys[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (event.key !== "/") touched = event.key !== "0";
    action();
  });

  // Under the pointer, the calls of a box stand out.
  for (const edge of document.querySelectorAll(".edge")) {
    for (const end of edge.dataset.ends.split(" ")) {
      nodes[end].addEventListener("pointerenter", () => edge.classList.add("near"));
      nodes[end].addEventListener("pointerleave", () => edge.classList.remove("near"));
    }
  }

  // Where another font stands in, text that came out too wide is squeezed into its box.
  for (const text of document.querySelectorAll("text[data-room]")) {
    const room = Number(text.dataset.room);
    if (text.getComputedTextLength() > room) {
      text.setAttribute("textLength", room);
      text.setAttribute("lengthAdjust", "spacingAndGlyphs");
    }
  }
  fit();
})();
