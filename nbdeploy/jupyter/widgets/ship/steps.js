// The steps of the work, each with its state, time, note and count; and what went wrong, on its step.

class Steps {
  constructor(panel) {
    this.panel = panel;
    this.list = h("ol", { class: "nbd-steps", "aria-label": "Steps" });
    this.ask = h("div", {});
    this.fault = h("div", {});
    this.foot = h("div", { class: "nbd-go" });
    this.sum = h("summary", { tabindex: "0", "data-place": "steps" });
    this.box = h("details", { open: true }, this.sum, this.list);
    this.root = h("section", { "aria-label": "Progress" }, this.box, this.ask, this.fault, this.foot);
    this.rows = new Map();
    this.asking = false;
    this.drawn = this.drawnFault = "";
  }

  draw(state) {
    const names = state.stages.map((one) => one.name).join();
    if (names !== this.names) {
      this.names = names;
      this.rows.clear();
      this.list.replaceChildren(...state.stages.map((one) => this.row(one)));
    }
    for (const one of state.stages) this.fill(one);
    this.got = performance.now();
    this.stages = state.stages;
    if (state.state !== "working") this.asking = false;
    if (state.state !== this.was) this.box.open = !["done", "undone"].includes(state.state); // then the result matters
    this.was = state.state;
    const took = state.stages.filter((one) => one.state === "done").length;
    this.sum.textContent = !["done", "undone"].includes(state.state) ? "Steps" : `${took} steps in ${seconds(state.seconds)}`;
    const now = JSON.stringify([state.state, this.asking, state.remarks]);
    if (now !== this.drawn) {
      this.drawn = now;
      this.drawAsk(state);
    }
    const fault = JSON.stringify([state.fault, state.state]);
    if (fault !== this.drawnFault) {
      this.drawnFault = fault;
      this.drawFault(state);
    }
  }

  row(one) {
    const parts = {
      sign: h("span", { class: "nbd-sign", "aria-hidden": "true" }),
      word: h("span", { class: "nbd-word" }),
      note: h("span", { class: "nbd-note-of" }),
      time: h("span", { class: "nbd-time" }),
      bar: h("span", { class: "nbd-bar", role: "progressbar", "aria-label": `${one.title}`, hidden: true }, h("span", { class: "nbd-fill" })),
    };
    this.rows.set(one.name, parts);
    parts.item = h("li", {}, parts.sign, h("span", { class: "nbd-name", title: one.about }, one.title), parts.word, h("span", { class: "nbd-doing" }, parts.note, parts.bar), parts.time);
    return parts.item;
  }

  fill(one) {
    const parts = this.rows.get(one.name);
    parts.item.className = `nbd-is-${one.state}`;
    if (one.state === "running") parts.item.setAttribute("aria-current", "step");
    else parts.item.removeAttribute("aria-current");
    parts.sign.textContent = SIGNS[one.state];
    parts.word.textContent = one.state === "pending" && this.panel.state.state !== "working" ? "not reached" : WORD[one.state];
    const counted = one.state === "running" && Boolean(one.counting) && one.total > 0;
    parts.note.textContent = counted ? `${one.counting}: ${whole(one.done)} of ${whole(one.total)} ${one.unit}s` : one.note || (one.state === "running" ? one.about : "");
    parts.bar.hidden = !counted;
    if (counted) {
      const percent = Math.round((100 * one.done) / one.total);
      parts.bar.setAttribute("aria-valuenow", String(percent));
      parts.bar.setAttribute("aria-valuemin", "0");
      parts.bar.setAttribute("aria-valuemax", "100");
      parts.bar.firstChild.style.width = `${percent}%`;
    }
    this.time(one, 0);
  }

  /** Times go on between two words of Python. */
  tick() {
    const more = (performance.now() - this.got) / 1000;
    for (const one of this.stages || []) if (one.state === "running") this.time(one, more);
    return more;
  }

