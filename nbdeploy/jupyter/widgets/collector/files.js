// Part 3: files that are dropped, chosen or pasted.

/** Every file of what was dropped, with its path, folders and all. */
async function dropped(transfer) {
  const entries = [...transfer.items].filter((item) => item.kind === "file").map((item) => item.webkitGetAsEntry?.() || item.getAsFile());
  const files = [];
  const walk = async (entry, path) => {
    if (entry instanceof File) files.push({ blob: entry, path: entry.name });
    else if (entry?.isFile) files.push({ blob: await new Promise((done, fail) => entry.file(done, fail)), path: path + entry.name });
    else if (entry?.isDirectory) {
      const reader = entry.createReader();
      for (;;) {
        const some = await new Promise((done, fail) => reader.readEntries(done, fail)); // a hundred at a time
        if (!some.length) break;
        for (const one of some) await walk(one, `${path}${entry.name}/`);
      }
    }
  };
  for (const entry of entries) if (entry) await walk(entry, "");
  return files;
}

class Files {
  constructor(page) {
    this.page = page;
    this.drops = new Map(); // drop -> files that wait for a decision
    this.every = h("input", { class: "nbc-input nbc-short", type: "number", min: 0.1, max: 60, step: 0.1, value: 0.5, "aria-label": "Seconds between frames of a video" });
    const pick = (folder) => h("input", {
      type: "file", multiple: true, hidden: true, webkitdirectory: folder, tabindex: -1, "aria-hidden": "true",
      onchange: (event) => {
        this.offer([...event.target.files].map((blob) => ({ blob, path: blob.webkitRelativePath || blob.name })));
        event.target.value = "";
      },
    });
    this.pickFiles = pick(false);
    this.pickFolder = pick(true);
    this.target = h("span", { class: "nbc-target" });
    this.question = h("div", { class: "nbc-question", role: "group", "aria-label": "What was dropped", hidden: true });
    this.zone = h(
      "div", { class: "nbc-zone" },
      h("p", { class: "nbc-lead" }, "Drop pictures here, for ", this.target),
      h("p", { class: "nbc-quiet" }, "or folders, a zip, a table of paths or links, a video, a data set of COCO, VOC or YOLO; or paste a picture"),
      h(
        "div", { class: "nbc-row" },
        h("button", { class: "nbc-button nbc-main", onclick: () => this.pickFiles.click() }, "Choose files"),
        h("button", { class: "nbc-button", onclick: () => this.pickFolder.click() }, "Choose a folder"),
        h("label", { class: "nbc-quiet nbc-inline" }, "video: a frame every", this.every, "s at most"),
      ),
    );
    this.element = h("div", { class: "nbc-files" }, this.zone, this.question, this.pickFiles, this.pickFolder);
  }

  draw() {
    const { chosen } = this.page.classes;
    this.target.textContent = chosen || "a class that is asked for";
  }

  /** Files came: ask Python what they are together. */
  offer(files, label = "", source = "file") {
    if (!files.length) return;
    const drop = name();
    this.drops.set(drop, { files, label, source });
    if (source === "paste") return this.planned({ drop, as: "pictures" });
    this.page.line.ask({ kind: "plan", drop, files: files.map((one) => one.path) });
  }

  planned({ drop, as, labels, pictures, words }) {
    const waiting = this.drops.get(drop);
    if (!waiting) return;
    const target = waiting.label || this.page.classes.chosen;
    const isVideo = as === "whole" && !/\.(zip|tar|tgz|gz|bz2|xz|csv|tsv|txt)\b/i.test(words);
    if (as === "classes") this.ask(drop, ...this.aboutClasses(drop, labels, pictures, target));
    else if (as === "set") this.ask(drop, ...this.aboutSet(drop, pictures));
    else if (!target && (as === "pictures" || isVideo)) this.ask(drop, ...this.aboutLabel(drop));
    else if (as === "whole") this.whole(drop, as, target);
    else this.plain(drop, () => target);
  }

