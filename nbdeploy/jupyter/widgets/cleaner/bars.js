/* The cleaner, 6 of 10: the name and what is saved, the queues, the filters, and how far one is. */

class Top {
  constructor(app) {
    this.app = app;
    this.saved = h("span", { class: "nbd-saved" });
    const button = (name, title, sign, what) =>
      h("button", { type: "button", class: "nbd-quiet-button", title: what, onclick: () => app.run(name) }, sign, title);
    this.undo = button("undo", "Undo", key("Z"), "Take the last decision back");
    this.redo = button("redo", "Redo", key("⇧Z"), "Bring back what was taken back");
    this.title = h("h3", { class: "nbd-name" }, app.start.name, h("small", {}, many(app.start.total, "picture")));
    this.el = h("div", { class: "nbd-top" }, this.title, this.saved, this.undo, this.redo);
  }

  draw() {
    const { link, saving, state } = this.app;
    const place = state.journal.split(/[\\/]/).pop();
    const [css, text] = {
      gone: ["failed", "✕ not connected"],
      waiting: ["warned", saving.size ? `… saving ${many(saving.size, "decision")}: the kernel is busy` : "… the kernel is busy"],
      live: saving.size ? ["", "… saving"] : state.problem ? ["warned", "! cannot save"] : ["passed", `✓ saved in ${place}`],
    }[link.state];
    this.saved.className = `nbd-saved nbd-is-${css}`;
    this.saved.title = state.journal;
    fill(this.saved, text);
    this.undo.disabled = this.redo.disabled = link.state === "gone";
  }
}

class Queues {
  constructor(app) {
    this.app = app;
    this.el = h("div", { class: "nbd-queues", role: "tablist", "aria-label": "Queues" });
    this.tabs = app.start.queues.map((queue) =>
      h("button", { type: "button", role: "tab", "data-queue": queue.name, onclick: () => app.go(queue.name) }),
    );
    this.el.append(...this.tabs);
  }

  draw() {
    const { counts } = this.app.state;
    for (const [at, queue] of this.app.start.queues.entries()) {
      const { open, every } = counts[queue.name];
      const here = queue.name === this.app.look.queue;
      const tab = this.tabs[at];
      const plain = queue.name === "all" || queue.name === "decided";
      const words = plain ? whole(every) : every && !open ? "✓ done" : open ? `${whole(open)}` : "none";
      tab.setAttribute("aria-selected", here);
      tab.tabIndex = here ? 0 : -1;
      tab.className = every ? "" : "nbd-none";
      tab.setAttribute("aria-label", `${queue.title}: ${plain ? whole(every) : `${whole(open)} open of ${whole(every)}`}`);
      fill(tab, h("span", {}, queue.title), h("span", { class: "nbd-count" }, words));
    }
  }
}

class Filters {
  constructor(app) {
    this.app = app;
    const change = () => app.filter(this.read());
    const option = (value, text) => h("option", { value }, text);
    const select = (name, options) =>
      h("select", { "aria-label": name, onchange: change }, ...options.map(([value, text]) => option(value, text)));
    this.text = h("input", { type: "search", placeholder: "File name  /", "aria-label": "File name", oninput: () => this.soon() });
    this.label = select("Class, given or predicted", [["", "Every class"]]);
    this.split = select("Split", [["", "Both sides"], ["train", "Train"], ["valid", "Held out"]]);
    this.show = select("Decided or not", [["all", "All"], ["open", "Undecided"], ["decided", "Decided"], ["changed", "Changed"]]);
    this.sort = select("Order", [["suspicion", "Most suspect first"], ["name", "By name"], ["confidence", "Least likely label first"]]);
    const range = (name, value) =>
      h("input", { type: "range", min: 0, max: 100, value, "aria-label": name, oninput: () => this.soon() });
    this.low = range("Confidence from, in percent", 0);
    this.high = range("Confidence to, in percent", 100);
    this.said = h("output", { class: "nbd-range-said" });
    this.range = h("span", { class: "nbd-range", title: "How sure the model is of what it predicts" }, this.low, this.high);
    const confidence = h("span", { class: "nbd-confidence" }, "Confidence", this.range, this.said);
    this.clear = h("button", { type: "button", class: "nbd-quiet-button", onclick: () => this.reset() }, "Clear filters");
    this.el = h("div", { class: "nbd-filters" }, this.text, this.label, this.split, this.show, confidence, this.sort, this.clear);
  }

