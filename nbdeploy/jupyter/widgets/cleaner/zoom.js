/* The cleaner, 8 of 10: the whole picture with its history, and the list of all keys, laid over the grid. */

class Overlay {
  constructor(app) {
    this.app = app;
    this.body = h("div", { class: "nbd-over-body" });
    this.shut = h("button", { type: "button", class: "nbd-quiet-button", onclick: () => this.close() }, key("Esc"), "Close");
    this.title = h("strong", {});
    this.el = h(
      "div",
      { class: "nbd-over", role: "dialog", "aria-modal": "false", hidden: true, tabindex: "-1" },
      h("div", { class: "nbd-over-head" }, this.title, this.shut),
      this.body,
    );
  }

  get zooms() {
    return !this.el.hidden && this.kind === "zoom";
  }

  close() {
    if (this.el.hidden) return;
    this.el.hidden = true;
    this.kind = "";
    this.#release();
    this.app.grid.el.focus();
  }

  help() {
    if (this.kind === "help") return this.close();
    const { app } = this;
    const rows = COMMANDS.filter((one) => one.when?.(app) ?? true).map((one) => [one.keys, one.title, one.what]);
    rows.push([["← ↑ → ↓", "Home", "End"], "Move", "to another picture"]);
    rows.push([["⇧ + move", "Ctrl+click"], "Select", "a range, or one more"]);
    rows.push([["1 … 9, 0"], "Label", "as the class that the legend shows"]);
    rows.push([["Esc"], "Back", "close what lies on top, select nothing"]);
    const cells = rows.map(([keys, title, what]) =>
      h("tr", {}, h("td", {}, ...keys.map((one) => key(shownKey(one)))), h("th", { scope: "row" }, title), h("td", {}, what)),
    );
    return this.#open("help", "All keys", h("table", { class: "nbd-keys" }, h("tbody", {}, ...cells)));
  }

  async zoom() {
    const { app } = this;
    const place = app.ids[app.at];
    if (place !== undefined && !app.store.row(place)) await app.store.need([place]);
    const row = app.store.row(place);
    if (!row) return;
    const small = app.store.url(row.i);
    const picture = h("div", { class: "nbd-whole" }, small ? turned(h("img", { src: small, alt: "", onload: (event) => sharpen(event.target) }), row) : "");
    const words = h("div", { class: "nbd-about" }, ...facts(row));
    this.#open("zoom", `${row.folder}/${row.name}`, picture, words);
    const wanted = (this.wanted = row.i);
    try {
      const [message, buffers] = await app.link.ask({ kind: "zoom", i: row.i });
      if (wanted !== this.wanted || !this.zooms) return;
      this.#release();
      if (buffers[0]?.byteLength) {
        this.url = URL.createObjectURL(new Blob([buffers[0]]));
        fill(picture, turned(h("img", { src: this.url, alt: row.name, onload: (event) => sharpen(event.target) }), row));
      } else fill(picture, h("span", { class: "nbd-problem" }, message.problem));
      words.append(
        h("dl", { class: "nbd-facts" }, h("dt", {}, "Where"), h("dd", { class: "nbd-file" }, message.path), h("dt", {}, "Bytes"), h("dd", {}, message.bytes)),
        h("h4", {}, "Decisions"),
        message.history.length
          ? h("ul", { class: "nbd-history" }, ...message.history.map(([when, what, who]) => h("li", {}, h("time", {}, when), ` ${what}`, who === "person" ? "" : ` (${who})`)))
          : h("p", { class: "nbd-hint" }, "None yet."),
      );
    } catch (error) {
      if (this.zooms && !small) fill(picture, h("span", { class: "nbd-problem" }, error.message));
    }
  }

  #open(kind, title, ...body) {
    this.kind = kind;
    this.title.textContent = title;
    this.el.setAttribute("aria-label", title);
    this.body.className = `nbd-over-body nbd-${kind}`;
    fill(this.body, ...body);
    this.el.hidden = false;
    this.el.focus({ preventScroll: true });
  }

  #release() {
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = "";
  }
}
