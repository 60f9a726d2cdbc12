// The page of the telephone. The code stands behind the "#", which browsers never send by themselves; it works once.
const at = (id) => document.getElementById(id);
const SIDE = 1600; // pixels: enough for any net, and quickly sent
const KEPT = 12; // pictures shown
const AHEAD = 4; // on their way, beyond which the live camera waits
let stream = null, holding = "", chosen = "", part = 1, flying = 0, taken = 0;

function say(text, failed = false) {
  at("state").textContent = text;
  at("state").className = failed ? "failed" : "";
  at("state").hidden = !text;
}

async function ask(path, body) {
  const answer = await fetch(path, { method: body === undefined ? "GET" : "POST", body, headers: { "X-nbdeploy": "1" }, credentials: "same-origin" });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.error);
  return said;
}

const told = (error) => (error instanceof TypeError ? "✗ The notebook does not answer. Is it still open, and this telephone in the same network?" : `✗ ${error.message}`);

async function open() {
  const code = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  try {
    if (code) await ask("enter", code);
    await draw();
    say("");
    at("part").hidden = false;
    at("camera").hidden = !window.isSecureContext || !navigator.mediaDevices;
    at("secure").hidden = window.isSecureContext;
    how();
    setInterval(() => holding || flying || draw().catch((error) => say(told(error), true)), 5000);
  } catch (error) {
    say(told(error), true);
  }
}

function how() {
  at("how").hidden = false;
  at("how").textContent = stream ? "Hold a class to record it; tap for one picture." : "Tap a class to take photos of it. They are sent upright and without the place they were taken at.";
}

async function draw() {
  const { name, classes } = await ask("classes");
  at("name").textContent = name;
  document.title = `Collect: ${name}`;
  const known = new Map([...at("classes").children].map((button) => [button.dataset.label, button]));
  at("classes").replaceChildren(...classes.map(({ label, number }) => {
    const button = known.get(label) || made(label);
    button.lastChild.textContent = number.toLocaleString("en");
    return button;
  }));
  if (!classes.length) say("There is no class yet: add one in the notebook.");
}

function made(label) {
  const button = document.createElement("button");
  button.className = "class";
  button.dataset.label = label;
  button.append(label, document.createElement("span"));
  button.addEventListener("click", () => stream || (chosen = label, at("photo").click()));
  button.addEventListener("pointerdown", (event) => stream && (button.setPointerCapture(event.pointerId), hold(label, button)));
  for (const event of ["pointerup", "pointercancel", "lostpointercapture"]) button.addEventListener(event, () => release(button));
  button.addEventListener("keydown", (event) => stream && [" ", "Enter"].includes(event.key) && (event.preventDefault(), event.repeat || hold(label, button)));
  button.addEventListener("keyup", () => release(button));
  button.addEventListener("contextmenu", (event) => event.preventDefault());
  return button;
}

async function send(blob, label) {
  const row = document.createElement("li");
  const image = document.createElement("img");
  const words = document.createElement("span");
  image.src = URL.createObjectURL(blob);
  image.alt = "";
  image.onload = image.onerror = () => URL.revokeObjectURL(image.src);
  words.textContent = "sending…";
  row.append(image, words);
  at("sent").prepend(row);
  [...at("sent").children].slice(KEPT).forEach((old) => old.remove());
  flying += 1;
  try {
    const { status, said, warn } = await ask(`photo?${new URLSearchParams({ label, part })}`, blob);
    const [sign, kind] = status !== "kept" ? ["✗ ", "refused"] : warn ? ["! ", "warn"] : ["✓ ", "kept"];
    words.className = kind;
    words.textContent = sign + (said || label);
    row.className = kind === "kept" ? "" : "said";
    if (status === "kept") count(label);
  } catch (error) {
    words.className = "refused";
    row.className = "said";
    words.textContent = told(error);
  } finally {
    flying -= 1;
  }
}

function count(label) {
  const button = [...at("classes").children].find((one) => one.dataset.label === label);
  if (button) button.lastChild.textContent = (Number(button.lastChild.textContent.replaceAll(",", "")) + 1).toLocaleString("en");
}

/** A JPEG, upright and without what the camera wrote beside the pixels; the file itself where that fails. */
async function upright(file) {
  try {
    const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
    const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
    return await jpeg(bitmap, Math.round(bitmap.width * scale), Math.round(bitmap.height * scale));
  } catch {
    return file;
  }
}

function jpeg(source, width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  canvas.getContext("2d").drawImage(source, 0, 0, width, height);
  return new Promise((done, fail) => canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error("no picture"))), "image/jpeg", 0.92));
}

async function hold(label, button) {
  if (holding) return;
  holding = label;
  taken = 0;
  button.classList.add("on");
  while (holding === label) {
    if (flying < AHEAD && at("video").videoWidth) {
      const blob = await jpeg(at("video"), at("video").videoWidth, at("video").videoHeight);
      taken += 1;
      at("count").textContent = `● ${label}: ${taken}`;
      send(blob, label);
    }
    await new Promise((done) => setTimeout(done, 200));
  }
}

function release(button) {
  holding = "";
  button.classList.remove("on");
  at("count").textContent = "";
}

async function camera() {
  if (stream) {
    stream.getTracks().forEach((track) => track.stop());
    stream = null;
  } else {
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1280 } }, audio: false });
      at("video").srcObject = stream;
    } catch (error) {
      say(`✗ ${error.name}: the live camera cannot be used. Photos work: tap a class.`, true);
    }
  }
  at("live").hidden = !stream;
  at("camera").textContent = stream ? "Turn the live camera off" : "Turn the live camera on";
  how();
}

at("photo").addEventListener("change", async (event) => {
  const files = [...event.target.files], label = chosen;
  event.target.value = "";
  for (const file of files) await send(await upright(file), label);
});
at("camera").addEventListener("click", camera);
at("part").addEventListener("click", () => {
  part += 1;
  say(`Session ${part}: what you take now is kept apart from before when the model is checked.`);
});
document.addEventListener("visibilitychange", () => document.hidden && (holding = ""));
open();
