/* The cleaner, 7 of 10: what is known of the picture in focus, and the label box. */

class Pane {
  constructor(app) {
    this.app = app;
    this.el = h("aside", { class: "nbd-pane", "aria-label": "The picture in focus" });
  }

  draw() {
    const { app } = this;
    const row = app.store.row(app.ids[app.at]);
    if (!row) return fill(this.el, app.ids.length ? "" : "");
    const url = app.store.url(row.i);
    const picture = h("button", { type: "button", class: "nbd-large", title: "Zoom (Space)", "aria-label": "Zoom", onclick: () => app.run("zoom") });
    picture.append(url ? turned(h("img", { src: url, alt: "", onload: (event) => sharpen(event.target) }), row) : h("span", { class: "nbd-problem" }, row.problem || "…"));
    return fill(this.el, picture, ...facts(row));
  }
}

/** Small pictures keep their pixels: a blurred enlargement would look like a fault. */
function sharpen(image) {
  image.classList.toggle("nbd-pixels", Math.max(image.naturalWidth, image.naturalHeight) <= 64);
}

function turned(image, row) {
  image.style.transform = row.turn ? `rotate(${row.turn}deg)` : "";
  return image;
}

/** Label, prediction, reasons and file of a row, as elements. */
function facts(row) {
  const list = h("dl", { class: "nbd-facts" });
  const add = (name, ...value) => list.append(h("dt", {}, name), h("dd", {}, ...value));
  if (stateOf(row.status)) add("Decided", h("span", { class: `nbd-is-${STATUS[stateOf(row.status)].css}` }, verdict(row)));
  add("Label", row.given || "none", row.guess ? h("small", {}, ` ${chance(row.guess[2])} likely`) : "");
  if (row.guess) add("Predicted", row.guess[0], h("small", {}, ` ${chance(row.guess[1])} sure`));
  add("Side", SPLITS[row.split] ?? "none yet");
  if (row.size[0]) add("Size", `${whole(row.size[0])} × ${whole(row.size[1])}`);
  add("File", h("span", { class: "nbd-file" }, `${row.folder}/${row.name}`));
  const why = row.why.map(([kind, evidence, suggest]) =>
    h("li", {}, h("strong", {}, KIND(kind)), ` ${evidence}`, suggest !== "look" && h("em", {}, ` Suggested: ${suggest.replace(":", " as ")}`)),
  );
  if (row.best) why.push(h("li", {}, h("strong", {}, "best"), ` ${row.best}`));
  if (row.reason) why.push(h("li", {}, h("strong", {}, "left out"), ` ${row.reason}`));
  return [list, h("ul", { class: "nbd-reasons" }, ...why)];
}

/** Type a class: the list narrows with every letter, and a name that is not there can be made a class. */
class LabelBox {
  constructor(app) {
    this.app = app;
    this.id = `${app.grid.id}-classes`;
    this.input = h("input", {
      type: "text", role: "combobox", "aria-expanded": "true", "aria-controls": this.id, "aria-label": "Class",
      placeholder: "Type a class", autocomplete: "off", spellcheck: "false", oninput: () => this.draw(),
    });
    this.list = h("ul", { class: "nbd-classes", role: "listbox", id: this.id, "aria-label": "Classes" });
    this.count = h("div", { class: "nbd-box-head" });
    this.el = h("div", { class: "nbd-box", role: "dialog", "aria-label": "Give a class", hidden: true }, this.count, this.input, this.list);
    this.input.addEventListener("keydown", (event) => this.#key(event));
    this.el.addEventListener("focusout", (event) => !this.el.contains(event.relatedTarget) && this.close(false));
  }

  open() {
    if (!this.app.ids.length) return;
    this.el.hidden = false;
    this.input.value = "";
    fill(this.count, `Label ${many(this.app.chosen().length, "picture")} as`);
    this.draw();
    this.input.focus();
  }

  close(back = true) {
    if (this.el.hidden) return;
    this.el.hidden = true;
    if (back) this.app.grid.el.focus();
  }

  draw() {
    const typed = this.input.value.trim();
    const low = typed.toLocaleLowerCase();
    const { labels, keys } = this.app.state;
    const starts = labels.filter((label) => label.toLocaleLowerCase().startsWith(low));
    const holds = labels.filter((label) => !starts.includes(label) && label.toLocaleLowerCase().includes(low));
    this.found = [...starts, ...holds].slice(0, 50);
    const digits = Object.fromEntries(Object.entries(keys).map(([digit, label]) => [label, digit]));
    const options = this.found.map((label) => [label, label, digits[label]]);
    if (typed && !labels.includes(typed)) options.push([typed, `New class “${typed}”`, null]);
    this.at = 0;
    this.values = options.map(([value]) => value);
    fill(
      this.list,
      ...options.map(([value, text, digit], index) =>
        h(
          "li",
          { role: "option", id: `${this.id}-${index}`, onmousedown: (event) => (event.preventDefault(), this.#give(value)) },
          h("span", {}, text),
          digit && key(digit),
        ),
      ),
    );
    this.#mark();
  }

  #mark() {
    [...this.list.children].forEach((one, index) => one.setAttribute("aria-selected", index === this.at));
    this.input.setAttribute("aria-activedescendant", `${this.id}-${this.at}`);
    this.list.children[this.at]?.scrollIntoView({ block: "nearest" });
  }

  #give(label) {
    this.close();
    if (label) this.app.relabel(label);
  }

  #key(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in steps) {
      this.at = (this.at + steps[event.key] + this.values.length) % Math.max(1, this.values.length);
      this.#mark();
    } else if (event.key === "Enter") this.#give(this.values[this.at]);
    else if (event.key === "Escape") this.close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
