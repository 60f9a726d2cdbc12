// The result: figures, pictures that changed answer, checks, where it lies, and what can be done with it.

class Result {
  constructor(panel) {
    this.panel = panel;
    this.root = h("section", { class: "nbd-result", "aria-label": "Result" });
    this.drawn = "";
  }

  draw(state) {
    const now = JSON.stringify([state.state, state.card, state.page, state.can_undo, state.can_redo, state.line]);
    if (now === this.drawn) return;
    this.drawn = now;
    if (state.state === "undone") return redraw(this.root, this.undone(state));
    if (state.state !== "done") return redraw(this.root);
    const had = this.root.contains(document.activeElement);
    const { card } = state;
    const wrong = card.checks?.some((one) => one.status === "failed");
    const checks = card.checks?.length > 0 && h("details", { open: wrong }, h("summary", { tabindex: "0", "data-place": "checks" }, card.checks_said), checkTable(card.checks));
    redraw(
      this.root,
      card.title && this.verdict(card),
      wrong && checks,
      card.figures?.length > 0 && this.figures(card),
      card.title && this.pictures(card),
      !wrong && checks,
      this.where(card),
      this.address(state),
      this.actions(state),
    );
    // The button that was pressed may be gone: what came in its place has the focus.
    if (had && !this.root.contains(document.activeElement)) this.root.querySelector(".nbd-address :is(a, button)")?.focus();
  }

  verdict(card) {
    const sign = { passed: "✓", failed: "✗", not_run: "–" }[card.sign];
    return h("p", { class: "nbd-verdict" }, h("strong", { class: `nbd-is-${card.sign}` }, `${sign} ${card.verdict}`), " ", card.title);
  }

  figures(card) {
    const head = h("tr", {}, ...["Measured", "Deployed", "Original", ""].map((text, at) => h(text ? "th" : "td", { scope: text && "col", class: (at === 1 || at === 2) && "nbd-n" }, text)));
    const rows = card.figures.map(([title, deployed, original, beside]) => h("tr", {}, h("th", { scope: "row" }, title), h("td", { class: "nbd-n" }, deployed), h("td", { class: "nbd-n" }, original), h("td", { class: "nbd-muted" }, beside)));
    return h("div", { class: "nbd-scroll" }, h("table", { class: "nbd-figures" }, h("thead", {}, head), h("tbody", {}, ...rows)), h("p", { class: "nbd-muted" }, card.small.join(" ")));
  }

  pictures(card) {
    if (!card.compared) return h("p", { class: "nbd-note" }, "– Answers were not compared here; the checks say why.");
    if (card.changed.length === 0) return h("p", { class: "nbd-note" }, `✓ No picture changed its answer (${whole(card.held_out)} held-out files).`);
    const count = card.changed.length + card.more_changed;
    return h("div", {}, h("h4", {}, `${whole(count)} ${count === 1 ? "picture" : "pictures"} of ${whole(card.held_out)} changed the answer`),
      h("ul", { class: "nbd-changed" }, ...card.changed.map((one) => h("li", {},
        h("img", { src: one.picture, alt: `${one.file}, truly ${one.truth}` }),
        h("span", { class: "nbd-muted" }, `truly ${one.truth}`),
        h("span", {}, `original: ${one.original}, ${one.original_share}`),
        h("span", {}, `deployed: ${one.deployed}, ${one.deployed_share}`)))),
      card.more_changed > 0 && h("p", { class: "nbd-muted" }, `and ${whole(card.more_changed)} more: see the report`));
  }

  where(card) {
    if (!card.path) return false;
    return h("div", { class: "nbd-where" },
      h("div", {}, h("span", { class: "nbd-muted" }, "It lies in "), h("code", {}, card.path)),
      h("div", {}, this.panel.report(), h("span", { class: "nbd-muted" }, " with every check, the confusion matrix and all pictures that changed")),
      h("details", {}, h("summary", { tabindex: "0", "data-place": "usage" }, "How to use it"), h("pre", { tabindex: "0" }, card.usage.join("\n"))));
  }

  address(state) {
    const { card, page } = state;
    if (card.endpoint) return this.endpoint(card);
    if (!card.a_page) return false;
    if (!page.url) {
      return h("div", { class: "nbd-address nbd-go" }, button("Open the web app", () => this.panel.send({ kind: "serve" })),
        h("span", { class: "nbd-muted" }, "serves it on this computer, with a QR code"));
    }
    return h("div", { class: "nbd-address" }, qrCode(page.qr, `QR code of ${page.url}`),
      h("div", {}, h("p", {}, h("strong", {}, "The web app "), link(page.url)),
        h("p", { class: "nbd-muted" }, page.caption), code(page.command, "the command"),
        h("div", { class: "nbd-go" }, button("Stop serving", () => this.panel.send({ kind: "stop" })),
          !page.network && button("Let phones on my network open it", () => this.panel.send({ kind: "serve", network: true }))),
        !page.network && h("p", { class: "nbd-muted" }, "That opens a port to everyone on your network, over plain HTTP: no camera on phones, but photos can be chosen.")));
  }

  endpoint(card) {
    const direct = Boolean(card.qr);
    return h("div", { class: "nbd-address" }, direct && qrCode(card.qr, `QR code of ${card.url}`),
      h("div", {},
        h("p", {}, h("strong", {}, `Endpoint ${card.endpoint}`), " ", direct ? link(card.url) : card.url ? h("code", {}, card.url) : "has no address yet."),
        card.caption && h("p", { class: "nbd-muted" }, card.caption),
        ...card.ask.map(([words, text]) => h("div", {}, h("span", { class: "nbd-muted" }, words), text && code(text, words)))));
  }

  actions(state) {
    const { card } = state;
    const what = card.endpoint ? "endpoint and bundle" : "it";
    return h("div", { class: "nbd-go" },
      card.path && button("Download as zip", () => this.panel.send({ kind: "zip" })),
      state.can_undo && button("Undo", () => this.panel.send({ kind: "undo" }), { title: "Takes back what Deploy did" }),
      button("Deploy another", () => this.panel.send({ kind: "again" })),
      card.path && h("span", { class: "nbd-muted" }, `Undo takes ${what} back; what was there before comes again.`));
  }

  undone(state) {
    return h("div", { class: "nbd-go" }, state.can_redo && button("Redo", () => this.panel.send({ kind: "redo" }), { class: "nbd-primary" }),
      button("Deploy another", () => this.panel.send({ kind: "again" })),
      state.can_redo && h("span", { class: "nbd-muted" }, "It is kept beside until the next deployment, or until the kernel ends."));
  }
}
