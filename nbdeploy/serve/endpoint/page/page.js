// Asks /predict about a picture and shows what it answers.
const MOST = 5; // labels shown
const by = (id) => document.getElementById(id);
const asked = document.documentElement.dataset.asked === "yes";
const token = () => by("token").value.trim();
let shown = "";

by("access").hidden = !asked;
by("access").addEventListener("submit", (event) => event.preventDefault());
const header = asked ? " -H 'Authorization: Bearer TOKEN'" : "";
by("curl").textContent = `curl${header} -F file=@photo.jpg ${location.origin}/predict`;

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

async function ask(file) {
  by("answer").setAttribute("aria-busy", "true");
  URL.revokeObjectURL(shown);
  shown = URL.createObjectURL(file);
  by("picture").src = shown;
  by("picture").alt = file.name || "the picture";
  by("picture").hidden = false;
  by("invite").hidden = true;
  by("drop").classList.add("full");
  const start = performance.now();
  try {
    const headers = token() ? { Authorization: `Bearer ${token()}` } : {};
    const response = await fetch("/predict", { method: "POST", headers, body: new Blob([file]) });
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
  if (files.length) ask(files[0]);
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
