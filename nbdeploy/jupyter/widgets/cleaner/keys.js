/* The cleaner, 5 of 10: every command with its keys, its button and its words, in one table. */

/** `when` says for which queues a command is there; `bar` puts it in the legend that is always seen. */
const COMMANDS = [
  { name: "accept", keys: ["a"], title: "Accept", bar: true, what: "do what is suggested", when: (app) => !app.queue.grouped },
  { name: "best", keys: ["b"], title: "Keep best", bar: true, what: "keep the best, merge the others", when: (app) => app.queue.grouped },
  { name: "only", keys: ["o"], title: "Keep this one", bar: true, what: "keep this one, merge the others", when: (app) => app.queue.grouped },
  { name: "all", keys: ["k", "Enter"], title: "Keep all", bar: true, what: "no copies: keep them all", when: (app) => app.queue.grouped },
  { name: "exclude", keys: ["x", "Delete"], title: "Exclude", bar: true, what: "leave out of the set" },
  { name: "keep", keys: ["k", "Enter"], title: "Keep", bar: true, what: "right as it stands", when: (app) => !app.queue.grouped },
  { name: "label", keys: ["l"], title: "Label…", bar: true, what: "type a class" },
  { name: "turn", keys: ["t"], title: "Turn", bar: true, what: "a quarter clockwise" },
  { name: "restore", keys: ["r"], title: "Restore", bar: true, what: "as it was before decisions" },
  { name: "zoom", keys: [" "], title: "Zoom", bar: true, what: "the whole picture and its history" },
  { name: "undo", keys: ["z", "Ctrl+z"], title: "Undo", what: "take the last decision back" },
  { name: "redo", keys: ["Z", "Ctrl+y", "Ctrl+Z"], title: "Redo", what: "bring it back" },
  { name: "next", keys: ["n", "]"], title: "Next queue", what: "the next with something open" },
  { name: "previous", keys: ["p", "["], title: "Previous queue", what: "the one before" },
  { name: "search", keys: ["/"], title: "Search", what: "by file name" },
  { name: "everything", keys: ["Ctrl+a"], title: "Select all", what: "every picture shown here" },
  { name: "help", keys: ["?"], title: "All keys", what: "this list" },
];

const MOVES = {
  ArrowRight: (grid, at) => at + 1,
  ArrowLeft: (grid, at) => at - 1,
  ArrowDown: (grid, at) => grid.beside(at, 1),
  ArrowUp: (grid, at) => grid.beside(at, -1),
  PageDown: (grid, at) => grid.beside(at, grid.rowsInSight),
  PageUp: (grid, at) => grid.beside(at, -grid.rowsInSight),
  Home: () => 0,
  End: (grid) => grid.ids.length - 1,
};

/** A key as its cap says: letters in capitals, so that a capital has its shift before it. */
function shownKey(name) {
  const [letter, before] = [name.replace("Ctrl+", ""), name.startsWith("Ctrl+") ? "Ctrl " : ""];
  const named = { " ": "Space", Enter: "↵", Delete: "Del" }[letter];
  return before + (named ?? (/^[A-Z]$/.test(letter) ? `⇧${letter}` : letter.toUpperCase()));
}

/** The name of the key that was pressed, as in the table. */
const pressed = (event) => `${event.ctrlKey || event.metaKey ? "Ctrl+" : ""}${event.key}`;

function commandFor(app, event) {
  return COMMANDS.find((one) => one.keys.includes(pressed(event)) && (one.when?.(app) ?? true));
}

/** The bar below the grid: what can be done here, each with its key, and the classes that digits give. */
class Legend {
  constructor(app) {
    this.app = app;
    this.actions = h("div", { class: "nbd-actions", role: "toolbar", "aria-label": "Decide" });
    this.digits = h("div", { class: "nbd-digits", role: "toolbar", "aria-label": "Give a class" });
    this.el = h("div", { class: "nbd-legend" }, this.actions, this.digits);
  }

  draw() {
    const { app } = this;
    const off = app.link.state === "gone" || !app.ids.length;
    const some = COMMANDS.filter((one) => one.bar && (one.when?.(app) ?? true));
    const wanted = JSON.stringify([some.map((one) => one.name), app.state.keys, app.state.labels.length, off]);
    if (wanted === this.drawn) return;
    this.drawn = wanted;
    const button = (title, shown, act, what, css = "") =>
      h("button", { type: "button", class: css, title: what, disabled: off, onclick: act }, key(shown), title || null);
    fill(this.actions, ...some.map((one) => button(one.title, shownKey(one.keys[0]), () => app.run(one.name), one.what)));
    this.actions.append(h("button", { type: "button", class: "nbd-more", onclick: () => app.run("help") }, key("?"), "All keys"));
    const digits = Object.entries(app.state.keys);
    const more = app.state.labels.length - digits.length;
    fill(
      this.digits,
      digits.length > 0 && h("span", {}, "Label as"),
      ...digits.map(([digit, label]) =>
        button(label === digit ? "" : label, digit, () => app.relabel(label), `Label as ${label}`, "nbd-digit"),
      ),
      more > 0 && button(`${whole(more)} more`, "L", () => app.run("label"), "Type a class", "nbd-digit"),
    );
    for (const one of this.digits.querySelectorAll("button")) one.setAttribute("aria-label", one.title);
  }
}
