// The live table of runs. Python sends rows as they are to be read; here they are narrowed, sorted and chosen.

const EVERY_MS = 4000;
const FIRST = 50;
const LOST = "Not connected to the kernel. Run the cell again to see the runs.";
const CONDITION = /[<>=]|\b(and|or|not|in)\b.*['"\d]/;

class Table {
  constructor(model, el) {
    Object.assign(this, { model, el, chosen: new Set(), by: -1, up: true, words: "", most: FIRST, drawn: "", wait: 0 });
    this.root = h("div", { class: "nbd nbd-runs", "data-lm-suppress-shortcuts": "true" });
    this.title = h("div", { class: "nbd-title" });
    this.filter = h("input", {
      type: "search", "aria-label": "Show only runs that match: words, or a condition", size: 40, spellcheck: "false",
      placeholder: "words, or: accuracy > .9 and lr < .01", oninput: () => this.typed(), onsearch: () => this.typed(),
    });
    const act = (kind, text, title) => h("button", { type: "button", title, onclick: () => this.act(kind) }, text);
    this.buttons = {
      compare: act("compare", "Compare", "The chosen runs side by side (C)"),
      history: act("history", "Curves", "The chosen runs epoch by epoch; all that are shown where none is chosen (E)"),
      plot: act("plot", "Parallel", "Parameters and figures of the chosen runs, or of all that are shown (P)"),
      none: act("none", "Choose none", "Take the choice back (Escape)"),
    };
    this.count = h("span", { class: "nbd-muted", role: "status", "aria-live": "polite" });
    this.bar = h("div", { class: "nbd-tools" }, this.filter, this.count, h("span", { class: "nbd-actions" }, ...Object.values(this.buttons)));
    this.head = h("tr");
    this.body = h("tbody");
    this.table = h("table", {}, h("thead", {}, this.head), this.body);
    this.more = h("button", { type: "button", class: "nbd-link", onclick: () => { this.most += 10 * FIRST; this.draw(true); } });
    this.said = h("div", { class: "nbd-said", role: "status", "aria-live": "polite" });
    this.below = h("div", { class: "nbd-below" });
    this.keys = h("div", { class: "nbd-keys" });
    for (const [key, what] of [["/", "filter"], ["↑↓", "go"], ["Space", "choose"], ["C", "compare"], ["E", "curves"], ["P", "parallel"], ["Enter", "details"], ["R", "reproduce"], ["Del", "remove"]])
      this.keys.append(h("kbd", {}, key), ` ${what}  `);
    this.root.append(this.title, this.bar, h("div", { class: "nbd-scroll" }, this.table), this.more, this.said, this.below, this.keys);
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.root.addEventListener("keypress", (event) => event.stopPropagation());
    el.append(this.root);
    this.change = () => this.draw();
    this.heard = (message) => message.kind === "below" && this.show(message.title, message.html);
    model.on("change:state", this.change);
    model.on("msg:custom", this.heard);
    this.timer = setInterval(() => this.look(), EVERY_MS);
    this.draw();
  }

  close() {
    clearInterval(this.timer);
    clearTimeout(this.wait);
    this.model.off("change:state", this.change);
    this.model.off("msg:custom", this.heard);
    this.root.remove();
  }

  look() {
    const seen = this.root.isConnected && !document.hidden && this.root.getClientRects().length > 0;
    if (this.el.closest(".jupyter-widgets-disconnected")) this.tell("failed", LOST);
    else if (seen) this.send({ kind: "look" });
  }

  send(message) {
    try {
      this.model.send(message);
    } catch {
      this.tell("failed", LOST);
    }
  }

  tell(kind, text, undo = "") {
    const sign = { passed: "✓ ", failed: "✗ " }[kind] || "";
    this.said.className = `nbd-said nbd-is-${kind}`;
    if (this.said.dataset.text === text + undo) return;
    this.said.dataset.text = text + undo;
    const back = h("button", { type: "button", class: "nbd-link", onclick: () => this.send({ kind: "restore", id: undo }) }, "Undo");
    this.said.replaceChildren(text && sign + text, undo ? back : "");
  }

  /** Words are looked for here; a condition is read by Python, once the person stops typing. */
  typed() {
    const text = this.filter.value.trim();
    clearTimeout(this.wait);
    const condition = CONDITION.test(text);
    this.words = condition ? "" : text.toLowerCase();
    const asked = condition ? text : "";
    if (asked !== (this.asked || "")) this.wait = setTimeout(() => { this.asked = asked; this.send({ kind: "where", text: asked }); }, condition ? 400 : 0);
    this.draw(true);
  }

  shown() {
    const words = this.words.split(/\s+/).filter(Boolean);
    const rows = this.model.get("state").rows.filter((row) => {
      const text = `${row.cells.join(" ")} ${row.more} ${row.why}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
    if (this.by < 0) return rows;
    const order = (a, b) => {
      const [x, y] = [a.sort[this.by], b.sort[this.by]];
      if (x == null || y == null) return (x == null) - (y == null); // what has no value comes last either way
      const numbers = typeof x === "number" && typeof y === "number";
      return (numbers ? x - y : String(x).localeCompare(String(y))) * (this.up ? 1 : -1);
    };
    return [...rows].sort(order);
  }

  draw(always = false) {
    const state = this.model.get("state");
    const hide = document.querySelector(`[data-nbd-static="${state.id}"]`);
    if (hide) hide.style.display = "none"; // the table for when there is no kernel
    const rows = this.shown();
    const ids = new Set(state.rows.map((row) => row.id));
    for (const id of this.chosen) if (!ids.has(id)) this.chosen.delete(id);
    const none = !state.rows.length && !state.where;
    this.title.textContent = state.heading;
    this.table.hidden = this.bar.hidden = this.keys.hidden = none;
    const picked = this.chosen.size ? `${this.chosen.size} chosen` : "";
    const narrowed = this.words || state.where ? `${rows.length} shown` : "";
    this.count.textContent = [narrowed, picked].filter(Boolean).join(", ");
    this.buttons.compare.disabled = this.chosen.size < 2;
    this.buttons.none.disabled = !this.chosen.size;
    this.buttons.history.disabled = this.buttons.plot.disabled = !rows.length;
    this.more.hidden = rows.length <= this.most;
    this.more.textContent = `Show ${rows.length - this.most} more`;
    const now = JSON.stringify([state.rows, state.heads]);
    if (always || now !== this.drawn) {
      this.drawn = now;
      const at = this.root.contains(document.activeElement) && document.activeElement.closest("[data-place]")?.dataset.place;
      this.head.replaceChildren(h("th", { scope: "col" }, h("span", { class: "nbd-hidden" }, "Chosen")), ...state.heads.map((one, place) => this.heading(one, place)));
      this.body.replaceChildren(...rows.slice(0, this.most).map((row) => this.row(row)));
      if (!rows.length && !none) this.body.append(h("tr", {}, h("td", { colspan: state.heads.length + 1, class: "nbd-muted" }, "No run is like that.")));
      if (at) this.root.querySelector(`[data-place="${CSS.escape(at)}"]`)?.focus();
    }
    if (none) this.tell("hint", state.empty);
    else if (state.said.text) this.tell(state.said.kind, state.said.text, state.said.undo);
    else this.tell("hint", state.hidden ? `${state.hidden} trials are not listed: nd.runs(kind="trial")` : "");
  }

  heading(one, place) {
    const sorted = this.by === place;
    const mark = sorted ? (this.up ? " ▲" : " ▼") : "";
    const sort = () => {
      this.up = sorted ? !this.up : one.up;
      this.by = place;
      this.draw(true);
    };
    const button = h("button", { type: "button", "data-place": `head ${place}`, title: "Sort", onclick: sort }, one.text, h("span", { "aria-hidden": "true" }, mark));
    return h("th", { scope: "col", class: one.number && "nbd-n", "aria-sort": sorted ? (this.up ? "ascending" : "descending") : "none" }, button);
  }

  row(row) {
    const heads = this.model.get("state").heads;
    const box = h("input", { type: "checkbox", tabindex: "-1", "aria-label": `Choose ${row.id}`, onchange: () => this.choose(row.id) });
    box.checked = this.chosen.has(row.id);
    const open = h("button", { type: "button", tabindex: "-1", class: "nbd-id", title: "Details (Enter)", onclick: () => this.send({ kind: "details", id: row.id }) }, row.id);
    const about = [...row.tags.map((tag) => `#${tag}`), row.note].filter(Boolean).join("  ");
    const cells = row.cells.map((text, at) => {
      if (at === 0) return h("th", { scope: "row" }, open, about && h("div", { class: "nbd-muted nbd-small" }, about));
      if (at === 2) return h("td", { class: `nbd-status nbd-is-${row.kind}`, title: row.why || null }, text);
      return h("td", { class: heads[at].number && "nbd-n" }, text);
    });
    const words = `${row.id}, ${row.cells[1]}, ${row.status}${this.chosen.has(row.id) ? ", chosen" : ""}`;
    return h("tr", { tabindex: "0", "data-place": row.id, "data-id": row.id, class: this.chosen.has(row.id) && "nbd-chosen", "aria-label": words }, h("td", { class: "nbd-box" }, box), ...cells);
  }

  choose(id) {
    if (!this.chosen.delete(id)) this.chosen.add(id);
    this.draw(true);
  }

  act(kind) {
    if (kind === "none") {
      this.chosen.clear();
      return this.draw(true);
    }
    if (kind === "compare" && this.chosen.size < 2) return this.tell("hint", "Choose two runs or more with Space, then compare.");
    const ids = this.chosen.size ? [...this.chosen] : this.shown().map((row) => row.id);
    this.tell("hint", { compare: "Comparing ...", history: "Drawing ...", plot: "Drawing ..." }[kind]);
    return this.send({ kind, ids });
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return undefined;
    const line = event.target.closest?.("tr[data-id]");
    const lines = [...this.body.querySelectorAll("tr[data-id]")];
    const typing = event.target === this.filter;
    const taken = () => {
      event.preventDefault();
      event.stopPropagation();
    };
    if (event.key === "Escape") {
      if (this.below.childElementCount) this.hide();
      else if (typing && this.filter.value) this.filter.value = "", this.typed();
      else if (this.chosen.size) this.act("none");
      else return undefined;
      return taken();
    }
    if (typing) return event.key === "ArrowDown" ? (taken(), lines[0]?.focus()) : undefined;
    if (event.key === "/") return taken(), this.filter.focus();
    if (!line || event.target !== line) return undefined;
    const id = line.dataset.id;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const acts = { c: "compare", e: "history", p: "plot" }[event.key.toLowerCase()];
    const asks = { Enter: "details", r: "reproduce", R: "reproduce", Delete: "remove" }[event.key];
    if (step) (lines[lines.indexOf(line) + step] || line).focus();
    else if (event.key === " ") this.choose(id);
    else if (acts) this.act(acts);
    else if (asks) {
      if (asks === "remove") lines[lines.indexOf(line) + 1]?.focus();
      this.from = id;
      this.send({ kind: asks, id });
    } else return undefined;
    return taken();
  }

  show(title, html) {
    const close = h("button", { type: "button", onclick: () => this.hide() }, "Close");
    const inside = h("div", { class: "nbd-inside", tabindex: "0", "aria-label": title });
    inside.innerHTML = html; // made by Python, with every value escaped
    this.below.replaceChildren(h("div", { class: "nbd-ask" }, h("strong", {}, title), close), inside);
    inside.focus({ preventScroll: true });
    this.below.scrollIntoView({ block: "nearest" });
  }

  hide() {
    this.below.replaceChildren();
    const at = this.from || [...this.chosen][0];
    (this.body.querySelector(`tr[data-id="${CSS.escape(at || "")}"]`) || this.body.querySelector("tr[data-id]"))?.focus();
  }
}

export default {
  render({ model, el }) {
    const table = new Table(model, el);
    return () => table.close();
  },
};
