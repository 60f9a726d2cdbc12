// Offline use and updates, seen from the page: the service worker keeps releases, the page tests them.

import { ROOT } from './model.js';

const PATIENCE_MS = 120000; // a first visit fetches everything that works offline
const TIE = 0.1; // browsers decode a JPEG a shade differently, so an answer that was nearly a tie may change
const DRIFT = 0.05; // mean change of a probability that no decoder explains

/** Whether this browser can keep the page for use without a network. */
export const canKeep = 'serviceWorker' in navigator && window.isSecureContext;

/** Keep the page for offline use; resolves when everything is kept, which after a first visit is at once. */
export async function keep() {
  const registration = await navigator.serviceWorker.register('sw.js', { updateViaCache: 'none' });
  if (registration.active) return;
  const worker = registration.installing ?? registration.waiting;
  await new Promise((resolve, reject) => {
    const look = () => {
      if (worker.state === 'activated') resolve();
      else if (worker.state === 'redundant') reject(new Error('not everything could be fetched'));
    };
    worker.addEventListener('statechange', look);
    look();
  });
}

/** Ask the service worker to do a job. Raises what went wrong there. */
export async function ask(job, given = {}) {
  const { active } = await navigator.serviceWorker.ready;
  return new Promise((resolve, reject) => {
    const { port1, port2 } = new MessageChannel();
    const late = setTimeout(() => reject(new Error('no answer')), PATIENCE_MS);
    port1.onmessage = ({ data }) => {
      clearTimeout(late);
      if (data.error) reject(new Error(data.error));
      else resolve(data.result);
    };
    active.postMessage({ job, ...given }, [port2]);
  });
}

/**
 * Ask the model about the bundle's own samples and compare with what the bundle answered when it was made.
 * Gives {ok, count, same, drift}: how many, how many got the same answer, the mean change of a probability.
 */
export async function selfTest(model) {
  const { samples } = await (await fetch(model.address('samples/expected.json'))).json();
  let [same, off, drift] = [0, 0, 0];
  for (const { file, deployed } of samples) {
    const picture = await (await fetch(new URL(`samples/${encodeURIComponent(file)}`, ROOT))).blob();
    const { label, values } = await model.classify(picture);
    const wanted = Object.values(deployed);
    const expected = Object.keys(deployed)[wanted.indexOf(Math.max(...wanted))];
    const lead = Math.max(...values) - values[model.labels.indexOf(expected)];
    if (label === expected) same += 1;
    if (!(lead <= TIE)) off += 1; // also where it is not a number
    drift += values.reduce((sum, value, i) => sum + Math.abs(value - wanted[i]), 0) / values.length;
  }
  drift /= samples.length;
  return { ok: off === 0 && drift <= DRIFT, count: samples.length, same, drift };
}
