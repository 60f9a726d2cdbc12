// The page: a camera or a picture in, answers out. What is shown is in view.js, the model in model.js, offline use in
// releases.js. Every number about the model comes from the bundle's manifest.

import { Camera, why } from './camera.js';
import { Model } from './model.js';
import { ask, canKeep, keep, selfTest } from './releases.js';
import { share } from './share.js';
import { $, cover, facts, percent, showAnswers, standing, toast } from './view.js';

const LIVE_EVERY_MS = 120; // a phone that classifies faster than people can read only gets warm
const SPEAK_EVERY_MS = 4000;
const LET_GO_MS = 30000; // a picture that is looked at this long needs no camera beside it

const camera = new Camera($.video);
let model = null;
let mode = 'loading'; // then idle, live or still
let answer = null; // the one that is shown
let loop = 0; // the number of the live loop that may go on
let spoken = { label: '', at: 0 };
let tested = null; // what the self-test gave
let newer = false; // whether a newer release than the one that is shown was taken already

const ready = begin();

/** For other scripts on this page, and for tests: the same answers, as data. */
window.nbdeploy = {
  ready,
  classify: async (blob) => { await ready; return model.classify(blob); },
  get answer() { return answer; },
  get mode() { return mode; },
  get selfTest() { return tested; },
};

async function begin() {
  try {
    if (typeof OffscreenCanvas === 'undefined') throw new Error('This browser is too old for this page: it takes iOS 16.4, Android with Chrome 80, or newer.');
    model = await Model.open();
    describe();
    showAnswers(null, model.labels);
    await model.load((share_, bytes) => cover({
      title: 'Getting ready', progress: share_,
      text: `The model is loaded once and then works without a network. ${megabytes(bytes)} of ${megabytes(model.bytes)}`,
    }));
  } catch (error) {
    cover({ title: 'The model could not be loaded', text: error.message, code: error.name });
    throw error;
  }
  const release = keepAndTest(); // goes on beside what the person does, but for a new release that is tested first
  await Promise.race([release.tested, release.notNew]);
  mode = 'idle';
  enable();
  await welcome();
}

function describe() {
  const { manifest, labels } = model;
  const { input, host } = manifest.signature;
  const [step] = host.steps;
  document.title = $.name.textContent = manifest.name;
  $.stage.style.setProperty('--shape', step.width / step.height);
  $.stage.style.setProperty('--fit', step.op === 'crop_resize' ? 'cover' : 'contain');
  const report = manifest.report?.metrics ?? {};
  facts([
    ['Model', `${manifest.name} ${manifest.version}`],
    ['Made', manifest.created.slice(0, 10)],
    ['Runs on', `this device, ${manifest.target}, ${manifest.recipe.name}, ${megabytes(model.bytes)}`],
    ['Tells apart', labels.length > 12 ? `${labels.length} labels` : labels.join(', ')],
    ['Sees', `${input.width} × ${input.height} pixels, ${input.colour === 'RGB' ? 'colour' : 'gray'}`],
    ...(report.files ? [['Checked', `${percent(report.top1_agreement)} of ${report.files} pictures answered as the original model does`]] : []),
    ['On this device', tested === null ? 'not tested yet' : `${tested.same} of ${tested.count} samples answered as when it was made`],
  ]);
}

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

function enable() {
  const still = mode === 'still';
  const live = mode === 'live';
  $.choose.disabled = $['open-about'].disabled = mode === 'loading';
  $.freeze.disabled = mode === 'loading';
  $.freeze.setAttribute('aria-pressed', String(!live));
  $['freeze-word'].textContent = live ? 'Freeze' : still ? 'Resume' : 'Camera';
  $.share.disabled = !still || !answer;
  $.video.hidden = !live;
  $.still.hidden = !still;
  $.corners.hidden = !live;
  $.video.classList.toggle('mirrored', camera.mirrored);
  if (!live) $.switch.disabled = true;
  else camera.count().then((count) => { $.switch.disabled = count < 2; });
}

