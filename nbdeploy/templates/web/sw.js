// Keeps whole releases of the bundle for use without a network. A release is what one manifest.json lists: every file is
// held to its SHA-256 and kept under it, then one small entry, `active`, is written: so a release is in use whole or not
// at all. A right hash does not mean a model that works here: the page tests a new release on the bundle's samples and
// takes it back when it fails; one that does not even start is taken back at the third try.

const SCOPE = self.registration.scope;
const ROOT = new URL('../../', SCOPE).href; // of the bundle
const STORE = `nbdeploy 1 ${SCOPE}`; // a cache storage is shared by all pages of an origin
const NEEDED = /^(index\.html|labels\.txt|app\/web\/.*|samples\/.*)$/;
const WAIT_MS = 15000; // for the manifest; what it lists may take longer
const TRIES = 3;
const TYPES = {
  html: 'text/html; charset=utf-8', css: 'text/css; charset=utf-8', js: 'text/javascript; charset=utf-8',
  mjs: 'text/javascript; charset=utf-8', json: 'application/json', webmanifest: 'application/manifest+json',
  wasm: 'application/wasm', png: 'image/png', svg: 'image/svg+xml', txt: 'text/plain; charset=utf-8',
};

const at = (name) => `${SCOPE}.nbdeploy/${name}`;
const store = () => caches.open(STORE);
const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
const sha256 = async (bytes) => hex(await crypto.subtle.digest('SHA-256', bytes));

/** {current, previous, tested, tries, bad}: hashes of manifests; nothing yet on a first visit. */
async function active() {
  const kept = await (await store()).match(at('active'));
  return kept ? kept.json() : { current: '', previous: '', tested: false, tries: 0, bad: [] };
}

async function use(state) {
  await (await store()).put(at('active'), new Response(JSON.stringify(state)));
  releases.clear();
  return state;
}

const releases = new Map(); // hash -> promise of {text, files}; a worker that is started again reads it anew

function release(hash) {
  if (!releases.has(hash)) {
    releases.set(hash, (async () => {
      const text = await (await (await store()).match(at(`release/${hash}`))).text();
      return { text, files: new Map(JSON.parse(text).files.map((file) => [file.path, file.sha256])) };
    })());
  }
  return releases.get(hash);
}

/** Look for another release than the one in use, and take it whole. Gives what became of it, in a word. */
async function adopt() {
  const answer = await fetch(`${ROOT}manifest.json`, { cache: 'no-store', signal: AbortSignal.timeout(WAIT_MS) });
  if (!answer.ok) throw new Error(`manifest.json: the server says ${answer.status}`);
  const text = await answer.text();
  const hash = await sha256(new TextEncoder().encode(text));
  const state = await active();
  if (hash === state.current) return 'same';
  if (state.bad.includes(hash)) return 'bad';
  const manifest = JSON.parse(text);
  const kept = await store();
  for (const { path, sha256: wanted } of manifest.files) {
    if (path !== manifest.model && !NEEDED.test(path)) continue;
    if (await kept.match(at(`blob/${wanted}`))) continue;
    await kept.put(at(`blob/${wanted}`), await verified(path, wanted));
  }
  await kept.put(at(`release/${hash}`), new Response(text));
  // What was in use becomes the way back, unless it was not seen to work itself.
  const previous = state.tested ? state.current : state.previous;
  await use({ current: hash, previous, tested: false, tries: 0, bad: state.bad });
  await prune();
  return state.current ? 'new' : 'first';
}

async function verified(path, wanted) {
  const url = `${ROOT}${path.split('/').map(encodeURIComponent).join('/')}?sha256=${wanted}`;
  for (const cache of ['default', 'reload']) { // an older file may be kept under this address
    const answer = await fetch(url, { cache });
    if (!answer.ok) throw new Error(`${path}: the server says ${answer.status}`);
    const bytes = await answer.arrayBuffer();
    if ((await sha256(bytes)) !== wanted) continue;
    const type = TYPES[path.split('.').pop()] ?? answer.headers.get('Content-Type') ?? 'application/octet-stream';
    return new Response(bytes, { headers: { 'Content-Type': type } });
  }
  throw new Error(`${path} is not what manifest.json says`);
}

/** Take the release in use back. Gives whether there was another to go back to. */
async function rollBack(why) {
  const state = await active();
  if (!state.previous) return false;
  const bad = [...state.bad, state.current].slice(-20);
  await use({ current: state.previous, previous: '', tested: true, tries: 0, bad });
  await (await store()).put(at('rolled-back'), new Response(JSON.stringify({ why, at: Date.now() })));
  return true;
}

async function prune() {
  const state = await active();
  const kept = await store();
  const used = new Set(['active', 'rolled-back'].map(at));
  for (const hash of [state.current, state.previous].filter(Boolean)) {
    used.add(at(`release/${hash}`));
    for (const sha of (await release(hash)).files.values()) used.add(at(`blob/${sha}`));
  }
  for (const request of await kept.keys()) if (!used.has(request.url)) await kept.delete(request);
}

async function answer(request) {
  const url = new URL(request.url);
  let path = decodeURIComponent(url.pathname.slice(new URL(ROOT).pathname.length));
  if (request.mode === 'navigate') {
    await countTry();
    if (path === '' || path.endsWith('/')) path += 'index.html';
  }
  const { current } = await active();
  if (!current) return fetch(request);
  const { text, files } = await release(current);
  if (path === 'manifest.json') return new Response(text, { headers: { 'Content-Type': TYPES.json } });
  const kept = files.has(path) && (await (await store()).match(at(`blob/${files.get(path)}`)));
  return kept || fetch(request);
}

/** A release that was opened several times and never came to say that it works is taken back. */
async function countTry() {
  const state = await active();
  if (state.tested || !state.previous) return;
  if (state.tries >= TRIES) await rollBack('it did not start');
  else await use({ ...state, tries: state.tries + 1 });
}

const jobs = {
  update: adopt,
  /** What is in use; the news of a release that was taken back is told once. */
  state: async () => {
    const kept = await store();
    const news = await kept.match(at('rolled-back'));
    await kept.delete(at('rolled-back'));
    return { ...(await active()), rolledBack: news ? (await news.json()).why : '' };
  },
  tested: async () => use({ ...(await active()), tested: true }),
  failed: ({ why }) => rollBack(why),
};

self.addEventListener('install', (event) => {
  self.skipWaiting();
  event.waitUntil(adopt());
});
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
self.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method === 'GET' && request.url.startsWith(ROOT)) event.respondWith(answer(request));
});
self.addEventListener('message', (event) => {
  const [port] = event.ports;
  const { job, ...given } = event.data;
  event.waitUntil(
    Promise.resolve(jobs[job](given)).then(
      (result) => port.postMessage({ result }),
      (error) => port.postMessage({ error: `${error.name}: ${error.message}` }),
    ),
  );
});
