/* The cleaner, 10 of 10: the whole, and what keys and buttons do. */

const STAYS = new Set(["turn", "restore"]);

class App {
  constructor(model, el) {
    const start = model.get("_start");
    Object.assign(this, { start, el, at: 0, anchor: 0, selected: new Set(), saving: new Map(), said: "" });
    this.link = new Link(model, el, (message) => this.done(message), () => this.linkChanged());
    this.grid = new Grid({
      paint: (card, index) => this.cards.paint(card, index),
      header: (from, to) => this.cards.head(from, to),
      picked: (index, event) => this.picked(index, event),
      moved: () => this.store.want(),
    });
    this.cards = new Cards(this);
    this.store = new Store(this.link, {
      visible: () => this.grid.visible(),
      queue: () => this.look.queue,
      arrived: (place) => this.arrived(place),
    });
    this.take(start.view, start.viewBuffers);
    this.top = new Top(this);
    this.queues = new Queues(this);
    this.filters = new Filters(this);
    this.progress = new Progress(this);
    this.legend = new Legend(this);
    this.pane = new Pane(this);
    this.box = new LabelBox(this);
    this.over = new Overlay(this);
    this.live = h("div", { class: "nbd-live", role: "status", "aria-live": "polite" });
    this.notice = h("div", { class: "nbd-notice", role: "alert" });
    this.nothing = h("div", { class: "nbd-nothing" });
    const middle = h("div", { class: "nbd-middle" }, this.grid.el, this.nothing, this.pane.el, this.box.el, this.over.el);
    const hide = h("style", {}, `.${start.place} { display: none; }`); // the page for when there is no kernel
    this.root = h("div", { class: "nbd nbd-cleaner", "data-lm-suppress-shortcuts": "true" });
    this.root.append(hide, this.top.el, this.queues.el, this.filters.el, this.progress.el, this.notice, middle, this.legend.el, this.live);
    this.root.addEventListener("keydown", (event) => this.keyed(event));
    for (const event of ["pointerenter", "focusin"]) this.root.addEventListener(event, () => this.link.check());
    this.root.addEventListener("keypress", (event) => event.stopPropagation());
    el.append(this.root);
    this.store.take(start.have.rows, start.haveBuffers);
    this.show(this.ids, this.groups);
    this.view({}, true); // what was decided since this was sent
  }

  get queue() {
    return this.start.queues.find((queue) => queue.name === this.look.queue);
  }

  close() {
    for (const part of [this.link, this.store, this.grid]) part.close();
    this.root.remove();
  }

  /* What Python says. */

  take(message, buffers) {
    this.look = message.look;
    this.state = message;
    this.ids = numbers(buffers[0], Uint32Array);
    this.status = numbers(buffers[1], Uint8Array);
    this.groups = numbers(buffers[2], Uint32Array);
  }

  /** Ask for another view. `quietly`: the same again; what is seen stays where it is if it is the same. */
  async view(changes, quietly = false) {
    const look = { ...this.look, ...changes };
    const asked = (this.asked = {});
    if (!quietly) this.look = look;
    this.load(!quietly || this.loading); // keys must not decide about pictures that are about to go
    try {
      const [message, buffers] = await this.link.ask({ kind: "view", look: quietly ? null : look });
      if (asked !== this.asked) return undefined; // overtaken by a newer one
      this.load(false);
      const [edition, before] = [this.state.edition, this.ids];
      this.take(message, buffers);
      if (!quietly || edition !== this.state.edition) this.store.clearRows();
      const same = quietly && before.length === this.ids.length && before.every((place, at) => place === this.ids[at]);
      if (!same) return this.show(this.ids, this.groups);
      this.draw(true);
      this.store.want();
    } catch (error) {
      if (asked !== this.asked) return undefined;
      this.load(false);
      this.fail(error);
    }
    return undefined;
  }

  load(on) {
    this.loading = Boolean(on);
    this.root.classList.toggle("nbd-loading", this.loading);
  }

  show(ids, groups) {
    this.selected.clear();
    const open = ids.findIndex((place) => isOpen(this.status[place]));
    this.at = this.anchor = Math.max(0, open);
    this.grid.show(ids, groups);
    this.draw();
    this.grid.reveal(this.at);
    this.store.want();
  }

  arrived(place) {
    this.grid.repaint(new Set([place]));
    if (this.queue.grouped) this.cards.nameHeads();
    if (place === this.ids[this.at] && this.pane) this.pane.draw();
  }

  done(message) {
    this.state = { ...this.state, ...message };
    for (const row of message.changed) this.status[row.i] = row.status;
    const places = new Set(this.store.change(message.changed));
    this.grid.repaint(places);
    this.cards.nameHeads();
    return places;
  }

