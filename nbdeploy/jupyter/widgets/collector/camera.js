// Part 4: the camera. What is recorded while a key or the button is held is one session.

const REFUSED = {
  NotAllowedError: "the camera was not allowed for this page. Allow it beside the address of this page, or in the settings of your system.",
  NotFoundError: "no camera was found. Plug one in, or use a telephone.",
  NotReadableError: "the camera is there and gives no picture: another program may be using it.",
  OverconstrainedError: "the chosen camera cannot do this. Choose another one.",
  SecurityError: "this page may not use cameras.",
  InsecureContext: "browsers open cameras only for pages over HTTPS or on this machine (localhost).",
  TypeError: "this browser offers no camera to pages.",
};
const AHEAD = 40; // frames not stored yet, at which recording slows down

class Camera {
  constructor(page) {
    this.page = page;
    this.stream = null;
    this.recording = "";
    this.video = h("video", { class: "nbc-video", autoplay: true, playsinline: true, muted: true, "aria-label": "What the camera sees, mirrored" });
    this.video.muted = true;
    this.canvas = h("canvas");
    this.device = h("select", { class: "nbc-input", "aria-label": "Camera", onchange: () => this.open() });
    this.rate = h(
      "select", { class: "nbc-input", "aria-label": "Pictures a second" },
      ...[1, 2, 5, 10].map((rate) => h("option", { value: rate, selected: rate === 5 }, `${rate} a second`)),
    );
    this.status = h("span", { class: "nbc-status", role: "status" });
    this.shutter = h("button", {
      class: "nbc-button nbc-main nbc-shutter",
      onpointerdown: (event) => { event.target.setPointerCapture(event.pointerId); this.start(this.page.classes.chosen, "pointer"); },
      onpointerup: () => this.stop("pointer"),
      onpointercancel: () => this.stop("pointer"),
      onlostpointercapture: () => this.stop("pointer"),
      onkeydown: (event) => [" ", "Enter"].includes(event.key) && (event.preventDefault(), event.repeat || this.start(this.page.classes.chosen, event.key)),
      onkeyup: (event) => [" ", "Enter"].includes(event.key) && this.stop(event.key),
      oncontextmenu: (event) => event.preventDefault(),
    });
    this.off = h("button", { class: "nbc-button", onclick: () => this.close() }, "Turn camera off");
    this.live = h(
      "div", { class: "nbc-live", hidden: true },
      h("div", { class: "nbc-frame" }, this.video, this.status),
      h("div", { class: "nbc-row" }, this.shutter, this.device, this.rate, this.off),
    );
    this.idle = h("div", { class: "nbc-zone" });
    this.element = h("div", { class: "nbc-camera" }, this.idle, this.live);
    this.rest();
  }

  rest() {
    this.idle.replaceChildren(
      h("p", { class: "nbc-lead" }, "Hold a class’s key to record it"),
      h("p", { class: "nbc-quiet" }, "Each recording is one session and stays on one side of the split. A short press takes one picture."),
      h("div", { class: "nbc-row" }, h("button", { class: "nbc-button nbc-main", onclick: () => this.open() }, "Turn camera on")),
    );
    this.idle.hidden = false;
    this.live.hidden = true;
  }

  refuse(error) {
    const kind = error.name || "Error";
    this.idle.replaceChildren(
      h("p", { class: "nbc-lead nbc-failed", role: "alert" }, h("b", {}, `✗ ${kind}`), ` – ${REFUSED[kind] || error.message || "the camera could not be opened."}`),
      h("p", { class: "nbc-quiet" }, "Everything else works without a camera: choose pictures, or let a telephone take them."),
      h(
        "div", { class: "nbc-row" },
        h("button", { class: "nbc-button nbc-main", onclick: () => this.page.files.pickFiles.click() }, "Choose files"),
        h("button", { class: "nbc-button", onclick: () => this.page.show("phone", true) }, "Use a telephone"),
        h("button", { class: "nbc-button", onclick: () => this.open() }, "Try the camera again"),
      ),
    );
    this.idle.hidden = false;
    this.live.hidden = true;
    this.page.say(`${kind}. ${REFUSED[kind] || ""}`);
  }

