"use strict";
/* What every page has: elements made from text alone, the theme, and the door through which data scripts hand over their data. */
const bench = (() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const paper = matchMedia("print");
  const listeners = [];

  function kept() {
    try { return localStorage.getItem("bench-theme"); } catch { return null; }
  }

  function applyTheme() {
    root.dataset.theme = kept() || (dark.matches ? "dark" : "light");
    for (const listener of listeners) listener();
  }

  function toggleTheme() {
    const next = root.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("bench-theme", next); } catch { /* a browser that keeps nothing still switches */ }
    root.dataset.theme = next;
    for (const listener of listeners) listener();
  }

  /* An element; strings among the children become text, so no name is ever read as markup. */
  function el(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (name === "onclick" || name === "oninput" || name === "onchange") node.addEventListener(name.slice(2), value);
      else node.setAttribute(name, value === true ? "" : String(value));
    }
    node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
    return node;
  }

  const held = new Map();
  const waiting = new Map();

  function receive(name, content) {
    held.set(name, content);
    waiting.get(name)?.(content);
  }

  /* The hash of the address as names and values, which survives file:// where a query may not. */
  function state() { return new URLSearchParams(location.hash.slice(1)); }

  /* Says which of the names and values of the address this page does not have: what it shows is not what was asked for. */
  function unknown(pairs) {
    const node = document.getElementById("unknown"), asked = pairs.filter(([, value]) => value);
    node.hidden = !asked.length;
    node.textContent = asked.length ? `The address asks for what is not here: ${asked.map(([name, value]) => `${name} ${JSON.stringify(value.slice(0, 80))}`).join(", ")}. Choose on the page instead.` : "";
  }

  function remember(values) {
    const hash = new URLSearchParams(Object.entries(values).filter(([, value]) => value)).toString();
    history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  }

  /* To the content without the address of the skip link, which keeps what a page shows. */
  function skip(event) {
    event.preventDefault();
    document.getElementById("main").focus();
  }

  function colour(name) { return getComputedStyle(root).getPropertyValue(`--${name}`).trim(); }

  dark.addEventListener("change", applyTheme);
  paper.addEventListener("change", applyTheme);
  applyTheme();
  document.addEventListener("DOMContentLoaded", () => {
    document.getElementById("theme").addEventListener("click", toggleTheme);
    document.querySelector(".skip").addEventListener("click", skip);
  });

  return { el, receive, held, waiting, state, unknown, remember, colour, onTheme: (listener) => listeners.push(listener) };
})();