  linkChanged() {
    if (!this.top) return;
    if (this.link.state === "gone") this.fail(GONE);
    else if (this.wasGone) this.tell("");
    this.root.classList.toggle("nbd-gone", this.link.state === "gone");
    this.draw();
    this.store.want();
  }

  /* What a person does. */

  /** The places that an act is about: those selected, else the one in focus. */
  chosen() {
    if (this.selected.size) return [...this.ids].filter((place) => this.selected.has(place));
    return this.ids.length ? [this.ids[this.at]] : [];
  }

  relabel(label) {
    this.act("relabel", { label });
  }

  async act(act, more = {}) {
    const ids = this.chosen();
    if (!ids.length || this.loading || this.link.state === "gone") return this.link.state === "gone" && this.fail(GONE);
    const from = this.at;
    const fresh = ids.every((place) => isOpen(this.status[place]));
    const grouped = ["best", "only", "all"].includes(act);
    const sign = {};
    const about = grouped ? ids.flatMap((place) => this.fellows(place)) : ids;
    for (const place of about) this.saving.set(place, sign);
    this.selected.clear();
    if ((fresh || grouped) && !STAYS.has(act)) this.moveOn(Math.max(...ids.map((place) => this.grid.at.get(place))));
    this.draw(true);
    try {
      const [message] = await this.link.ask({ kind: "act", act, ids, queue: this.look.queue, ...more });
      this.done(message);
      if (!message.did && this.at !== from) this.move(from);
      this.tell(message.did ? `${message.said}.` : message.said, message.did);
    } catch (error) {
      this.fail(error);
      if (!error.gone) this.move(this.grid.at.get(ids[0]) ?? from);
    }
    for (const place of about) if (this.saving.get(place) === sign) this.saving.delete(place);
    return this.draw(true);
  }

  async takeBack(again) {
    try {
      const [message] = await this.link.ask({ kind: "undo", again, queue: this.look.queue });
      const places = this.done(message);
      const seen = [...places].map((place) => this.grid.at.get(place)).filter((index) => index !== undefined);
      if (seen.length) this.move(Math.min(...seen));
      this.tell(`${message.said}.`.replace("..", "."));
    } catch (error) {
      this.fail(error);
    }
    this.draw();
  }

  run(name) {
    const acts = { undo: () => this.takeBack(false), redo: () => this.takeBack(true), label: () => this.box.open() };
    acts.zoom = () => (this.over.zooms ? this.over.close() : this.over.zoom());
    acts.help = () => this.over.help();
    acts.search = () => this.filters.text.focus();
    acts.everything = () => this.selectAll();
    acts.next = () => this.nextQueue(1) && this.go(this.nextQueue(1).name);
    acts.previous = () => this.nextQueue(-1) && this.go(this.nextQueue(-1).name);
    (acts[name] ?? (() => this.act(name)))();
    if (this.root.contains(document.activeElement) && document.activeElement.closest(".nbd-legend, .nbd-top, .nbd-progress")) this.grid.el.focus();
  }

  go(queue) {
    this.over.close();
    this.tell("");
    this.view({ queue });
    this.grid.el.focus();
  }

  filter(values) {
    this.view(values);
  }

  /** The next queue that has something open, else the next that has anything; null where there is none. */
  nextQueue(step) {
    const { queues } = this.start;
    const here = queues.findIndex((queue) => queue.name === this.look.queue);
    const round = queues.map((_, at) => queues[(here + step * (at + 1) + queues.length * (at + 1)) % queues.length]).slice(0, -1);
    const open = round.find((queue) => queue.name !== "all" && this.state.counts[queue.name].open);
    return open ?? (this.queue.name === "all" || this.queue.name === "decided" || step < 0 ? round.find((queue) => this.state.counts[queue.name].every) : null);
  }

  selectAll() {
    this.selected = new Set(this.ids);
    this.draw();
    this.grid.repaint();
    this.tell(`${many(this.ids.length, "picture")} selected.`);
  }

  /** The places of the group that an item is in. */
  fellows(place) {
    const number = this.groups[this.grid.at.get(place)];
    return number === undefined ? [place] : [...this.ids].filter((_, index) => this.groups[index] === number);
  }

  isOpen(index) {
    const place = this.ids[index];
    return isOpen(this.status[place]) && !this.saving.has(place);
  }

  /** Go to the next that is not decided, from a place on and around; stay where all are. */
  moveOn(index) {
    for (let step = 1; step <= this.ids.length; step += 1) {
      const there = (index + step) % this.ids.length;
      if (this.isOpen(there)) return this.move(there);
    }
    return this.move(index);
  }

