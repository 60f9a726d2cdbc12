// Small things that all parts of the panel share: times, signs, and drawing anew without losing the focus.

const SIGNS = { pending: "○", running: "◐", done: "✓", failed: "✗", cancelled: "■", skipped: "–" };
const WORD = { pending: "waiting", running: "running", done: "done", failed: "failed", cancelled: "cancelled", skipped: "not needed" };

/** Seconds as people read them: 0.8 s, 42 s, 2 min 5 s. */
function seconds(value) {
  if (value < 10) return `${value.toFixed(1)} s`;
  if (value < 60) return `${Math.round(value)} s`;
  const all = Math.round(value);
  return `${Math.floor(all / 60)} min ${all % 60} s`;
}

/** The second click of a double click does nothing: what it would meet is often another button by then. */
const button = (text, act, more = {}) => h("button", { type: "button", "data-place": text, onclick: (event) => { if (event.detail < 2) act(); }, ...more }, text);

const link = (href) => h("a", { href, target: "_blank", rel: "noopener", "data-place": "address" }, href);

/** A line of code with a button that copies it. */
function code(text, label) {
  const copy = button("Copy", async () => {
    await navigator.clipboard?.writeText(text);
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  }, { class: "nbd-quiet-button", "aria-label": `Copy: ${label}`, "data-place": `copy ${label}` });
  return h("div", { class: "nbd-code" }, h("code", {}, text), copy);
}

/** Replace what is in `element`; what had the focus has it again, where it still is there. */
function redraw(element, ...children) {
  const at = element.contains(document.activeElement) ? document.activeElement.dataset?.place : null;
  element.replaceChildren(...children.filter((child) => child != null && child !== false));
  if (at) element.querySelector(`[data-place="${CSS.escape(at)}"]`)?.focus();
}

/** An SVG that Python made, as a picture. */
function qrCode(svg, label) {
  return h("img", { class: "nbd-qr", alt: label, src: `data:image/svg+xml;utf8,${encodeURIComponent(svg)}` });
}
