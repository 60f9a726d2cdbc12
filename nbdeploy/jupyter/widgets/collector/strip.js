// Part 6: what came last, with its badges; nothing is dropped without a tile that says why.

const MOST = 240;
const SHORT = {
  empty_file: "empty", not_an_image: "no image", unreadable: "unreadable", truncated: "cut short", image_bomb: "too large",
  exact_duplicate: "copy", cross_class_duplicate: "2 classes", near_duplicate: "alike", wrong_extension: "extension",
  blank: "blank", dark: "dark", overexposed: "too bright", blurred: "blurred", noisy: "noisy", garbled: "garbled",
  odd_size: "odd size", odd_aspect: "odd shape", exif_rotated: "EXIF turn", sixteen_bit: "16 bits", float_pixels: "float",
  cmyk: "CMYK", animated: "animated", alpha: "alpha", palette: "palette",
};
const SIGNS = { bad: "✗", warn: "!", note: "·" };
const FILTERS = [
  ["all", "All", () => true],
  ["look", "Look at", (item) => item.status !== "refused" && item.badges.some((badge) => badge[2] === "warn")],
  ["refused", "Not stored", (item) => item.status !== "kept"],
];

class Strip {
  constructor(page) {
    this.page = page;
    this.items = new Map(); // id -> item, newest last
    this.filter = "all";
    this.filters = h("div", { class: "nbc-filters", role: "group", "aria-label": "Which of them" });
    this.grid = h("ul", { class: "nbc-grid", "aria-label": "Added last, the newest first" });
    this.detail = h("p", { class: "nbc-detail nbc-quiet", "aria-live": "off" });
    this.element = h("section", { class: "nbc-strip" }, this.filters, this.grid, this.detail);
  }

  take(items, buffers) {
    items.forEach((item, place) => {
      const bytes = buffers[place];
      if (bytes?.byteLength) item.thumb = URL.createObjectURL(new Blob([bytes], { type: "image/webp" }));
      this.items.set(item.id, item);
    });
    for (const id of [...this.items.keys()].slice(0, Math.max(0, this.items.size - MOST))) this.forget(id);
    this.soon();
  }

  forget(id) {
    const item = this.items.get(id);
    if (item?.thumb) URL.revokeObjectURL(item.thumb);
    this.items.delete(id);
  }

  gone(ids) {
    ids.forEach((id) => this.forget(id));
    this.soon();
  }

  renamed(before, after) {
    for (const item of this.items.values()) if (item.label === before) item.label = after;
    this.soon();
  }

  soon() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  draw() {
    const every = [...this.items.values()].reverse();
    this.filters.replaceChildren(
      h("span", { class: "nbc-title" }, "Latest"),
      ...FILTERS.map(([key, words, test]) => {
        const number = every.filter(test).length;
        if (key !== "all" && !number && this.filter !== key) return null;
        const props = { class: "nbc-filter", "aria-pressed": String(this.filter === key), onclick: () => { this.filter = key; this.draw(); } };
        return h("button", props, `${words} ${whole(number)}`);
      }).filter(Boolean),
    );
    const test = FILTERS.find(([key]) => key === this.filter)[2];
    const shown = every.filter(test);
    const old = new Map([...this.grid.children].map((tile) => [tile.dataset.id, tile]));
    const focused = [...old.values()].find((tile) => tile.contains(tile.getRootNode().activeElement));
    const place = focused ? [...old.values()].indexOf(focused) : -1;
    this.grid.replaceChildren(...shown.map((item) => (old.get(item.id)?.dataset.label === item.label ? old.get(item.id) : this.tile(item))));
    if (!shown.length) this.grid.append(h("li", { class: "nbc-quiet nbc-none" }, every.length ? "None." : "What you add appears here, with what screening noticed."));
    const buttons = this.buttons();
    buttons.forEach((button, at) => button.setAttribute("tabindex", at ? -1 : 0));
    if (focused) (buttons.find((button) => focused.contains(button)) || buttons[Math.min(place, buttons.length - 1)])?.focus();
  }

  buttons() {
    return [...this.grid.querySelectorAll("button")];
  }

  tile(item) {
    // Frames of one recording resemble one another; that is told in the line below, not on every tile.
    const worst = item.badges.find((badge) => badge[2] !== "note") || item.badges.find((badge) => badge[0] !== "near_duplicate");
    const badge = worst ? h("span", { class: `nbc-badge nbc-${worst[2]}` }, `${SIGNS[worst[2]]} ${SHORT[worst[0]] || worst[0]}`) : null;
    const said = item.badges.map((one) => one[1]).join("; ");
    const stored = { kept: "", copy: "not stored again: ", refused: "not stored: " }[item.status];
    const words = `${item.label}, ${item.source}${said ? `: ${stored}${said}` : ""}`;
    return h(
      "li", { class: `nbc-tile nbc-is-${item.status}`, "data-id": item.id, "data-label": item.label },
      h(
        "button",
        {
          class: "nbc-look", "aria-label": words, title: words,
          onfocus: () => this.say(item, stored + said), onmouseenter: () => this.say(item, stored + said),
          onkeydown: (event) => this.move(event, item),
        },
        item.thumb ? h("img", { class: "nbc-thumb", alt: "", src: item.thumb, draggable: "false" }) : h("span", { class: "nbc-thumb nbc-empty", "aria-hidden": "true" }, "✗"),
        badge,
        h("span", { class: "nbc-caption" }, item.label),
      ),
    );
  }

  say(item, said) {
    const size = item.size[0] ? ` · ${whole(item.size[0])} × ${whole(item.size[1])}` : "";
    this.detail.replaceChildren(h("b", {}, item.file || item.source), `${size} · ${item.source}${said ? ` · ${said}` : ""}`);
  }

  move(event, item) {
    const buttons = this.buttons();
    const at = buttons.indexOf(event.currentTarget);
    const columns = getComputedStyle(this.grid).gridTemplateColumns.split(" ").length;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    if (step) {
      event.preventDefault();
      const next = buttons[at + step];
      if (next) {
        next.setAttribute("tabindex", 0);
        event.currentTarget.setAttribute("tabindex", -1);
        next.focus();
      }
    } else if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      if (item.status === "kept") this.page.line.ask({ kind: "remove", ids: [item.id] });
      else this.gone([item.id]);
    }
  }

  close() {
    cancelAnimationFrame(this.frame);
    for (const id of [...this.items.keys()]) this.forget(id);
  }
}
