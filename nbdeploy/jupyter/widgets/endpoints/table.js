// The live table of endpoints. Python sends rows as they are to be read; nothing here knows a provider.

const EVERY_MS = 3000;
const HEADS = ["Endpoint", "Model", "Provider", "Health", "Requests", "Errors", "p50", "p99"];
const KEYS = { u: "update", c: "canary", b: "rollback", l: "logs", Delete: "remove" };

class Table {
  constructor(model, el) {
    Object.assign(this, { model, el, asking: null, log: null, drawn: "" });
    this.root = h("div", { class: "nbd nbd-endpoints", "data-lm-suppress-shortcuts": "true" });
    this.body = h("tbody");
    this.title = h("div", { class: "nbd-title" });
    this.said = h("div", { class: "nbd-said", role: "status", "aria-live": "polite" });
    this.below = h("div", { class: "nbd-below" });
    const head = h("tr", {}, ...HEADS.map((text, at) => h("th", { scope: "col", class: at > 3 && "nbd-n" }, text)));
    this.table = h("table", {}, h("thead", {}, head), this.body);
    this.keys = h("div", { class: "nbd-keys" });
    for (const [key, what] of [["↑↓", "choose"], ["U", "update"], ["C", "canary"], ["B", "roll back"], ["L", "log"], ["Del", "remove"]])
      this.keys.append(h("kbd", {}, key), ` ${what}  `);
    this.root.append(this.title, h("div", { class: "nbd-scroll" }, this.table), this.said, this.below, this.keys);
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.root.addEventListener("keypress", (event) => event.stopPropagation());
    el.append(this.root);
    this.change = () => this.draw();
    this.heard = (message) => this.hear(message);
    model.on("change:state", this.change);
    model.on("msg:custom", this.heard);
    this.timer = setInterval(() => this.look(), EVERY_MS);
    this.draw();
    this.look();
  }

  close() {
    clearInterval(this.timer);
    this.model.off("change:state", this.change);
    this.model.off("msg:custom", this.heard);
    this.root.remove();
  }

  get gone() {
    return Boolean(this.el.closest(".jupyter-widgets-disconnected"));
  }

  look() {
    const seen = this.root.isConnected && !document.hidden && this.root.getClientRects().length > 0;
    if (seen && !this.gone) this.send({ kind: "look" });
    if (this.gone) this.tell("failed", "Not connected to the kernel. Endpoints go on; run the cell again to see them.");
  }

  send(message) {
    try {
      this.model.send(message);
    } catch {
      this.tell("failed", "Not connected to the kernel. Endpoints go on; run the cell again to see them.");
    }
  }

  hear(message) {
    if (message.kind !== "logs") return;
    this.log = message;
    this.asking = null;
    this.drawBelow();
  }

  tell(kind, text) {
    const sign = { passed: "✓ ", failed: "✗ " }[kind] || "";
    this.said.className = `nbd-said nbd-is-${kind}`;
    if (this.said.textContent !== sign + text) this.said.textContent = text && sign + text;
  }

  draw() {
    const state = this.model.get("state");
    const hide = document.querySelector(`[data-nbd-static="${state.id}"]`);
    if (hide) hide.style.display = "none"; // the table for when there is no kernel
    const up = state.rows.filter((row) => row.state === "up").length;
    this.title.textContent = state.rows.length
      ? `${up} of ${state.rows.length} ${state.rows.length === 1 ? "endpoint" : "endpoints"} up`
      : "No endpoints yet";
    this.table.hidden = this.keys.hidden = !state.rows.length;
    const now = JSON.stringify([state.rows, state.busy]);
    if (now !== this.drawn) {
      this.drawn = now;
      const at = document.activeElement?.closest?.("[data-place]")?.dataset.place;
      this.body.replaceChildren(...state.rows.flatMap((row) => this.row(row, state.busy)));
      if (at && this.root.contains(this.body)) this.body.querySelector(`[data-place="${CSS.escape(at)}"]`)?.focus();
    }
    if (state.busy) this.tell("busy", state.busy);
    else if (state.rows.length) this.tell(state.said.kind, state.said.text);
    else this.tell(state.said.kind || "hint", state.said.text || 'Make one: nd.deploy(learn, provider="local")');
    if (this.asking && !state.rows.some((row) => row.name === this.asking.name)) this.close_below();
  }