async function welcome() {
  let allowed = 'prompt';
  try {
    allowed = (await navigator.permissions.query({ name: 'camera' })).state;
  } catch { /* this browser does not tell */ }
  if (allowed === 'granted') return startCamera();
  return cover({
    title: 'What is it?', start: 'Use the camera', choose: true,
    text: `Point the camera at something, or choose a picture. ${model.labels.length} labels, all on this device.`,
  });
}

// --- camera ---------------------------------------------------------------------------------------------------------

async function startCamera(begin_ = () => camera.start()) {
  loop += 1;
  try {
    await begin_();
  } catch (error) {
    camera.stop();
    mode = 'idle';
    enable();
    cover({ title: 'No camera', text: why(error), code: error.name, start: 'Try again', choose: true });
    return;
  }
  mode = 'live';
  cover(null);
  enable();
  live(++loop);
}

async function live(turn) {
  while (turn === loop) {
    const start = performance.now();
    await camera.next();
    if (turn !== loop) return;
    try {
      const found = await model.classify(await camera.frame());
      if (turn !== loop) return;
      show(found, { quiet: true });
    } catch (error) {
      if (turn === loop) $.foot.textContent = `${error.name}: ${error.message}`;
    }
    await new Promise((resolve) => { setTimeout(resolve, LIVE_EVERY_MS - (performance.now() - start)); });
  }
}

async function freeze() {
  if (mode === 'loading') return;
  if (mode !== 'live') {
    await startCamera();
    return;
  }
  const frame = await camera.frame();
  loop += 1;
  const turn = loop + 1; // of the picture
  setTimeout(() => { if (turn === loop) camera.stop(); }, LET_GO_MS);
  await still(frame, camera.mirrored);
}

/** Show a bitmap instead of the camera and classify it, or the file that it comes from. */
async function still(bitmap, mirrored, file = null) {
  $.still.width = bitmap.width;
  $.still.height = bitmap.height;
  $.still.getContext('2d').drawImage(bitmap, 0, 0);
  bitmap.close();
  $.still.classList.toggle('mirrored', mirrored);
  const turn = ++loop;
  answer = null;
  mode = 'still';
  cover(null);
  enable();
  const found = await model.classify(file ?? (await createImageBitmap($.still)));
  if (turn !== loop) return;
  show(found);
  enable();
}

async function open(file) {
  if (!file || mode === 'loading') return;
  loop += 1;
  camera.stop();
  try {
    const { exif } = model.manifest.signature.host;
    await still(await createImageBitmap(file, { imageOrientation: exif ? 'from-image' : 'none' }), false, file);
  } catch (error) {
    mode = 'idle';
    answer = null;
    showAnswers(null, model.labels);
    $.foot.textContent = '';
    enable();
    cover({
      title: 'Not a picture', code: error.name, start: 'Use the camera', choose: true,
      text: `${file.name || 'This file'} cannot be read as a picture that this model takes. ${error.message}`,
    });
  }
}

function show(found, { quiet = false } = {}) {
  answer = found;
  showAnswers(found, model.labels);
  const { inference_ms: asked, prepare_ms: prepared } = found;
  $.foot.textContent = `${(asked + prepared).toFixed(0)} ms on this device, ${asked.toFixed(0)} ms of them the model`;
  const now = performance.now();
  if (quiet && (found.label === spoken.label || now - spoken.at < SPEAK_EVERY_MS)) return;
  spoken = { label: found.label, at: now };
  $.spoken.textContent = `${found.label}, ${percent(found.probabilities[found.label])}`;
}

// --- offline use and updates ------------------------------------------------------------------------------------------

/** `notNew` resolves when the release in use needs no test before it is used; `tested` when one that did was tested. */
function keepAndTest() {
  let settled;
  const notNew = new Promise((resolve) => { settled = resolve; });
  return { notNew, tested: keepAll(settled) };
}

