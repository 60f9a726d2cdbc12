/* The cleaner, 4 of 10: the grid. Only the rows in sight and one beyond each edge are in the page. */

const CARD = 116;
const GAP = 8;
const TALL = 164;
const HEAD = 36;

class Grid {
  /** `paint(card, index)` draws a card, `header(number, first, last)` gives the line above a group. */
  constructor({ paint, header, picked, moved }) {
    Object.assign(this, { paint, header, ids: [], groups: [], lines: [], live: new Map(), columns: 1, height: 0 });
    this.id = `nbd-${Math.random().toString(36).slice(2)}`;
    this.canvas = h("div", { class: "nbd-canvas", role: "presentation" });
    this.el = h(
      "div",
      { class: "nbd-grid", role: "grid", tabindex: "0", "aria-label": "Pictures", "aria-multiselectable": "true" },
      this.canvas,
    );
    this.el.addEventListener("scroll", () => this.draw(), { passive: true });
    this.el.addEventListener("scroll", moved, { passive: true });
    const index = (event) => Number(event.target.closest("[data-index]")?.dataset.index ?? -1);
    this.el.addEventListener("click", (event) => index(event) >= 0 && picked(index(event), event));
    this.el.addEventListener("dblclick", (event) => index(event) >= 0 && picked(index(event), event));
    this.watch = new ResizeObserver(() => this.#resized());
    this.watch.observe(this.el);
  }

  show(ids, groups) {
    Object.assign(this, { ids, groups, at: new Map() });
    ids.forEach((place, index) => this.at.set(place, index));
    this.#layOut();
    this.el.scrollTop = 0;
    this.draw();
  }

  /** Places of the cards in the page. */
  visible() {
    return [...this.live.values()].flatMap(({ line }) => (line.head ? [] : [...this.ids.slice(line.from, line.to)]));
  }

  card(index) {
    return this.canvas.querySelector(`[data-index="${index}"]`);
  }

  /** Draw the cards of some places again, or all. */
  repaint(places = null) {
    for (const card of this.canvas.querySelectorAll("[data-index]")) {
      const index = Number(card.dataset.index);
      if (!places || places.has(this.ids[index])) this.paint(card, index);
    }
  }

  /** Bring a card into sight, with the head of its group. */
  reveal(index) {
    const number = this.lines.findIndex((one) => !one.head && index >= one.from && index < one.to);
    if (number < 0) return;
    const line = this.lines[number];
    const above = this.lines[number - 1]?.head ? HEAD : 0;
    const { scrollTop, clientHeight } = this.el;
    if (line.top - above < scrollTop) this.el.scrollTop = line.top - above - GAP;
    else if (line.top + TALL > scrollTop + clientHeight) this.el.scrollTop = line.top + TALL + GAP - clientHeight;
    this.draw();
    this.el.setAttribute("aria-activedescendant", `${this.id}-${index}`);
  }

  /** The index that is a row up or down of another, in the same column where there is one. */
  beside(index, rows) {
    const cards = this.lines.filter((line) => !line.head);
    const here = cards.findIndex((line) => index >= line.from && index < line.to);
    const there = cards[Math.max(0, Math.min(cards.length - 1, here + rows))];
    return there ? Math.min(there.to - 1, there.from + index - cards[here].from) : index;
  }

  get rowsInSight() {
    return Math.max(1, Math.floor(this.el.clientHeight / (TALL + GAP)));
  }

  draw() {
    const from = this.el.scrollTop - TALL;
    const to = this.el.scrollTop + this.el.clientHeight + TALL;
    const first = this.#firstAfter(from);
    const wanted = new Set();
    for (let number = first; number < this.lines.length && this.lines[number].top < to; number += 1) wanted.add(number);
    for (const [number, { element }] of this.live) {
      if (!wanted.has(number)) {
        element.remove();
        this.live.delete(number);
      }
    }
    for (const number of wanted) if (!this.live.has(number)) this.#add(number);
  }

  close() {
    this.watch.disconnect();
  }

  #resized() {
    const before = this.columns;
    const top = this.lines[this.#firstAfter(this.el.scrollTop)]?.from ?? 0;
    this.#layOut();
    if (before !== this.columns) this.el.scrollTop = this.lines.find((line) => line.to > top)?.top ?? 0;
    this.draw();
  }

  #layOut() {
    const width = this.el.clientWidth - 2 * GAP;
    this.columns = Math.max(1, Math.floor((width + GAP) / (CARD + GAP)));
    this.lines = [];
    let top = GAP;
    const add = (from, to) => {
      for (let start = from; start < to; start += this.columns, top += TALL + GAP) {
        this.lines.push({ top, from: start, to: Math.min(to, start + this.columns) });
      }
    };
    if (this.groups.length) {
      for (let from = 0, to = 0; from < this.ids.length; from = to) {
        while (to < this.ids.length && this.groups[to] === this.groups[from]) to += 1;
        this.lines.push({ top, head: true, from, to });
        top += HEAD;
        add(from, to);
      }
    } else {
      add(0, this.ids.length);
    }
    this.canvas.style.height = `${top}px`;
    this.canvas.style.setProperty("--nbd-columns", this.columns);
    this.el.setAttribute("aria-rowcount", this.lines.length);
    this.el.setAttribute("aria-colcount", this.columns);
    for (const { element } of this.live.values()) element.remove();
    this.live.clear();
  }

  /** The number of the first line that ends below `y`. */
  #firstAfter(y) {
    let [low, high] = [0, this.lines.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const line = this.lines[middle];
      if (line.top + (line.head ? HEAD : TALL) < y) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #add(number) {
    const line = this.lines[number];
    const element = line.head
      ? this.header(line.from, line.to)
      : h("div", { class: "nbd-row" }, ...Array.from({ length: line.to - line.from }, (_, at) => this.#card(line.from + at)));
    element.setAttribute("role", "row");
    element.setAttribute("aria-rowindex", number + 1);
    element.style.transform = `translateY(${line.top}px)`;
    this.live.set(number, { line, element });
    this.canvas.append(element);
  }

  #card(index) {
    const card = h("div", { class: "nbd-card", role: "gridcell", id: `${this.id}-${index}`, "data-index": index });
    card.append(
      h("div", { class: "nbd-picture" }, h("img", { alt: "", draggable: "false" }), h("span", { class: "nbd-problem" })),
      h("span", { class: "nbd-mark" }),
      h("div", { class: "nbd-said" }),
      h("div", { class: "nbd-why" }),
    );
    this.paint(card, index);
    return card;
  }
}
