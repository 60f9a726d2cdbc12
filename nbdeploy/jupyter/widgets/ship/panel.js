// The panel: its head, what it says, and the parts below; one of them is in use at a time.

const TITLES = { choosing: "Ship", working: "Shipping", done: "Shipped", failed: "Not shipped", cancelled: "Cancelled", undone: "Taken back" };
const SHAPES = { working: "◐ ", done: "✓ ", failed: "✗ ", cancelled: "■ ", undone: "↶ " };
const GONE = "Not connected to the kernel. Run the cell again.";

class Panel {
  constructor(model, el) {
    Object.assign(this, { model, el, folded: false, lastStep: "" });
    this.title = h("h3", {});
    this.facts = h("span", { class: "nbd-muted" });
    this.clock = h("span", { class: "nbd-clock" });
    this.fold = button("Close", () => { this.folded = !this.folded; this.draw(); }, { class: "nbd-quiet-button", "aria-expanded": "true" });
    this.live = h("div", { class: "nbd-said", role: "status", "aria-live": "polite" });
    this.choose = new Choose(this);
    this.steps = new Steps(this);
    this.result = new Result(this);
    this.body = h("div", { class: "nbd-body" }, this.steps.root, this.result.root, this.choose.root);
    const head = h("div", { class: "nbd-head" }, this.title, this.facts, this.clock, this.fold);
    this.root = h("section", { class: "nbd nbd-ship", "aria-label": "Ship panel", "data-lm-suppress-shortcuts": "true" }, head, this.live, this.body);
    // The page for when there is no kernel is hidden, also when it is drawn anew.
    this.root.append(h("style", {}, `[data-nbd-static="${this.state.id}"] { display: none; }`));
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.root.addEventListener("keypress", (event) => event.stopPropagation());
    el.append(this.root);
    this.change = () => this.draw();
    this.heard = (message, buffers) => this.hear(message, buffers);
    model.on("change:state", this.change);
    model.on("msg:custom", this.heard);
    this.timer = setInterval(() => this.tick(), 200);
    this.draw();
    this.send({ kind: "ready" });
  }

  close() {
    clearInterval(this.timer);
    this.model.off("change:state", this.change);
    this.model.off("msg:custom", this.heard);
    this.root.remove();
  }

  get state() {
    return { ...this.model.get("offer"), ...this.model.get("state") };
  }

  send(message) {
    try {
      this.model.send(message);
    } catch {
      this.live.textContent = GONE;
    }
  }

  hear(message, buffers) {
    if (message.kind === "report") {
      const page = URL.createObjectURL(new Blob([buffers[0]], { type: "text/html" }));
      if (this.tab && !this.tab.closed) this.tab.location = page;
      else window.open(page);
      return;
    }
    if (message.kind !== "zip") return;
    const href = URL.createObjectURL(new Blob([buffers[0]], { type: "application/zip" }));
    h("a", { href, download: message.name }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000);
  }

  /** The report comes from Python, since a page cannot know where the server shows a folder. */
  report() {
    return button("Open the report", () => {
      this.tab = window.open("", "_blank"); // at once, for browsers refuse it later
      this.send({ kind: "report" });
    });
  }

  tick() {
    if (this.el.closest(".jupyter-widgets-disconnected")) {
      this.live.textContent = GONE;
      return;
    }
    if (this.state.state !== "working") return;
    this.clock.textContent = seconds(this.state.seconds + this.steps.tick());
  }

  draw() {
    const { state } = this;
    const now = state.state;
    this.root.dataset.state = now;
    const odd = now === "done" && state.card.sign === "failed"; // put in place although checks failed
    const title = odd ? "! Shipped, although checks failed:" : `${SHAPES[now] || ""}${TITLES[now]}`;
    this.title.textContent = `${title} ${now === "choosing" ? state.model.name : state.what}`;
    this.facts.textContent = state.model.facts;
    this.clock.textContent = now === "choosing" ? "" : seconds(state.seconds);
    this.fold.textContent = this.folded ? "Open" : "Close";
    this.fold.setAttribute("aria-expanded", String(!this.folded));
    this.body.hidden = this.folded;
    this.choose.root.hidden = now !== "choosing";
    this.steps.root.hidden = now === "choosing";
    this.result.root.hidden = !["done", "undone"].includes(now);
    const had = this.root.contains(document.activeElement);
    if (now === "choosing") this.choose.draw(state);
    else this.steps.draw(state);
    this.result.draw(state);
    if (had && this.before && this.before !== now) this.focus(now);
    this.before = now;
    this.say(state);
  }

  /** What had the focus went with its part of the panel: the first thing to do next has it. */
  focus(now) {
    const part = { choosing: this.choose.root, working: this.steps.foot, done: this.result.root, undone: this.result.root }[now] || this.steps.foot;
    const first = now === "choosing" ? "input:checked" : "button";
    if (!this.root.contains(document.activeElement) || document.activeElement.closest("[hidden]")) part.querySelector(first)?.focus();
  }

  say(state) {
    let text = state.said;
    let kind = state.state;
    const at = state.stages.findIndex((one) => one.state === "running");
    if (state.told.text) [text, kind] = [state.told.kind === "failed" ? `✗ ${state.told.text}` : state.told.text, state.told.kind];
    else if (state.state === "working" && !text && at >= 0) text = `Step ${at + 1} of ${state.stages.length}: ${state.stages[at].title}`;
    else if (state.state === "failed") text = `${state.stages.find((one) => one.state === "failed")?.title || "It"} failed.`;
    else if (state.state === "done" && !text) text = `Done in ${seconds(state.seconds)}.`;
    if (state.state === "done" && state.card.sign === "failed") kind = "warned";
    this.live.className = `nbd-said nbd-is-${kind}`;
    if (this.live.textContent !== text) this.live.textContent = text;
  }

  key(event) {
    if (event.key === "Enter" && event.target.form && event.target.matches("input")) {
      // Notebooks keep Enter from doing this by itself.
      event.preventDefault();
      event.stopPropagation();
      event.target.form.requestSubmit();
      return;
    }
    if (event.key !== "Escape" || this.state.state !== "working") return;
    event.preventDefault();
    event.stopPropagation();
    if (this.steps.asking) this.steps.ask.querySelectorAll("button")[1]?.click();
    else this.steps.cancel();
  }
}

export default {
  render({ model, el }) {
    const panel = new Panel(model, el);
    return () => panel.close();
  },
};
