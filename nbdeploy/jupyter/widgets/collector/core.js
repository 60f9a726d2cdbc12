// The collector's page, part 1: words, and the line to Python.

function count(number, noun) {
  const plural = noun.endsWith("y") ? noun.slice(0, -1) + "ies" : noun + (noun.endsWith("s") ? "es" : "s");
  return `${whole(number)} ${number === 1 ? noun : plural}`;
}

const name = () => Math.random().toString(36).slice(2, 10) + Date.now().toString(36);

/** A name for what is captured together from now on. */
const sessionName = (kind) => `${kind}-${new Date().toISOString().replace(/[^0-9]/g, "").slice(0, 14)}-${name().slice(0, 6)}`;

const PART = 1 << 20; // bytes of one message
const WINDOW = 4 << 20; // bytes that may be under way
const PATIENCE = 4000; // ms without an answer, after which the page says that it waits

/** Files to Python in parts, a few at a time; what Python has stored, and what it has not yet, is always known. */
class Line {
  constructor(model, changed) {
    this.model = model;
    this.changed = changed;
    this.queue = []; // files of which nothing was sent
    this.files = new Map(); // id -> file that is not stored yet
    this.flying = 0; // bytes without an answer
    this.done = 0; // files stored since the queue was last empty
    this.heard = Date.now();
    this.asked = 0; // when a question was asked that has no answer yet
    this.gone = false;
    this.pumping = false;
    this.waits = false;
    this.timer = setInterval(() => this.look(), 500);
  }

  /** Ask Python something that it answers by a message. */
  ask(content) {
    if (!this.asked) this.asked = Date.now();
    this.model.send(content);
  }

  /** Any message from Python: it is alive. */
  hear() {
    this.heard = Date.now();
    this.asked = 0;
    this.look();
  }

  add(file) {
    file.id = name();
    file.acked = 0;
    this.files.set(file.id, file);
    this.queue.push(file);
    this.pump();
    return file.id;
  }

  /** Files that are here and not stored there. */
  get left() {
    return this.files.size;
  }

  get waiting() {
    return this.waits;
  }

  look() {
    const since = Math.min(this.asked || Infinity, this.flying ? this.heard : Infinity);
    const waits = !this.gone && Date.now() - since > PATIENCE;
    if (waits !== this.waits) {
      this.waits = waits;
      this.changed();
    }
  }

  lose() {
    this.gone = true;
    this.changed();
  }

  cancel(matches) {
    for (const [id, file] of [...this.files]) {
      if (!matches(file)) continue;
      file.cancelled = true;
      this.files.delete(id);
      this.flying -= file.flying || 0;
      this.queue = this.queue.filter((one) => one !== file);
      if (!file.drop) this.model.send({ kind: "cancel", what: id });
    }
    this.changed();
    this.pump();
  }

  async pump() {
    if (this.pumping) return;
    this.pumping = true;
    try {
      while (this.queue.length && this.flying < WINDOW && !this.gone) {
        const file = this.queue[0];
        const size = file.blob.size;
        let at = file.at || 0;
        const part = await file.blob.slice(at, at + PART).arrayBuffer();
        if (file.cancelled) continue;
        if (!this.flying) this.heard = Date.now();
        this.flying += part.byteLength;
        file.flying = (file.flying || 0) + part.byteLength;
        const about = { label: file.label, source: file.source, session: file.session, batch: file.batch, drop: file.drop };
        this.model.send({ kind: "part", file: file.id, name: file.name, size, at, ...about }, undefined, [part]);
        file.at = at += part.byteLength;
        if (at >= size) this.queue.shift();
      }
    } catch (error) {
      const file = this.queue.shift();
      if (file) this.files.delete(file.id);
      this.broken?.(file, error);
    } finally {
      this.pumping = false;
      this.changed();
    }
  }

  /** Python has a file up to `at`; `stored`: it is in its class folder, or refused with the reason. */
  ack({ file: id, at, stored }) {
    const file = this.files.get(id);
    if (!file) return;
    const news = at - file.acked;
    file.acked = at;
    file.flying -= news;
    this.flying = Math.max(0, this.flying - news);
    if (stored || (file.drop && at >= file.blob.size)) {
      this.files.delete(id);
      this.done += 1;
      file.then?.();
    }
    if (!this.files.size) this.done = 0;
    this.changed();
    this.pump();
  }

  close() {
    clearInterval(this.timer);
  }
}

/** The part of an error that a person can use. */
function plainError(error) {
  return `${error.name}: ${error.message || "no more is known"}`;
}