  read() {
    const [low, high] = [Number(this.low.value), Number(this.high.value)].sort((a, b) => a - b);
    return {
      text: this.text.value.trim(), label: this.label.value, split: this.split.value, show: this.show.value,
      sort: this.sort.value, low: low / 100, high: high / 100,
    };
  }

  soon() {
    this.draw();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.app.filter(this.read()), 200);
  }

  reset() {
    for (const one of [this.text, this.label, this.split]) one.value = "";
    [this.show.value, this.low.value, this.high.value] = ["all", 0, 100];
    this.app.filter(this.read());
    this.app.grid.el.focus();
  }

  draw() {
    const { labels } = this.app.state;
    if (this.label.options.length !== labels.length + 1) {
      const chosen = this.label.value;
      fill(this.label, h("option", { value: "" }, "Every class"), ...labels.map((label) => h("option", { value: label }, label)));
      this.label.value = chosen;
    }
    const now = this.read();
    const all = now.low === 0 && now.high === 1;
    this.range.style.setProperty("--nbd-from", `${100 * now.low}%`);
    this.range.style.setProperty("--nbd-to", `${100 * now.high}%`);
    fill(this.said, all ? "any" : `${Math.round(100 * now.low)}–${Math.round(100 * now.high)} %`);
    this.active = Boolean(now.text || now.label || now.split || now.show !== "all" || !all);
    this.clear.hidden = !this.active;
  }
}

/** What is asked in this queue, how far one is, and what comes when it is done. */
class Progress {
  constructor(app) {
    this.app = app;
    this.el = h("div", { class: "nbd-progress" });
  }

  draw() {
    const { app } = this;
    const { queue, state } = app;
    const { every, open, changed } = state.counts[queue.name];
    const looked = every - open;
    const tracked = queue.name !== "all" && queue.name !== "decided" && every > 0;
    const budget = queue.name === "labels" && state.budget ? Math.min(state.budget, every) : every;
    const done = tracked && open === 0;
    const enough = tracked && !done && budget < every && looked >= budget;
    const remark = queue.name === "labels" && state.remark ? state.remark : queue.what;
    const noun = queue.grouped ? "groups " : "";
    const line = `${whole(Math.min(looked, enough ? looked : budget))} of ${whole(budget)} ${noun}looked at, ${whole(changed)} changed`;
    const bar = h("span", { class: "nbd-bar", "aria-hidden": "true" }, h("span", { class: "nbd-fill" }));
    bar.firstChild.style.width = `${100 * Math.min(1, looked / Math.max(1, budget))}%`;
    const next = app.nextQueue(1);
    const go = next && h("button", { type: "button", class: "nbd-next", onclick: () => app.run("next") }, `${next.title} `, key("N"));
    this.el.classList.toggle("nbd-done", done);
    if (done) {
      const code = h("code", {}, "cleaner.images");
      fill(
        this.el,
        h("strong", {}, `✓ ${queue.title}: all ${whole(every)} looked at, ${whole(changed)} changed`),
        h("span", { class: "nbd-hint" }, ...(next ? ["Next:", go] : ["Every suspect was looked at.", code, "is the cleaned set, ready to train on."])),
      );
    } else {
      fill(
        this.el,
        tracked && h("span", { class: "nbd-how" }, bar, h("span", {}, line)),
        h("span", { class: "nbd-hint" }, enough ? `Enough for a good set: ${remark}` : [remark, ...(queue.name === "all" ? state.notes : [])].join(" ")),
      );
    }
  }
}