async function keepAll(notNew) {
  if (!canKeep) {
    notNew();
    standing('warned', window.isSecureContext ? 'Not kept offline' : 'Needs HTTPS');
    return;
  }
  try {
    if (!navigator.serviceWorker.controller) notNew(); // a first visit: what is here came just now
    await keep();
    const state = await ask('state');
    if (state.rolledBack) toast(`The new version was taken back (${state.rolledBack}). The one before is in use.`);
    if (state.tested || state.current !== model.hash || !state.previous) notNew();
    if (!state.tested && state.current === model.hash) await test(Boolean(state.previous));
    notNew();
    standing('kept', 'Works offline');
  } catch (error) {
    notNew();
    standing('warned', 'Not kept offline');
    $.standing.title = error.message;
    return;
  }
  await lookForUpdate();
}

async function test(isNew) {
  if (isNew) cover({ title: 'Testing a new version', text: 'It is asked about pictures whose answers are known.', progress: 0.5 });
  tested = await selfTest(model);
  describe();
  if (tested.ok) {
    await ask('tested');
    return;
  }
  const why_ = `on this device it answers ${tested.count - tested.same} of ${tested.count} known pictures otherwise`;
  if (await ask('failed', { why: why_ })) {
    location.reload();
    await new Promise(() => {}); // nothing more is shown of this release
  }
  throw Object.assign(new Error(why_), { name: 'SelfTestError' });
}

async function lookForUpdate({ asked = false } = {}) {
  try {
    const found = await ask('update');
    newer ||= found === 'new';
    if (found === 'new' || (asked && newer && found === 'same')) {
      toast('A new version is ready.', { name: 'Use it', stays: true, run: () => location.reload() });
    } else if (asked) {
      toast(found === 'bad' ? 'The new version did not work here before.' : 'This is the newest version.');
    }
  } catch (error) {
    if (/^(TypeError|TimeoutError|AbortError)/.test(error.message)) { // what fetch says of a server that is not there
      standing('offline', 'Offline');
      if (asked) toast('The server cannot be reached. The model works all the same.');
    } else if (asked) {
      toast(`The new version cannot be taken: ${error.message}`);
    }
    $.standing.title = error.message;
  }
}

// --- what people do -------------------------------------------------------------------------------------------------

const choose = () => $.file.click();
const switchCamera = () => startCamera(() => camera.switch());
const give = () => share(answer, $.still, `${model.manifest.name} ${model.manifest.version}`);

$.start.addEventListener('click', () => startCamera());
$['choose-here'].addEventListener('click', choose);
$.choose.addEventListener('click', choose);
$.switch.addEventListener('click', switchCamera);
$.freeze.addEventListener('click', freeze);
$.share.addEventListener('click', give);
$['open-about'].addEventListener('click', () => $.about.showModal());
$['look-for-update'].addEventListener('click', () => lookForUpdate({ asked: true }));
$.file.addEventListener('change', () => {
  open($.file.files[0]);
  $.file.value = ''; // so that the same file can be chosen again
});

const KEYS = { o: $.choose, c: $.switch, ' ': $.freeze, s: $.share, m: $['open-about'] };
addEventListener('keydown', (event) => {
  const button = KEYS[event.key.toLowerCase()];
  const pressesSomething = event.key === ' ' && event.target.closest('button, a');
  if (!button || pressesSomething || $.about.open || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  if (!button.disabled) button.click();
});

for (const name of ['dragover', 'dragleave', 'drop']) {
  addEventListener(name, (event) => {
    event.preventDefault();
    $.stage.classList.toggle('dropping', name === 'dragover');
    if (name === 'drop') open(event.dataTransfer.files[0]);
  });
}
addEventListener('paste', (event) => open(event.clipboardData?.files[0]));

// A page that nobody looks at lets go of the camera.
document.addEventListener('visibilitychange', () => {
  if (mode !== 'live') return;
  if (document.hidden) {
    loop += 1;
    camera.stop();
  } else {
    startCamera();
  }
});