  move(index, extend = false) {
    if (this.loading) return;
    this.at = Math.max(0, Math.min(this.ids.length - 1, index));
    if (extend) {
      const [from, to] = [this.anchor, this.at].sort((a, b) => a - b);
      this.selected = new Set(this.ids.slice(from, to + 1));
    } else {
      this.anchor = this.at;
      this.selected.clear();
    }
    this.grid.reveal(this.at);
    this.grid.repaint();
    this.pane?.draw();
    this.store.want();
    if (this.over?.zooms) this.over.zoom();
  }

  picked(index, event) {
    if (event.type === "dblclick") return this.run("zoom");
    if (event.ctrlKey || event.metaKey) {
      const place = this.ids[index];
      if (!this.selected.size && index !== this.at) this.selected.add(this.ids[this.at]);
      if (!this.selected.delete(place)) this.selected.add(place);
      [this.at, this.anchor] = [index, index];
      this.grid.repaint();
      return this.pane.draw();
    }
    return this.move(index, event.shiftKey);
  }

  keyed(event) {
    event.stopPropagation(); // the notebook has keys of its own
    if (event.altKey || event.isComposing) return;
    const typing = event.target.matches("input:not([type=range]), select, textarea");
    if (event.key === "Escape") return this.escape(event);
    if (typing) {
      if (event.target === this.filters.text && event.key === "Enter") this.grid.el.focus();
      return;
    }
    const onTab = event.target.matches("[role=tab]");
    if (onTab && ["ArrowLeft", "ArrowRight"].includes(event.key)) return this.alongTabs(event);
    const own = event.target.matches("input") ? event.key in MOVES : event.target.matches("button") && ["Enter", " "].includes(event.key);
    if (own) return; // of the slider or the button itself
    const command = commandFor(this, event);
    const label = !event.ctrlKey && !event.metaKey && this.state.keys[event.key];
    if (event.key in MOVES && this.over.kind !== "help") this.move(MOVES[event.key](this.grid, this.at), event.shiftKey);
    else if (label) this.relabel(label);
    else if (command) this.run(command.name);
    else return;
    event.preventDefault();
  }

  alongTabs(event) {
    const tabs = this.queues.tabs;
    const to = tabs[(tabs.indexOf(event.target) + (event.key === "ArrowLeft" ? -1 : 1) + tabs.length) % tabs.length];
    this.view({ queue: to.dataset.queue });
    to.focus();
    event.preventDefault();
  }

  escape(event) {
    event.preventDefault();
    if (!this.box.el.hidden) this.box.close();
    else if (!this.over.el.hidden) this.over.close();
    else {
      this.selected.clear();
      this.grid.repaint();
      this.grid.el.focus();
    }
  }

  /* What is seen. */

  tell(text, undoable = false) {
    this.wasGone = false;
    fill(this.notice, "");
    fill(this.live, ...(undoable ? [text, " ", key("Z"), " takes it back."] : [text]));
  }

  fail(error) {
    this.wasGone = Boolean(error.gone);
    fill(this.notice, h("strong", {}, error.gone ? "✕ " : "! ", error.message), ...(error.hint ? [" ", error.hint] : []));
    fill(this.live, "");
  }

  draw(cards = false) {
    if (!this.top) return;
    for (const part of [this.top, this.queues, this.filters, this.progress, this.legend, this.pane]) part.draw();
    const { problem, unfit } = this.state;
    if (!this.notice.textContent && (problem || unfit)) fill(this.notice, h("strong", {}, "! "), problem || `${unfit} Decide here, then mend the folder.`);
    if (cards) this.grid.repaint();
    this.empty();
  }

  empty() {
    this.nothing.hidden = this.ids.length > 0;
    if (this.ids.length) return;
    const { queue, filters, state } = this;
    const next = this.nextQueue(1);
    const go = next && h("button", { type: "button", class: "nbd-next", onclick: () => this.run("next") }, `${next.title} `, key("N"));
    const filtered = filters.active && state.counts[queue.name].every > 0;
    const text = { decided: "Nothing was decided yet." }[queue.name] ?? `✓ Nothing suspect: no ${queue.title.toLowerCase()} to look at.`;
    const clear = h("button", { type: "button", class: "nbd-next", onclick: () => filters.reset() }, "Clear filters");
    fill(this.nothing, h("strong", {}, filtered ? "No picture fits these filters." : text), filtered ? clear : go);
  }
}

function render({ model, el }) {
  const app = new App(model, el);
  return () => app.close();
}

export default { render };
