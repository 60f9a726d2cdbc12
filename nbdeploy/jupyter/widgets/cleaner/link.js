/* The cleaner, 2 of 10: talking with Python. Nothing counts as done before Python says so. */

const SLOW_MS = 1500;
const CHECK_MS = 5000;
const ENDING = new Set(["restarting", "autorestarting", "terminating", "dead"]);

class Link {
  /** `heard(message, buffers)` gets what nobody asked for by name; `changed()` is called when `state` is another one. */
  constructor(model, el, heard, changed) {
    Object.assign(this, { model, el, heard, changed, state: "live", seq: 0, heardAt: Date.now(), waiting: new Map() });
    this.to = Math.random().toString(36).slice(2);
    this.receive = (message, buffers) => this.#received(message, buffers);
    this.died = () => this.#look();
    model.on("msg:custom", this.receive);
    model.on("comm_live_update", this.died);
    this.status = (_, status) => ENDING.has(status) && this.#gone();
    this.kernel = model.widget_manager?.kernel; // JupyterLab says at once that a kernel has ended; other hosts do not
    this.kernel?.statusChanged?.connect(this.status);
    this.timer = setInterval(() => this.#look(), 500);
  }

  /** Send a message; gives a promise of [answer, buffers], which fails with {message, hint} where it was not done. */
  ask(message) {
    return new Promise((answered, failed) => {
      if (this.state === "gone") return failed(GONE);
      const seq = ++this.seq;
      this.waiting.set(seq, { answered, failed, since: Date.now() });
      try {
        this.model.send({ ...message, to: this.to, seq });
      } catch {
        this.#gone();
      }
      return seq;
    });
  }

  /** Find out whether there is a kernel, when a person comes back to the widget. */
  check() {
    if (this.state !== "live" || this.waiting.size || Date.now() - this.heardAt < CHECK_MS) return;
    this.heardAt = Date.now();
    this.ask({ kind: "ping" }).catch(() => {});
  }

  close() {
    this.kernel?.statusChanged?.disconnect(this.status);
    clearInterval(this.timer);
    this.model.off("msg:custom", this.receive);
    this.model.off("comm_live_update", this.died);
  }

  #received(message, buffers) {
    this.heardAt = Date.now();
    this.#become("live");
    if (message.to !== this.to) {
      if (message.kind === "done") this.heard(message, buffers); // another view of this widget decided something
      return;
    }
    const one = this.waiting.get(message.seq);
    if (!one) return; // given up on: what it did is seen with the next answer
    this.waiting.delete(message.seq);
    if (message.kind === "failed") one.failed(message);
    else one.answered([message, buffers]);
    this.#look();
  }

  #look() {
    // ipywidgets marks the views of a model whose kernel has ended; other hosts only stop to answer.
    if (this.el.closest(".jupyter-widgets-disconnected")) return this.#gone();
    if (this.state === "gone") return undefined;
    const oldest = Math.min(...[...this.waiting.values()].map((one) => one.since));
    return this.#become(Date.now() - oldest > SLOW_MS ? "waiting" : "live");
  }

  #gone() {
    const lost = [...this.waiting.values()];
    this.waiting.clear();
    this.#become("gone");
    for (const one of lost) one.failed(GONE);
  }

  #become(state) {
    if (state === this.state) return;
    this.state = state;
    this.changed();
  }
}

const GONE = {
  gone: true,
  message: "Not connected to the kernel: nothing is lost. What was saved stays saved.",
  hint: "Run the cell again to go on.",
};