  row(row, busy) {
    const act = (kind, text, title, off = false) =>
      h("button", { type: "button", title, "data-place": `${row.name}/${kind}`, disabled: Boolean(busy) || off, onclick: () => this.act(kind, row) }, text);
    const link = row.url
      ? h("a", { href: row.url, target: "_blank", rel: "noopener", tabindex: "-1" }, row.url)
      : h("span", {}, "no address yet");
    const cells = [
      h("th", { scope: "row" }, row.name),
      h("td", {}, row.model),
      h("td", {}, row.provider),
      h("td", { class: `nbd-health nbd-is-${row.state}` }, `${row.sign} ${row.word}`),
      ...row.figures.map((text) => h("td", { class: "nbd-n" }, text)),
    ];
    const actions = h(
      "span",
      { class: "nbd-actions" },
      act("update", "Update", "Let another bundle answer (U)"),
      row.canary
        ? act("end", "End canary", "Let the first bundle answer all requests again (C)")
        : act("canary", "Canary", "Let another bundle answer a share of the requests (C)"),
      act("rollback", "Roll back", row.back ? `Back to ${row.back} (B)` : "There is no release before this one", !row.back),
      act("logs", "Log", "Its last lines (L)"),
      act("remove", "Remove", "Take it away, with all that was made for it (Delete)"),
    );
    const about = h("span", { class: "nbd-about" }, link, row.remarks.length > 0 && h("span", {}, row.remarks.join(" ")));
    const name = { tabindex: "0", "data-place": row.name, "data-name": row.name, "aria-label": `${row.name}, ${row.word}` };
    const made = [h("tr", name, ...cells)];
    made.push(h("tr", { class: "nbd-more" }, h("td", { colspan: HEADS.length }, h("div", {}, about, actions))));
    return made;
  }

  key(event) {
    const line = event.target.closest?.("tr[data-name]");
    if (event.key === "Escape" && (this.asking || this.log)) return this.close_below(true);
    if (!line || event.target !== line || event.ctrlKey || event.metaKey || event.altKey) return undefined;
    const lines = [...this.body.querySelectorAll("tr[data-name]")];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const state = this.model.get("state");
    const row = state.rows.find((one) => one.name === line.dataset.name);
    let kind = KEYS[event.key] || KEYS[event.key.toLowerCase()];
    if (kind === "canary" && row?.canary) kind = "end";
    if (step) lines[lines.indexOf(line) + step]?.focus();
    else if (kind && row && !state.busy && !(kind === "rollback" && !row.back)) this.act(kind, row);
    else return undefined;
    event.preventDefault();
    event.stopPropagation();
    return undefined;
  }

  act(kind, row) {
    this.log = null;
    if (kind === "end" || kind === "logs") {
      this.send({ kind, name: row.name });
      return;
    }
    this.asking = { kind, name: row.name, back: row.back, model: row.model };
    this.drawBelow();
  }

  close_below(back = false) {
    const name = this.asking?.name || this.log?.name;
    this.asking = this.log = null;
    this.drawBelow();
    if (back && name) this.body.querySelector(`tr[data-name="${CSS.escape(name)}"]`)?.focus();
  }

  drawBelow() {
    if (this.log) {
      const close = h("button", { type: "button", onclick: () => this.close_below(true) }, "Close");
      const text = this.log.lines.join("\n") || "It has written nothing.";
      const lines = h("pre", { tabindex: "0", "aria-label": `The log of ${this.log.name}` }, text);
      this.below.replaceChildren(h("div", { class: "nbd-ask" }, h("strong", {}, `The last lines of ${this.log.name}`), close), lines);
      lines.scrollTop = lines.scrollHeight;
      lines.focus();
      return;
    }
    if (!this.asking) {
      this.below.replaceChildren();
      return;
    }
    const { kind, name, back, model } = this.asking;
    const asks = kind === "update" || kind === "canary";
    const bundle = h("input", { type: "text", placeholder: "build/pets-cloud", "aria-label": "The folder of a bundle", size: 32 });
    const share = h("input", { type: "number", min: "1", max: "99", value: "10", "aria-label": "Share of requests in percent" });
    const words = {
      update: `Let this bundle answer for ${name}, in the place of ${model}:`,
      canary: `Let this bundle answer for ${name}, besides ${model}:`,
      rollback: `Back from ${model} to ${back}? The newer release goes away.`,
      remove: `Remove ${name}, with all that was made for it? This cannot be undone.`,
    }[kind];
    const go = () => {
      if (asks && !bundle.value.trim()) return bundle.focus();
      this.send({ kind, name, bundle: bundle.value, share: Number(share.value) / 100 });
      return this.close_below(true);
    };
    const yes = { update: "Update", canary: "Start", rollback: "Roll back", remove: "Remove" }[kind];
    const confirm = h("button", { type: "submit", class: kind === "remove" ? "nbd-danger" : "nbd-primary" }, yes);
    const form = h(
      "form",
      { class: "nbd-ask", onsubmit: (event) => { event.preventDefault(); go(); } },
      h("span", {}, words),
      asks && bundle,
      kind === "canary" && h("span", {}, "for ", share, " % of requests"),
      confirm,
      h("button", { type: "button", onclick: () => this.close_below(true) }, "Cancel"),
    );
    this.below.replaceChildren(form);
    (asks ? bundle : confirm).focus();
  }
}

export default {
  render({ model, el }) {
    const table = new Table(model, el);
    return () => table.close();
  },
};
