// The button that ends a training. It is there once the kernel has answered while it was busy.

const ASK_MS = 500;
const GIVE_UP = 12;

class Button {
  constructor(model, el) {
    Object.assign(this, { model, el, asked: 0, here: false });
    this.button = h("button", { type: "button", hidden: true, onclick: () => this.press() }, "Stop, keep the best weights");
    this.words = h("span", { role: "status", "aria-live": "polite" });
    this.root = h("div", { class: "nbd nbd-stopper" }, this.button, this.words);
    el.append(this.root);
    this.heard = (message) => message.kind === "here" && this.arrive();
    this.change = () => this.draw();
    model.on("msg:custom", this.heard);
    model.on("change:state", this.change);
    this.timer = setInterval(() => this.ask(), ASK_MS);
    this.ask();
  }

  ask() {
    if (this.asked++ >= GIVE_UP) {
      clearInterval(this.timer);
      this.words.textContent = "To stop and keep the best weights, interrupt the kernel (■).";
      return;
    }
    this.send({ kind: "hello" });
  }

  arrive() {
    this.here = true;
    clearInterval(this.timer);
    this.draw();
  }

  press() {
    this.button.disabled = true;
    this.words.textContent = "Stopping after this batch ...";
    this.send({ kind: "stop" });
  }

  send(message) {
    try {
      this.model.send(message);
    } catch {
      this.button.hidden = true;
    }
  }

  draw() {
    const stopping = this.model.get("state").stopping;
    this.button.hidden = !this.here;
    this.button.disabled = stopping;
    this.words.textContent = stopping ? "Stopping after this batch ..." : this.here ? "or interrupt the kernel (■)" : "";
  }

  close() {
    clearInterval(this.timer);
    this.model.off("msg:custom", this.heard);
    this.model.off("change:state", this.change);
    this.root.remove();
  }
}

export default {
  render({ model, el }) {
    const button = new Button(model, el);
    return () => button.close();
  },
};
