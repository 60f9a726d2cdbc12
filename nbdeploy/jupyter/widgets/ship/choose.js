// What is chosen: a target or a provider, a recipe, a name, a folder; and what that will come to.

let forms = 0;

class Choose {
  constructor(panel) {
    this.panel = panel;
    this.group = `nbd-ship-${++forms}`;
    this.root = h("form", { class: "nbd-choose", "aria-label": "What to deploy", onsubmit: (event) => { event.preventDefault(); this.deploy(); } });
    this.timer = null;
    this.built = "";
  }

  draw(state) {
    const chosen = state.wanted;
    const shape = JSON.stringify([state.targets, state.providers, chosen.provider]);
    const mine = this.root.contains(document.activeElement);
    if (shape !== this.built || (!mine && this.built && JSON.stringify(this.read(state)) !== JSON.stringify(this.full(chosen)))) {
      this.built = shape;
      this.build(state);
    }
    this.drawRecipes(state);
    this.drawEstimate(state);
  }

  full(chosen) {
    return { ...chosen, settings: Object.fromEntries(Object.entries(chosen.settings).filter(([, value]) => value !== "")) };
  }

  build(state) {
    const { wanted } = state;
    const ready = state.targets.filter((one) => one.ready);
    const places = state.providers.filter((one) => one.ready);
    const other = [...state.targets, ...state.providers].filter((one) => !one.ready);
    const place = state.providers.find((one) => one.name === wanted.provider);
    this.recipes = h("fieldset", { class: "nbd-recipes" });
    this.estimate = h("section", { class: "nbd-estimate", "aria-label": "What to expect" });
    this.open = this.providers?.open;
    this.providers = h(
      "details",
      { open: Boolean(wanted.provider) || this.open },
      h("summary", { tabindex: "0", "data-place": "providers" }, `Or as an endpoint, at a provider (${places.length})`),
      h("fieldset", { class: "nbd-options" }, h("legend", { class: "nbd-hidden" }, "Provider"),
        ...places.map((one) => this.radio("provider", one, wanted.provider === one.name))),
      h("p", { class: "nbd-note nbd-about" }, "run: it was run, and asked from the outside. contract-tested: its files and calls were held to the place's rules; no account was touched."),
    );
    redraw(
      this.root,
      h("div", { class: "nbd-columns" },
        h("div", { class: "nbd-what" },
          h("fieldset", { class: "nbd-options" }, h("legend", {}, "Target"),
            ...ready.map((one) => this.radio("target", one, !wanted.provider && wanted.target === one.name))),
          this.providers,
          other.length > 0 && this.missing(other)),
        h("div", { class: "nbd-how" },
          this.recipes,
          h("fieldset", { class: "nbd-fields" }, h("legend", { class: "nbd-hidden" }, "Name and place"),
            this.field("name", "Name", wanted.name, state.model.name),
            this.field("out", "Folder", wanted.out, state.estimate.place),
            place && this.field("endpoint", "Endpoint", wanted.endpoint, state.estimate.endpoint)),
          place && place.settings.length > 0 && this.settings(place, wanted),
          this.estimate)),
    );
    this.place = place;
  }

  radio(kind, one, checked) {
    const input = h("input", { type: "radio", name: this.group, value: `${kind}:${one.name}`, checked, "data-place": `${kind} ${one.name}`, onchange: () => this.changed(true) });
    const tried = one.tried && h("span", { class: "nbd-tried" }, one.tried);
    return h("label", {}, input, h("span", {}, h("strong", {}, one.name), " ", h("span", { class: "nbd-muted" }, one.summary), tried && " ", tried));
  }

  field(name, label, value, usual) {
    const input = h("input", { type: "text", value, placeholder: usual, "data-field": name, "data-place": `field ${name}`, spellcheck: "false", autocomplete: "off", oninput: () => this.changed() });
    return h("label", { class: "nbd-field" }, h("span", {}, label), input);
  }

  settings(place, wanted) {
    const must = place.settings.filter((one) => one.default === null);
    const may = place.settings.filter((one) => one.default !== null);
    const input = (one) => h("label", { class: "nbd-field", title: one.about },
      h("span", {}, one.name),
      h("input", { type: one.secret ? "password" : "text", value: wanted.settings[one.name] ?? "", placeholder: one.default ?? "has to be given", required: one.default === null, "data-setting": one.name, "data-place": `setting ${one.name}`, "aria-description": one.about, autocomplete: "off", oninput: () => this.changed() }),
      h("span", { class: "nbd-muted nbd-about" }, one.about));
    return h("fieldset", { class: "nbd-fields nbd-settings" }, h("legend", {}, `Settings of ${place.name}`), ...must.map(input),
      may.length > 0 && h("details", { open: false }, h("summary", { tabindex: "0", "data-place": "more settings" }, `${may.length}${must.length > 0 ? " more" : ""}, all with a default`), ...may.map(input)));
  }

  missing(other) {
    return h("details", { class: "nbd-missing" }, h("summary", { tabindex: "0", "data-place": "missing" }, `${other.length} more, not for this model or not installed here`),
      h("ul", {}, ...other.map((one) => h("li", {}, h("strong", {}, one.name), ` ${one.summary}; ${one.missing}.`, one.install && " Type: ", one.install && h("code", {}, one.install)))));
  }

