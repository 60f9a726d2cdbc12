// Part 5: links, and the telephone.

class Links {
  constructor(page) {
    this.page = page;
    this.text = h("textarea", {
      class: "nbc-input nbc-text", rows: 5, spellcheck: false, "aria-label": "Links, one a line",
      placeholder: "https://…\nhttps://…, another class",
    });
    this.go = h("button", { class: "nbc-button nbc-main", onclick: () => this.fetch() }, "Fetch");
    this.end = h("button", { class: "nbc-button", hidden: true, onclick: () => this.page.line.ask({ kind: "stop" }) }, "Stop");
    this.bar = h("progress", { class: "nbc-progress", max: 1, value: 0, hidden: true, "aria-label": "Links fetched" });
    this.status = h("span", { class: "nbc-quiet" });
    this.target = h("span", { class: "nbc-target" });
    this.element = h(
      "div", { class: "nbc-links" },
      h("p", { class: "nbc-quiet" }, "One address a line, for ", this.target, "; or “address, class”, or a table. At most 50 MB each; those collected before are left out."),
      this.text,
      h("div", { class: "nbc-row" }, this.go, this.end, this.bar, this.status),
    );
  }

  draw() {
    this.target.textContent = this.page.classes.chosen || "the class in the line";
  }

  put(text) {
    this.text.value += (this.text.value && !this.text.value.endsWith("\n") ? "\n" : "") + text.trim();
    this.page.show("links", true);
  }

  fetch() {
    if (!this.text.value.trim()) return this.text.focus();
    this.page.line.ask({ kind: "links", text: this.text.value, label: this.page.classes.chosen });
  }

  fetching({ done, total, failed, over, stopped }) {
    this.bar.hidden = over;
    this.bar.max = Math.max(1, total);
    this.bar.value = done;
    this.end.hidden = this.go.disabled = !over;
    this.end.hidden = over;
    this.go.disabled = !over;
    const bad = failed ? `, ${whole(failed)} failed: see “Not stored” below` : "";
    if (over) {
      this.status.textContent = total === 0 || done === 0 ? (stopped ? "Stopped." : "All of them were collected before.") : `${stopped ? "Stopped after" : "Fetched"} ${whole(done)} of ${whole(total)}${bad}`;
      this.page.say(this.status.textContent);
      if (!failed && !stopped) this.text.value = "";
    } else this.status.textContent = `${whole(done)} of ${whole(total)}${bad}`;
  }
}

class Phone {
  constructor(page) {
    this.page = page;
    this.host = h("input", { class: "nbc-input", placeholder: "0.0.0.0", "aria-label": "Address to listen on", onkeydown: (event) => event.key === "Enter" && this.start() });
    this.element = h("div", { class: "nbc-phone" });
    this.shown = null;
  }

  start() {
    const host = this.host.value.trim();
    if (!host) return this.host.focus();
    this.page.line.ask({ kind: "phone", do: "start", host });
  }

  draw() {
    const { phone } = this.page.state;
    const key = JSON.stringify(phone || null);
    if (this.shown === key) return;
    this.shown = key;
    this.element.replaceChildren(...(phone ? this.on(phone) : this.off()));
  }

  off() {
    return [
      h("p", { class: "nbc-lead" }, "Phone capture is off"),
      h("p", { class: "nbc-quiet" }, "It opens a page for one telephone on an address of the machine that runs the kernel: 0.0.0.0 is every network it is in. Only the code that is shown then opens the page, once."),
      h("div", { class: "nbc-row" }, h("label", { class: "nbc-quiet nbc-inline" }, "Listen on ", this.host), h("button", { class: "nbc-button nbc-main", onclick: () => this.start() }, "Start")),
      h("p", { class: "nbc-quiet" }, "With a certificate, for live cameras: ", h("code", {}, 'collector.phone("0.0.0.0", certfile=…, keyfile=…)')),
    ];
  }

  on({ url, svg, used, secure, pictures, visitor }) {
    const code = h("div", { class: "nbc-qr", role: "img", "aria-label": "QR code of the page" });
    const image = h("img", { alt: "", src: `data:image/svg+xml;utf8,${encodeURIComponent(svg)}` });
    code.append(image);
    const state = used ? `✓ connected${visitor ? ` from ${visitor}` : ""}: ${count(pictures, "picture")}` : "Waiting: scan the code with the telephone’s camera";
    return [
      h(
        "div", { class: "nbc-beside" },
        used ? null : code,
        h(
          "div", {},
          h("p", { class: "nbc-lead", role: "status" }, state),
          used ? h("p", { class: "nbc-quiet" }, "The code was used and opens nothing more. For another telephone, start again.") : h("p", { class: "nbc-quiet nbc-address" }, url),
          h("p", { class: "nbc-quiet" }, secure ? "Over HTTPS: photos and the live camera." : "Over plain HTTP: photos only, and readable by others in this network. Live cameras need HTTPS: give certfile and keyfile."),
          h("div", { class: "nbc-row" }, h("button", { class: "nbc-button nbc-main", onclick: () => this.page.line.ask({ kind: "phone", do: "stop" }) }, "Stop"),
            used ? h("button", { class: "nbc-button", onclick: () => this.page.line.ask({ kind: "phone", do: "again" }) }, "New code") : null),
        ),
      ),
    ];
  }
}
