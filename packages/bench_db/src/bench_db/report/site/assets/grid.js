"use strict";
/* A table of any length: only the rows in sight exist, and keys move through all of them. */
bench.grid = (box, { name, columns, sorted, onSort }) => {
  const { el } = bench;
  const spare = 8, paper = matchMedia("print");
  let tall = 0;  // of a row, as the style says
  let rows = [], active = 0, drawn = new Map();
  const head = el("div", { class: "head", role: "row", "aria-rowindex": 1 }, columns.map((column) => {
    const button = column.sort ? el("button", { type: "button", onclick: () => onSort(column.key) }, column.title) : column.title;
    return el("div", { role: "columnheader", class: column.class, "data-key": column.key }, button);
  }));
  const sheet = el("div", { class: "all", role: "none" });
  const body = el("div", { class: "body", role: "rowgroup", tabindex: "-1" }, sheet);
  box.classList.add("grid");
  box.setAttribute("role", "table");
  box.setAttribute("aria-label", name);
  box.append(el("div", { role: "rowgroup" }, head), body);
  bench.onTheme(() => show(rows, true));

  function mark(key, descending) {
    for (const cell of head.children) {
      if (cell.dataset.key === key) cell.setAttribute("aria-sort", descending ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    }
  }

  function line(place) {
    const row = rows[place];
    const cells = columns.map((column) => el("div", { role: "cell", class: column.class }, column.cell(row)));
    const node = el("div", { class: "row", role: "row", "aria-rowindex": place + 2 }, cells);
    node.style.transform = `translateY(${place * tall}px)`;
    node.querySelectorAll("a").forEach((link) => { link.tabIndex = place === active ? 0 : -1; });
    sheet.append(node);
    for (const [i, column] of columns.entries()) column.drawn?.(cells[i], row);
    return node;
  }

  function height() { return parseFloat(getComputedStyle(box).getPropertyValue("--tall")); }

  function fit() { if (height() === tall) refresh(); else show(rows, true); }

  function refresh() {
    const first = paper.matches ? 0 : Math.max(0, Math.floor(body.scrollTop / tall) - spare);
    const last = paper.matches ? rows.length : Math.min(rows.length, Math.ceil((body.scrollTop + body.clientHeight) / tall) + spare);
    for (const [place, node] of drawn) if ((place < first || place >= last) && place !== active) { node.remove(); drawn.delete(place); }
    for (let place = first; place < last; place += 1) if (!drawn.has(place)) drawn.set(place, line(place));
    head.style.setProperty("--bar", `${body.offsetWidth - body.clientWidth}px`);
  }

  function show(next, stay = false) {
    rows = next;
    tall = height();
    if (!stay) { active = 0; body.scrollTop = 0; }
    drawn.forEach((node) => node.remove());
    drawn = new Map();
    sheet.style.height = `${rows.length * tall}px`;
    body.style.height = `${Math.max(1, rows.length) * tall - 1}px`;
    box.setAttribute("aria-rowcount", rows.length + 1);
    refresh();
  }

  function go(place) {
    const before = drawn.get(active);
    before?.querySelectorAll("a").forEach((link) => { link.tabIndex = -1; });
    active = Math.max(0, Math.min(rows.length - 1, place));
    const top = active * tall;
    if (top < body.scrollTop) body.scrollTop = top;
    else if (top + tall > body.scrollTop + body.clientHeight) body.scrollTop = top + tall - body.clientHeight;
    refresh();
    if (!drawn.has(active)) drawn.set(active, line(active));
    const link = drawn.get(active)?.querySelector("a");
    if (link) { link.tabIndex = 0; link.focus({ preventScroll: true }); }
  }

  body.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(body.clientHeight / tall) - 1);
    const to = { ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + page, PageUp: active - page, Home: 0, End: rows.length - 1 }[event.key];
    if (to === undefined || !rows.length) return;
    event.preventDefault();
    go(to);
  });
  body.addEventListener("focusin", (event) => {
    for (const [place, node] of drawn) if (node.contains(event.target)) active = place;
  });
  body.addEventListener("scroll", () => requestAnimationFrame(refresh), { passive: true });
  new ResizeObserver(fit).observe(body);
  mark(sorted.key, sorted.descending);
  return { show, mark, focus: () => go(active) };
};