  drawRecipes(state) {
    const target = state.wanted.provider ? state.cloud : state.wanted.target;
    const has = state.targets.find((one) => one.name === target)?.recipes || [];
    const now = JSON.stringify([has, state.wanted.recipe]);
    if (this.recipes.dataset.now === now) return;
    this.recipes.dataset.now = now;
    redraw(this.recipes, h("legend", {}, "Recipe"), ...has.map((name) => h("label", {},
      h("input", { type: "radio", name: `${this.group}-recipe`, value: name, checked: name === state.wanted.recipe, "data-place": `recipe ${name}`, onchange: () => this.changed() }),
      h("span", {}, h("strong", {}, name), " ", h("span", { class: "nbd-muted" }, state.recipes[name])))));
  }

  drawEstimate(state) {
    const { estimate, plan } = state;
    for (const [name, usual] of [["out", estimate.place], ["endpoint", estimate.endpoint]]) {
      const field = this.root.querySelector(`[data-field="${name}"]`);
      if (field) field.placeholder = usual;
    }
    const now = JSON.stringify([estimate, plan, state.line, state.told, state.wanted.provider]);
    if (this.estimate.dataset.now === now) return;
    this.estimate.dataset.now = now;
    const row = (title, text, more) => h("tr", {}, h("th", { scope: "row" }, title), h("td", {}, text, more && h("span", { class: "nbd-muted" }, ` ${more}`)));
    const known = estimate.known ? "as it took here before" : estimate.steps.some((one) => one.known) ? "in part a rough guess" : "a rough guess: never done here";
    redraw(
      this.estimate,
      h("table", {}, h("caption", { class: "nbd-hidden" }, "What to expect"), h("tbody", {},
        row("Model file", estimate.size, "from the number of parameters"),
        row("Time", estimate.time, `(${known})`),
        row("Checked on", estimate.files),
        row("Lies in", h("code", {}, estimate.place)))),
      h("details", {}, h("summary", { tabindex: "0", "data-place": "each step" }, "Time of each step"),
        h("table", { class: "nbd-small" }, h("tbody", {}, ...estimate.steps.map((one) => row(one.title, seconds(one.seconds), one.known ? "" : "rough"))))),
      estimate.replaces && h("p", { class: "nbd-note" }, "↻ ", estimate.replaces),
      estimate.problem && h("p", { class: "nbd-wrong", role: "alert" }, "✗ ", h("strong", {}, estimate.problem), " ", estimate.hint),
      state.wanted.provider && this.plan(state),
      h("div", { class: "nbd-go" },
        h("button", { type: "submit", class: "nbd-primary", disabled: Boolean(estimate.problem), "data-place": "Deploy" }, "Deploy"),
        h("span", { class: "nbd-muted" }, h("kbd", {}, "Enter"), " deploys")),
      state.line && h("div", { class: "nbd-line-of" }, h("span", { class: "nbd-muted" }, "The same in Python"), code(state.line, "the line of Python")),
    );
  }

  plan(state) {
    const { plan } = state;
    if (!plan) return h("div", {}, button("Show the plan", () => this.panel.send({ kind: "plan", wanted: this.read(state) })), h("span", { class: "nbd-muted" }, " a dry run: nothing is made"));
    if (plan.problem) return h("p", { class: "nbd-wrong" }, "✗ ", plan.problem);
    const wrong = plan.checks.filter((one) => one.status !== "passed");
    return h("section", { class: "nbd-plan", "aria-label": "Plan" },
      h("strong", {}, "Plan; nothing was done. Sizes are estimates."),
      ...wrong.map((one) => h("p", { class: one.status === "failed" ? "nbd-wrong" : "nbd-note" }, one.status === "failed" ? "✗ " : "– ", one.why)),
      h("ol", {}, ...plan.steps.map((text) => h("li", {}, text))),
      ...Object.entries(plan.files).map(([path, text]) => h("details", {}, h("summary", { tabindex: "0", "data-place": `file ${path}` }, path), h("pre", { tabindex: "0" }, text))),
      plan.commands.length > 0 && h("details", {}, h("summary", { tabindex: "0", "data-place": "commands" }, plan.commands.length === 1 ? "1 command" : `${plan.commands.length} commands`), h("pre", { tabindex: "0" }, plan.commands.join("\n"))),
      h("p", {}, h("strong", {}, "Cost "), plan.price),
      ...plan.notes.map((text) => h("p", { class: "nbd-note" }, text)));
  }

  read(state) {
    const [kind, name] = (this.root.querySelector(`input[name="${this.group}"]:checked`)?.value || `target:${state.wanted.target}`).split(":");
    const text = (field) => this.root.querySelector(`[data-field="${field}"]`)?.value ?? state.wanted[field];
    const settings = {};
    for (const input of this.root.querySelectorAll("[data-setting]")) if (input.value) settings[input.dataset.setting] = input.value;
    return {
      target: kind === "target" ? name : state.wanted.target,
      recipe: this.root.querySelector(`input[name="${this.group}-recipe"]:checked`)?.value || state.wanted.recipe,
      provider: kind === "provider" ? name : "",
      name: text("name"), out: text("out"), endpoint: text("endpoint"), settings,
    };
  }

  changed(now = false) {
    clearTimeout(this.timer);
    const tell = () => this.panel.send({ kind: "choose", wanted: this.read(this.panel.state) });
    if (now) tell();
    else this.timer = setTimeout(tell, 200);
  }

  deploy() {
    clearTimeout(this.timer);
    if (!this.panel.state.estimate.problem) this.panel.send({ kind: "deploy", wanted: this.read(this.panel.state) });
  }
}