  aboutClasses(drop, labels, pictures, target) {
    const shown = labels.slice(0, 6).map(([label, number]) => `${label} (${whole(number)})`).join(", ");
    const more = labels.length > 6 ? ` and ${labels.length - 6} more` : "";
    const ofPath = (path) => {
      const parts = path.split("/");
      const at = parts.findIndex((part, place) => place < parts.length - 1 && labels.some(([label]) => label === part));
      return at < 0 ? target : parts[at];
    };
    return [
      `${count(pictures, "picture")} in ${count(labels.length, "folder")}: ${shown}${more}.`,
      ["Use the folders as classes", () => this.plain(drop, ofPath)],
      target ? [`All into ${target}`, () => this.plain(drop, () => target)] : null,
    ];
  }

  aboutSet(drop, pictures) {
    return [
      `A data set with annotations and ${count(pictures, "picture")}.`,
      ["Whole pictures, each in the class of most of its boxes", () => this.whole(drop, "set", "")],
      ["Cut the boxes out", () => this.whole(drop, "set", "", true)],
    ];
  }

  aboutLabel(drop) {
    const input = h("input", { class: "nbc-input", placeholder: "Class", "aria-label": "Class of what was dropped" });
    const go = () => {
      const label = input.value.trim();
      if (!label) return input.focus();
      this.page.classes.wanted = label;
      this.page.line.ask({ kind: "class", label });
      const waiting = this.drops.get(drop);
      this.answered();
      this.drops.set(drop, { ...waiting, label });
      this.page.line.ask({ kind: "plan", drop, files: waiting.files.map((one) => one.path) });
    };
    input.addEventListener("keydown", (event) => event.key === "Enter" && go());
    return [`Which class ${this.drops.get(drop).files.length === 1 ? "is it" : "are they"}?`, input, ["Add", go]];
  }

  ask(drop, text, ...answers) {
    const button = ([words, act], place) => h("button", { class: `nbc-button${place ? "" : " nbc-main"}`, onclick: () => { this.answered(); act(); } }, words);
    const given = answers.filter(Boolean);
    let place = 0;
    this.question.replaceChildren(
      h("span", { class: "nbc-asked" }, text),
      ...given.map((one) => (one instanceof Element ? one : button(one, place++))),
      h("button", { class: "nbc-button", onclick: () => { this.answered(); this.drops.delete(drop); } }, "Cancel"),
    );
    this.question.hidden = false;
    this.page.show("files");
    this.question.querySelector("input, button").focus();
    this.page.say(text);
  }

  answered() {
    this.question.hidden = true;
    this.page.root.focus();
  }

  /** Pictures, each on its own. */
  plain(drop, labelOf) {
    const { files, source } = this.drops.get(drop);
    this.drops.delete(drop);
    const batch = sessionName(source === "paste" ? "paste" : "drop");
    for (const { blob, path } of files) {
      if (path.split("/").some((part) => part.startsWith(".") || part === "__MACOSX")) continue;
      this.page.line.add({ blob, name: path, label: labelOf(path), source, session: batch, batch });
    }
  }

  /** What only Python can look into: it is sent whole, and then added. */
  whole(drop, as, label, crop = false) {
    const { files } = this.drops.get(drop);
    this.drops.delete(drop);
    let left = files.length;
    const then = () => {
      left -= 1;
      if (!left) this.page.line.ask({ kind: "finish", drop, as, label, crop, every: Number(this.every.value) });
    };
    for (const { blob, path } of files) this.page.line.add({ blob, name: path, drop, then });
  }

  /** A paste of pictures, or of text that is links. Whether there was anything. */
  paste(event) {
    const files = [...(event.clipboardData?.files || [])];
    if (files.length) this.offer(files.map((blob) => ({ blob, path: blob.name || "pasted.png" })), "", "paste");
    const text = event.clipboardData?.getData("text/plain") || "";
    if (!files.length && /^\s*https?:\/\//i.test(text)) this.page.links.put(text);
    else if (!files.length) return false;
    return true;
  }
}
