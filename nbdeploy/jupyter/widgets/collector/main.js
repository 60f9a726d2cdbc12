// Part 7: the page as a whole.

const TABS = [["files", "Files"], ["camera", "Camera"], ["links", "Links"], ["phone", "Phone"]];

class Page {
  constructor(model, el) {
    this.model = model;
    this.closed = false;
    this.line = new Line(model, () => this.drawWork());
    this.line.broken = (file, error) => this.note(`${file.name}: ${plainError(error)}`, "failed");
    this.classes = new Classes(this);
    this.files = new Files(this);
    this.camera = new Camera(this);
    this.links = new Links(this);
    this.phone = new Phone(this);
    this.strip = new Strip(this);
    this.build(el);
    this.handlers = [
      ["change:state", () => this.draw()],
      ["msg:custom", (content, buffers) => this.heard(content, buffers || [])],
      ["comm_live_update", () => setTimeout(() => this.checkAlive())],
    ];
    for (const [event, act] of this.handlers) model.on(event, act);
    // Where the host tells how its kernel is, the end is known at once; elsewhere by the silence.
    this.kernel = model.widget_manager?.kernel;
    this.ended = (_, status) => ["autorestarting", "restarting", "terminating", "dead"].includes(status) && this.line.lose();
    this.disposed = () => this.line.lose();
    this.kernel?.statusChanged?.connect?.(this.ended);
    this.kernel?.disposed?.connect?.(this.disposed);
    this.show("files");
    this.draw();
    this.strip.draw();
    this.line.ask({ kind: "hello" });
  }

  get state() {
    return this.model.get("state") || {};
  }

  build(el) {
    this.where = h("span", { class: "nbc-where" });
    this.numbers = h("span", { class: "nbc-quiet" });
    this.undo = h("button", { class: "nbc-button", title: "Ctrl+Z", onclick: () => this.line.ask({ kind: "undo" }) }, "Undo");
    this.redo = h("button", { class: "nbc-button", title: "Ctrl+Shift+Z", onclick: () => this.line.ask({ kind: "redo" }) }, "Redo");
    this.banner = h("div", { class: "nbc-banner", role: "alert", hidden: true });
    this.work = h("span", { class: "nbc-work" });
    this.tabs = TABS.map(([key, words]) =>
      h("button", { class: "nbc-tab", role: "tab", "data-tab": key, onclick: () => this.show(key), onkeydown: (event) => this.moveTab(event, key) }, words),
    );
    this.panes = TABS.map(([key, words]) => h("div", { class: "nbc-pane", role: "tabpanel", "aria-label": words, "data-pane": key }, this[key].element));
    this.spoken = h("div", { class: "nbc-spoken", "aria-live": "polite" });
    this.root = h(
      "div", { class: "nbd nbd-collector", tabindex: -1, role: "group", "aria-label": "Collect pictures", "data-lm-suppress-shortcuts": "true" },
      h("header", { class: "nbc-head" }, this.where, this.numbers, h("span", { class: "nbc-space" }), this.work, this.undo, this.redo),
      this.banner,
      h("div", { class: "nbc-main-area" }, this.classes.element, h("section", { class: "nbc-sources" }, h("div", { class: "nbc-tabs", role: "tablist", "aria-label": "Where from" }, ...this.tabs), ...this.panes)),
      this.strip.element,
      legend(),
      h("div", { class: "nbc-over", "aria-hidden": "true" }),
      this.spoken,
    );
    this.over = this.root.querySelector(".nbc-over");
    const on = (event, act) => this.root.addEventListener(event, act);
    on("keydown", (event) => this.keydown(event));
    on("keyup", (event) => { this.camera.stop(event.key); event.stopPropagation(); });
    on("focusout", (event) => this.root.contains(event.relatedTarget) || this.camera.by === "pointer" || this.camera.stop());
    on("paste", (event) => this.paste(event));
    on("dragover", (event) => this.dragover(event));
    on("dragleave", (event) => this.root.contains(event.relatedTarget) || this.root.classList.remove("nbc-dropping"));
    on("drop", (event) => this.drop(event));
    on("pointerdown", (event) => event.target.closest("button, input, textarea, select, a, label") || this.root.focus({ preventScroll: true }));
    for (const event of ["mousedown", "contextmenu", "dblclick"]) on(event, (what) => what.stopPropagation());
    this.blur = () => this.camera.stop();
    this.hide = () => document.hidden && this.camera.stop();
    window.addEventListener("blur", this.blur);
    document.addEventListener("visibilitychange", this.hide);
    el.replaceChildren(this.root);
    // The static view is for a notebook that is opened without its kernel, and until this page is there.
    for (const view of document.querySelectorAll(`[data-nbd-static="${this.state.id}"]`)) view.hidden = true;
  }

