// The model's own thread: loads it, turns pictures into its input, asks it. Knows nothing of the page.

import { load } from './engine.js';
import { decode, drawn } from './decode.js';
import { coloured, preprocess } from './preprocess.js';

let ready = null; // a promise of {run, signature}

/** Fetch bytes, telling `note` how many more have come. */
async function fetched(url, note) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${new URL(url).pathname}: the server says ${answer.status}.`);
  if (!answer.body) return new Uint8Array(await answer.arrayBuffer());
  const parts = [];
  for (const reader = answer.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    note(value.length);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

async function begin({ model, signature }) {
  let loaded = 0;
  const note = (count) => postMessage({ loaded: (loaded += count) });
  const run = await load(await fetched(model, note), signature, (url) => fetched(url, note));
  const { input } = signature;
  await run(new Uint8Array(input.shape.reduce((a, b) => a * b))); // the first run prepares memory
  return { run, signature };
}

/** A file (Blob) or a frame (ImageBitmap) to {values, inference_ms, prepare_ms}; `values` in the order of the labels. */
async function classify({ source }) {
  const { run, signature } = await ready;
  const start = performance.now();
  const { host, input } = signature;
  const picture = source instanceof Blob
    ? await decode(source, host, input.channels)
    : coloured(await drawn(source), input.channels);
  const pixels = preprocess(picture, host.steps).data;
  const prepared = performance.now();
  const values = Array.from(await run(pixels));
  return { values, inference_ms: performance.now() - prepared, prepare_ms: prepared - start };
}

const jobs = {
  load: async (job) => {
    ready = begin(job);
    await ready;
  },
  classify,
};

addEventListener('message', async ({ data: { id, job, ...given } }) => {
  try {
    postMessage({ id, result: await jobs[job](given) });
  } catch (error) {
    postMessage({ id, error: { name: error.name, message: error.message } });
  }
});