  time(one, more) {
    const { time } = this.rows.get(one.name);
    const about = this.panel.state.state === "working" && one.expected != null && ["pending", "running"].includes(one.state) ? `about ${seconds(one.expected)}` : "";
    const now = one.state === "pending" || one.state === "skipped" ? "" : seconds(one.seconds + more);
    time.textContent = now && about ? `${now} of ${about}` : now || about;
  }

  drawAsk(state) {
    const keep = () => { this.asking = false; this.panel.draw(); this.foot.querySelector("button")?.focus(); };
    const question = this.asking && h("div", { class: "nbd-ask", role: "group", "aria-label": "Cancel the deployment?" },
      h("span", {}, "Cancel? What is half made goes away; what was there before stays."),
      button("Yes, cancel", () => { this.asking = false; this.panel.send({ kind: "cancel" }); this.panel.draw(); }, { class: "nbd-danger" }),
      button("Go on", keep));
    redraw(this.ask, ...state.remarks.map((text) => h("p", { class: "nbd-note" }, "! ", text)), question);
    const working = state.state === "working";
    const over = ["failed", "cancelled"].includes(state.state);
    const held = state.model.kind === "Learner" ? "cells can go on (leave the Learner alone until Export is done)" : "cells can go on";
    redraw(
      this.foot,
      working && !this.asking && button("Cancel", () => this.cancel()),
      working && h("span", { class: "nbd-muted" }, h("kbd", {}, "Esc"), ` cancels; ${held}, and so does the work when this is closed`),
      over && button("Try again", () => this.panel.send({ kind: "retry" }), { class: "nbd-primary" }),
      over && button("Choose again", () => this.panel.send({ kind: "again" })),
    );
  }

  cancel() {
    this.asking = true;
    this.panel.draw();
    this.ask.querySelector("button")?.focus();
  }

  drawFault(state) {
    const { fault } = state;
    if (!fault) return redraw(this.fault);
    const reason = h("input", { type: "text", size: 40, "aria-label": "Why it is good enough", placeholder: "why it is good enough", "data-place": "reason" });
    const accept = h("form", { class: "nbd-accept", onsubmit: (event) => {
      event.preventDefault();
      if (reason.value.trim()) this.panel.send({ kind: "retry", accept: true, reason: reason.value });
      else reason.focus();
    } }, h("label", {}, "Put it in place all the same, with this reason written in it: ", reason), h("button", { type: "submit", "data-place": "accept" }, "Deploy all the same"));
    return redraw(
      this.fault,
      h("section", { class: "nbd-fault", "aria-label": "What went wrong" },
        h("p", {}, "✗ ", h("strong", {}, fault.message)),
        fault.hint && h("p", {}, fault.hint),
        fault.checks.length > 0 && checkTable(fault.checks),
        fault.log && h("p", {}, "What the converter printed: ", h("code", {}, fault.log)),
        fault.lines.length > 0 && h("pre", { tabindex: "0", "aria-label": "The last lines of the converter's log" }, fault.lines.join("\n")),
        fault.report && h("p", {}, this.panel.report(), " ", h("code", {}, fault.report)),
        fault.acceptable && accept),
    );
  }
}

/** The checks; those that failed come first from Python. */
function checkTable(checks) {
  const sign = { passed: "✓ passed", failed: "✗ failed", not_run: "– not run" };
  const head = h("tr", {}, ...["Outcome", "Check", "Value", "Limit", "What it means"].map((text) => h("th", { scope: "col" }, text)));
  const rows = checks.map((one) => h("tr", {}, h("td", { class: `nbd-is-${one.status}` }, sign[one.status]), h("th", { scope: "row" }, one.title), h("td", { class: "nbd-n" }, one.value), h("td", { class: "nbd-n" }, one.limit), h("td", {}, one.why)));
  return h("div", { class: "nbd-scroll" }, h("table", { class: "nbd-checks" }, h("thead", {}, head), h("tbody", {}, ...rows)));
}
