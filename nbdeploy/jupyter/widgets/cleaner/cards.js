/* The cleaner, 9 of 10: how a card looks, and the line above a group. */

class Cards {
  constructor(app) {
    this.app = app;
  }

  paint(card, index) {
    const place = this.app.ids[index];
    const row = this.app.store.row(place);
    const url = this.app.store.url(place);
    const [picture, mark, said, why] = card.children;
    const [image, problem] = picture.children;
    if (image.getAttribute("src") !== (url ?? null)) {
      if (url) image.src = url;
      else image.removeAttribute("src");
      image.onload = () => sharpen(image);
    }
    image.hidden = !url;
    fill(problem, row?.problem ?? "");
    const open = isOpen(this.app.status[place]);
    const state = stateOf(this.app.status[place]);
    const shown = open && STATUS[state].css === "kept" ? 0 : state; // kept for another reason: here it is undecided
    const saving = this.app.saving.has(place);
    card.className = `nbd-card nbd-s-${STATUS[shown].css}${saving ? " nbd-saving" : ""}${index === this.app.at ? " nbd-at" : ""}`;
    card.setAttribute("aria-selected", this.app.selected.has(place));
    card.setAttribute("aria-colindex", (index % this.app.grid.columns) + 1);
    if (!row) return;
    turned(image, row);
    fill(mark, saving ? "… saving" : shown ? verdict({ ...row, status: shown }) : row.best ? "★ best" : "");
    const doubted = row.guess && row.guess[0] !== row.given;
    fill(
      said,
      h("b", {}, row.given || "no label"),
      doubted ? h("span", { class: "nbd-guess" }, `→ ${row.guess[0]}`) : null,
      row.guess ? h("small", { title: `${chance(row.guess[1])} sure` }, `${Math.floor(100 * row.guess[1])} %`) : h("small", {}, SPLITS[row.split] ?? ""),
    );
    const reason = this.reason(row);
    fill(why, reason);
    card.title = `${row.folder}/${row.name}${row.why.map(([kind, text]) => `\n${KIND(kind)}: ${text}`).join("")}`;
    const words = [row.name, row.given && `labelled ${row.given}`, doubted && `predicted ${row.guess[0]} at ${chance(row.guess[1])}`];
    card.setAttribute("aria-label", [...words, saving ? "saving" : STATUS[shown].word, reason].filter(Boolean).join(", "));
  }

  /** Why a picture stands here, in the few words that a card has room for. */
  reason(row) {
    if (row.problem || !row.why.length) return row.name;
    if (this.app.queue.grouped) return [row.size.join(" × "), SPLITS[row.split]].filter(Boolean).join(", ");
    if (row.why[0][0] === "label_error" && row.guess) return `${row.given} is ${chance(row.guess[2])} likely`;
    return row.why[0][1];
  }

  head(from, to) {
    const act = (name) => () => {
      this.app.move(from);
      this.app.act(name);
    };
    const button = (text, shown, does) => h("button", { type: "button", class: "nbd-quiet-button", tabindex: "-1", onclick: does }, key(shown), text);
    const cell = h("div", { class: "nbd-group", role: "gridcell" }, h("strong", {}), h("span", {}));
    cell.append(button("Keep best", "B", act("best")), button("Keep all", "K", act("all")));
    const head = h("div", { class: "nbd-head-line", "data-from": from, "data-to": to }, cell);
    this.nameHead(head);
    return head;
  }

  nameHead(head) {
    const places = [...this.app.ids.slice(Number(head.dataset.from), Number(head.dataset.to))];
    const [title, more] = head.firstChild.children;
    const rows = places.map((place) => this.app.store.row(place)).filter(Boolean);
    const labels = new Set(rows.map((row) => row.given).filter(Boolean));
    const decided = !places.some((place) => isOpen(this.app.status[place]));
    const best = rows.find((row) => row.best)?.best;
    fill(title, `${decided ? "✓ " : ""}${many(places.length, "picture")}${labels.size > 1 ? ` under ${labels.size} labels` : ""}`);
    fill(more, decided ? "decided" : best ? `best: ${best}` : "");
    if (labels.size > 1 && !head.querySelector(".nbd-one-label")) {
      const button = (label) => {
        const keep = rows.find((row) => row.given === label).i;
        const does = () => (this.app.move(this.app.grid.at.get(keep)), this.app.act("only"));
        return h("button", { type: "button", class: "nbd-quiet-button nbd-one-label", tabindex: "-1", title: "Keep the best that bears this label (O)", onclick: does }, `Keep as “${label}”`);
      };
      more.after(...[...labels].slice(0, 4).map(button));
    }
  }

  nameHeads() {
    for (const head of this.app.grid.canvas.querySelectorAll(".nbd-head-line")) this.nameHead(head);
  }
}