  async open() {
    this.close(false);
    const turn = (this.turn = {});
    try {
      if (!window.isSecureContext) throw Object.assign(new Error(), { name: "InsecureContext" });
      const wanted = { width: { ideal: 640 }, height: { ideal: 480 } };
      if (this.device.value) wanted.deviceId = { exact: this.device.value };
      const stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
      if (this.turn !== turn || this.page.closed) return stream.getTracks().forEach((track) => track.stop());
      this.stream = stream;
      stream.getVideoTracks()[0].addEventListener("ended", () => this.refuse({ name: "NotReadableError" }));
      this.video.srcObject = stream;
      this.idle.hidden = true;
      this.live.hidden = false;
      await this.video.play();
      await this.devices();
    } catch (error) {
      if (this.turn === turn) {
        this.close(false);
        this.refuse(error);
      }
    }
    this.draw();
  }

  async devices() {
    const all = (await navigator.mediaDevices.enumerateDevices()).filter((one) => one.kind === "videoinput");
    const now = this.stream?.getVideoTracks()[0]?.getSettings().deviceId;
    this.device.replaceChildren(
      ...all.map((one, place) => h("option", { value: one.deviceId, selected: one.deviceId === now }, one.label || `Camera ${place + 1}`)),
    );
    this.device.hidden = all.length < 2;
  }

  close(rest = true) {
    this.stop();
    this.turn = null;
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
    this.video.srcObject = null;
    if (rest) this.rest();
  }

  /** Record into a class until `stop`, which has to come from the same key. */
  start(label, by) {
    if (this.recording || !this.stream || this.page.line.gone) return;
    if (!label) return this.page.note("Name a class first.", "failed");
    Object.assign(this, { recording: label, by, taken: 0, began: performance.now(), session: sessionName("webcam") });
    const frame = async () => {
      if (this.page.line.left < AHEAD) await this.shoot();
      if (this.recording) this.timer = setTimeout(frame, Math.max(0, this.began + (1000 * (this.ticks += 1)) / Number(this.rate.value) - performance.now()));
    };
    this.ticks = 0;
    frame();
    this.draw();
    this.page.classes.draw();
  }

  stop(by) {
    if (!this.recording || (by && this.by !== by)) return;
    clearTimeout(this.timer);
    const label = this.recording;
    this.recording = "";
    this.page.say(`${count(this.taken, "picture")} recorded into ${label}`);
    this.draw();
    this.page.classes.draw();
  }

  /** One frame, as the camera sees it: the mirror is only for the eye. */
  async shoot() {
    const { recording: label, session } = this;
    const { videoWidth: width, videoHeight: height } = this.video;
    if (!width) return;
    this.canvas.width = width;
    this.canvas.height = height;
    this.canvas.getContext("2d").drawImage(this.video, 0, 0);
    const blob = await new Promise((done) => this.canvas.toBlob(done, "image/jpeg", 0.92));
    this.taken += 1;
    this.page.line.add({ blob, name: "", label, source: "webcam", session, batch: session });
    this.draw();
  }

  draw() {
    const { chosen } = this.page.classes;
    this.shutter.textContent = this.recording ? `Recording ${this.recording}` : chosen ? `Hold to record ${chosen}` : "Name a class first";
    this.shutter.disabled = !this.recording && !chosen;
    this.live.classList.toggle("nbc-recording", Boolean(this.recording));
    const seconds = (performance.now() - this.began) / 1000;
    const rate = this.taken > 1 ? `, ${(this.taken / seconds).toFixed(1)} a second` : "";
    this.status.textContent = this.recording ? `● ${this.recording}: ${whole(this.taken)}${rate}` : "";
  }
}
