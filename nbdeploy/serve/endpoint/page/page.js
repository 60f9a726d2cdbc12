// Asks /predict about a picture, a row or a text and shows what it answers.
const MOST = 5; // labels shown
const by = (id) => document.getElementById(id);
const asked = document.documentElement.dataset.asked === "yes";
const token = () => by("token").value.trim();
let shown = "";

by("access").hidden = !asked;
by("access").addEventListener("submit", (event) => event.preventDefault());
const header = asked ? " -H 'Authorization: Bearer TOKEN'" : "";
const noun = document.documentElement.dataset.noun;
const picture = noun === "picture";
by("drop").hidden = !picture;
by("write").hidden = picture;
const tell = (text) => { by("curl").textContent = `curl${header} ${text} ${location.origin}/predict`; };
tell("-F file=@photo.jpg");

function element(kind, name, text = "") {
  const made = document.createElement(kind);
  made.className = name;
  made.textContent = text;
  return made;
}

function say(text, kind) {
  by("verdict").className = kind;
  by("verdict").textContent = text;
}

function percent(share) {
  return `${(100 * share).toFixed(share > 0 && share < 0.001 ? 2 : 1)} %`;
}

function show(answer, milliseconds) {
  const [{ label, probabilities }] = answer.predictions;
  const ranked = Object.entries(probabilities).sort((one, other) => other[1] - one[1]);
  say(label, "");
  by("bars").replaceChildren(...ranked.slice(0, MOST).map(([name, share]) => {
    const row = element("li", ""), track = element("span", "track"), bar = element("div", "bar");
    row.append(element("span", "label", name), element("span", "share", percent(share)), track);
    row.firstChild.title = name;
    track.append(bar);
    requestAnimationFrame(() => { bar.style.width = `${100 * share}%`; });
    return row;
  }));
  const others = ranked.length > MOST ? `, ${ranked.length - MOST} more labels` : "";
  by("took").textContent = `Model ${answer.inference_ms.toFixed(1)} ms, there and back ${milliseconds.toFixed(0)} ms${others}`;
}

function look(file) {
  URL.revokeObjectURL(shown);
  shown = URL.createObjectURL(file);
  by("picture").src = shown;
  by("picture").alt = file.name || "the picture";
  by("picture").hidden = false;
  by("invite").hidden = true;
  by("drop").classList.add("full");
  ask(new Blob([file]));
}

async function ask(body, type) {
  by("answer").setAttribute("aria-busy", "true");
  const start = performance.now();
  try {
    const headers = token() ? { Authorization: `Bearer ${token()}` } : {};
    if (type) headers["Content-Type"] = type;
    const response = await fetch("/predict", { method: "POST", headers, body });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${answer.error.message} ${answer.error.hint}`);
    show(answer, performance.now() - start);
  } catch (error) {
    by("bars").replaceChildren();
    by("took").textContent = "";
    say(`✕ ${error.message}`, "failed");
    if (asked && !token()) by("token").focus();
  } finally {
    by("answer").setAttribute("aria-busy", "false");
  }
}

function first(files) {
  if (picture && files.length) look(files[0]);
}

by("picture").addEventListener("error", () => { by("picture").hidden = true; by("invite").hidden = false; });
by("file").addEventListener("change", (event) => { first(event.target.files); event.target.value = ""; });
addEventListener("paste", (event) => first(event.clipboardData.files));
for (const name of ["dragenter", "dragover"]) {
  addEventListener(name, (event) => { event.preventDefault(); by("drop").classList.add("over"); });
}
addEventListener("dragleave", (event) => { if (!event.relatedTarget) by("drop").classList.remove("over"); });
addEventListener("drop", (event) => {
  event.preventDefault();
  by("drop").classList.remove("over");
  first(event.dataTransfer.files);
});
// The form of a model of rows or texts.
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function field(column) {
  const box = element("label", "field"), input = element(column.kind === "text" ? "textarea" : "input", "");
  box.append(element("span", "", column.name), input);
  input.name = column.name;
  input.spellcheck = false;
  if (column.kind === "number") {
    input.inputMode = "decimal";
    input.placeholder = "missing";
  } else if (column.kind === "category") {
    const known = document.createElement("datalist");
    known.id = `known-${by("fields").children.length}`;
    known.append(...column.categories.map((name) => Object.assign(document.createElement("option"), { value: name })));
    input.setAttribute("list", known.id);
    input.placeholder = column.categories.slice(0, 3).join(", ");
    box.append(known);
  } else input.rows = 8;
  by("fields").append(box);
}

function written() {
  if (noun === "text") return by("fields").querySelector("textarea").value;
  const row = {};
  for (const input of by("fields").querySelectorAll("input")) {
    const text = input.value.trim(), number = Number(text.replace(",", "."));
    if (text) row[input.name] = input.inputMode === "decimal" && Number.isFinite(number) ? number : text;
  }
  return JSON.stringify(row);
}

const type = noun === "text" ? "text/plain" : "application/json";
const told = () => tell(`-H 'Content-Type: ${type}' --data-raw ${quoted(written() || "...")}`);
async function draw() {
  let columns = [{ name: "Text", kind: "text" }];
  if (noun === "row") {
    const headers = token() ? { Authorization: `Bearer ${token()}` } : {};
    const response = await fetch("/page/columns.json", { headers });
    if (!response.ok) return say("The columns are shown once the token is given.", "quiet"); // they are asked for with it
    columns = await response.json();
  }
  by("fields").replaceChildren();
  columns.forEach(field);
  told();
}

if (!picture) {
  await draw();
  by("token").addEventListener("change", () => { if (!by("fields").children.length) draw(); });
  by("write").addEventListener("input", told);
  by("write").addEventListener("submit", (event) => { event.preventDefault(); ask(written(), type); });
  by("write").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) by("write").requestSubmit();
  });
}

by("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(by("curl").textContent);
    by("copy").textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(by("curl"));
    by("copy").textContent = "Selected";
  }
  setTimeout(() => { by("copy").textContent = "Copy"; }, 2000);
});

try {
  const ready = await (await fetch("/readyz")).json();
  by("standing").textContent = ready.ready ? "✓ ready" : `… ${ready.why}`;
} catch {
  by("standing").textContent = "✕ does not answer";
}