  show(key, focus = false) {
    if (key !== "camera") this.camera.close();
    this.tabs.forEach((tab) => {
      const on = tab.dataset.tab === key;
      tab.setAttribute("aria-selected", String(on));
      tab.setAttribute("tabindex", on ? 0 : -1);
    });
    this.panes.forEach((pane) => (pane.hidden = pane.dataset.pane !== key));
    if (focus) this.panes.find((pane) => pane.dataset.pane === key).querySelector("textarea, input:not([hidden]), button")?.focus();
  }

  moveTab(event, key) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const at = (TABS.findIndex(([one]) => one === key) + step + TABS.length) % TABS.length;
    this.show(TABS[at][0]);
    this.tabs[at].focus();
  }

  keydown(event) {
    event.stopPropagation(); // no key of ours reaches the notebook
    const typing = event.target.closest("input:not([type=file]), textarea, select");
    if (typing) return;
    if (event.ctrlKey || event.metaKey) {
      const key = event.key.toLowerCase();
      if (key === "z" || key === "y") {
        event.preventDefault();
        this.line.ask({ kind: key === "y" || event.shiftKey ? "redo" : "undo" });
      }
      return;
    }
    if (event.altKey) return;
    const label = this.classes.ofKey(event.key);
    if (label !== undefined) {
      event.preventDefault();
      if (event.repeat) return;
      this.classes.choose(label);
      this.root.focus({ preventScroll: true });
      if (this.camera.stream) this.camera.start(label, event.key);
    } else if (event.key.toLowerCase() === "n") {
      event.preventDefault();
      this.classes.input.focus();
    }
  }

  paste(event) {
    if (event.target.closest?.("input, textarea") && !event.clipboardData?.files.length) return;
    if (this.files.paste(event)) event.preventDefault();
    event.stopPropagation();
  }

  dragover(event) {
    event.preventDefault();
    event.stopPropagation();
    event.dataTransfer.dropEffect = "copy";
    const under = event.target.closest(".nbc-class");
    const label = under?.dataset.label || this.classes.chosen;
    this.root.querySelectorAll(".nbc-under").forEach((row) => row === under || row.classList.remove("nbc-under"));
    under?.classList.add("nbc-under");
    this.over.textContent = label ? `Drop to add to ${label}` : "Drop to add";
    this.root.classList.add("nbc-dropping");
  }

  async drop(event) {
    event.preventDefault();
    event.stopPropagation();
    this.root.classList.remove("nbc-dropping");
    const label = event.target.closest(".nbc-class")?.dataset.label || "";
    const links = event.dataTransfer.getData("text/uri-list");
    try {
      const files = await dropped(event.dataTransfer);
      if (files.length) this.files.offer(files, label);
      else if (links) this.links.put(links.split("\n").filter((line) => line && !line.startsWith("#")).join("\n"));
    } catch (error) {
      this.note(`What was dropped cannot be read. ${plainError(error)}`, "failed");
    }
  }

  heard(content, buffers) {
    this.line.hear();
    const { kind } = content;
    if (kind === "ack") this.line.ack(content);
    else if (kind === "recent" || kind === "items") {
      this.strip.take(content.items, buffers);
      if (kind === "items") this.came(content.items);
    } else if (kind === "gone") this.strip.gone(content.ids);
    else if (kind === "planned") this.files.planned(content);
    else if (kind === "fetching") this.links.fetching(content);
    else if (kind === "said") this.note(content.text, content.level);
    else if (kind === "made") this.classes.choose(content.label);
    else if (kind === "renamed") {
      this.strip.renamed(content.before, content.after);
      this.classes.choose(content.after);
    }
  }

  /** Say what came in words, a few times a minute at most. */
  came(items) {
    this.news = [...(this.news || []), ...items];
    clearTimeout(this.newsTimer);
    this.newsTimer = setTimeout(() => {
      const kept = this.news.filter((item) => item.status === "kept").length;
      const not = this.news.length - kept;
      this.news = [];
      this.say(`${count(kept, "picture")} added${not ? `, ${whole(not)} not stored` : ""}`);
    }, 600);
  }

  chose() {
    this.files.draw();
    this.links.draw();
    this.camera.draw();
  }

  draw() {
    const { folder = "", classes = [], undo, redo } = this.state;
    const train = classes.reduce((sum, one) => sum + one.train, 0);
    const held = classes.reduce((sum, one) => sum + one.held, 0);
    this.where.textContent = folder.split(/[\\/]/).pop();
    this.where.title = folder;
    this.numbers.textContent = train + held ? `${count(train + held, "picture")} · ${whole(train)} to train on · ${whole(held)} held out` : "nothing collected yet";
    this.undo.disabled = !undo;
    this.redo.disabled = !redo;
    this.classes.draw();
    this.chose();
    this.phone.draw();
    this.line.hear();
  }

  drawWork() {
    const { left, done, gone } = this.line;
    this.work.textContent = left && !gone ? `storing ${whole(done + 1)} of ${whole(done + left)}` : "";
    const lost = left ? ` ${count(left, "file")} here ${left === 1 ? "was" : "were"} not stored.` : "";
    if (gone) this.alarm(`✗ The kernel of this notebook has ended. Everything that was shown as added is in the folder.${lost} Run the cell again to go on.`);
    else if (this.line.waiting) this.alarm(`– The kernel does not answer; perhaps a cell is running.${left ? ` ${count(left, "file")} wait${left === 1 ? "s" : ""} here.` : ""}`);
    else if (!this.noted) this.banner.hidden = true;
    if (gone) this.camera.close();
  }

  alarm(text) {
    this.noted = false;
    this.banner.className = "nbc-banner nbc-failed";
    if (this.banner.textContent !== text) this.banner.textContent = text;
    this.banner.hidden = false;
  }

  note(text, level = "note") {
    this.noted = true;
    this.banner.className = `nbc-banner nbc-${level}`;
    const close = h("button", { class: "nbc-close", "aria-label": "Close this note", onclick: () => { this.noted = false; this.banner.hidden = true; } }, "×");
    this.banner.replaceChildren(h("span", {}, `${level === "failed" ? "✗ " : ""}${text}`), close);
    this.banner.hidden = false;
  }

  say(text) {
    this.spoken.textContent = text;
  }

  checkAlive() {
    if (this.root.closest(".jupyter-widgets-disconnected")) this.line.lose();
  }

  close() {
    this.closed = true;
    this.camera.close();
    this.line.close();
    this.strip.close();
    clearTimeout(this.newsTimer);
    for (const [event, act] of this.handlers) this.model.off(event, act);
    this.kernel?.statusChanged?.disconnect?.(this.ended);
    this.kernel?.disposed?.disconnect?.(this.disposed);
    window.removeEventListener("blur", this.blur);
    document.removeEventListener("visibilitychange", this.hide);
  }
}

function legend() {
  const keys = [["1–9", "class"], ["hold 1–9", "record"], ["N", "new class"], ["Ctrl+V", "paste"], ["Ctrl+Z", "undo"], ["← →", "pictures"], ["Del", "take back"], ["F2", "rename"]];
  return h("footer", { class: "nbc-legend nbc-quiet" }, ...keys.map(([key, words]) => h("span", {}, h("kbd", { class: "nbc-kbd" }, key), ` ${words}`)));
}

function render({ model, el }) {
  const page = new Page(model, el);
  return () => page.close();
}

export default { render };
