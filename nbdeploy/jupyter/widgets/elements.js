/* What the widgets share: elements and numbers. It stands before the parts of each (base.joined). */

const FOCUSABLE = new Set(["a", "button", "input", "select", "textarea"]);

/** An element: h("button", {class: "x", onclick: f, "aria-label": "y"}, "text", another). False attributes are left out. */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value == null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "text") element.textContent = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  // JupyterLab has keys for whatever is in focus inside a notebook (D D deletes the cell), unless it bears this itself.
  if ("tabindex" in attributes || FOCUSABLE.has(tag)) element.setAttribute("data-lm-suppress-shortcuts", "true");
  element.append(...children.filter((child) => child != null && child !== false));
  return element;
}

const whole = (number) => number.toLocaleString("en");
