// Part 2: the classes, with their keys, counts and split.

const KEYS = "1234567890";

class Classes {
  constructor(page) {
    this.page = page;
    this.chosen = "";
    this.list = h("div", { class: "nbc-list", role: "radiogroup", "aria-label": "Classes" });
    this.input = h("input", {
      class: "nbc-input", placeholder: "New class", "aria-label": "New class", maxlength: 80,
      onkeydown: (event) => event.key === "Enter" && this.add(),
    });
    this.element = h(
      "section", { class: "nbc-classes" },
      this.list,
      h("div", { class: "nbc-add" }, this.input, h("button", { class: "nbc-button", onclick: () => this.add() }, "Add")),
      h(
        "div", { class: "nbc-quiet nbc-key" },
        h("span", { class: "nbc-swatch nbc-train" }), "to train on",
        h("span", { class: "nbc-swatch nbc-held" }), "held out",
      ),
    );
  }

  get all() {
    return (this.page.state.classes || []).map((one) => one.label);
  }

  add() {
    const label = this.input.value.trim();
    if (!label) return this.input.focus();
    this.input.value = "";
    if (this.all.includes(label)) return this.choose(label);
    this.wanted = label;
    this.page.line.ask({ kind: "class", label });
  }

  choose(label, focus = false) {
    this.chosen = label;
    this.draw();
    this.page.chose();
    if (focus) this.list.querySelector('[aria-checked="true"]')?.focus();
  }

  /** The class of a key, or nothing. */
  ofKey(key) {
    const place = KEYS.indexOf(key);
    return place < 0 ? undefined : this.all[place];
  }

  draw() {
    const rows = this.page.state.classes || [];
    if (this.chosen && !this.all.includes(this.chosen)) this.chosen = "";
    if (!this.chosen && rows.length) this.chosen = rows[0].label;
    const most = Math.max(1, ...rows.map((row) => row.train + row.held));
    const focused = this.list.contains(document.activeElement) || this.list.contains(this.list.getRootNode().activeElement);
    this.list.replaceChildren(...rows.map((row, place) => this.row(row, place, most)));
    if (!rows.length) this.list.append(h("p", { class: "nbc-quiet" }, "No class yet. Name the first one below, or drop a folder of class folders."));
    if (focused && !this.renaming) this.list.querySelector('[aria-checked="true"]')?.focus();
    this.list.querySelector(".nbc-rename")?.focus();
  }

  row(row, place, most) {
    const { label, train, held, sessions, alone } = row;
    const total = train + held;
    if (this.renaming === label) return this.renamer(label);
    const chosen = label === this.chosen;
    const recording = this.page.camera.recording === label;
    const notes = [`${whole(train)} to train on, ${whole(held)} held out`];
    if (sessions) notes.push(count(sessions, "session"));
    const width = (number) => `width:${((100 * number) / most).toFixed(1)}%`;
    return h(
      "button",
      {
        class: `nbc-class${recording ? " nbc-recording" : ""}`, role: "radio", "aria-checked": String(chosen), tabindex: chosen ? 0 : -1,
        "data-label": label, title: `${label}: ${notes.join(", ")}. F2 renames.`,
        "aria-label": `${label}, ${notes.join(", ")}${KEYS[place] ? `, key ${KEYS[place]}` : ""}`,
        onclick: () => this.choose(label, true),
        ondblclick: () => this.rename(label),
        onkeydown: (event) => this.move(event, place),
      },
      h("kbd", { class: "nbc-kbd", "aria-hidden": "true" }, KEYS[place] || "·"),
      h("span", { class: "nbc-name" }, label),
      h("span", { class: "nbc-number" }, whole(total)),
      h("span", { class: "nbc-bar", "aria-hidden": "true" }, h("i", { class: "nbc-train", style: width(train) }), h("i", { class: "nbc-held", style: width(held) })),
      alone ? h("span", { class: "nbc-alone" }, "! one session, on both sides: record another") : null,
    );
  }

  move(event, place) {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (step) {
      event.preventDefault();
      const { all } = this;
      this.choose(all[(place + step + all.length) % all.length], true);
    } else if (event.key === "F2") this.rename(this.all[place]);
  }

  rename(label) {
    this.renaming = label;
    this.draw();
  }

  renamer(label) {
    const end = (after) => {
      if (this.renaming !== label) return;
      this.renaming = "";
      if (after && after !== label) this.page.line.ask({ kind: "rename", before: label, after });
      this.draw();
    };
    return h("input", {
      class: "nbc-input nbc-rename", value: label, "aria-label": `New name of ${label}`,
      onblur: () => end(""),
      onkeydown: (event) => {
        if (event.key === "Enter") end(event.target.value.trim());
        if (event.key === "Escape") end("");
      },
    });
  }
}
