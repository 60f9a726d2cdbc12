// The page's side of the model: the bundle's manifest, and a worker that answers.

export const ROOT = new URL('../../', import.meta.url); // of the bundle

async function sha256(text) {
  if (!window.isSecureContext) return ''; // without HTTPS there is no crypto, and nothing is kept either
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The bundle's model. `open` reads the manifest, `load` starts the worker, `classify` asks it. */
export class Model {
  #worker;
  #waiting = new Map();
  #last = 0;

  static async open() {
    const answer = await fetch(new URL('manifest.json', ROOT), { cache: 'no-cache' });
    if (!answer.ok) throw new Error(`manifest.json: the server says ${answer.status}.`);
    const text = await answer.text();
    return new Model(JSON.parse(text), await sha256(text));
  }

  constructor(manifest, hash) {
    this.manifest = manifest;
    /** Of the manifest: the name of this release. */
    this.hash = hash;
    this.labels = manifest.signature.labels;
    /** Bytes of the model and of what runs it. */
    this.bytes = manifest.files
      .filter(({ path }) => path === manifest.model || path.endsWith('.wasm'))
      .reduce((sum, file, _, all) => sum + file.bytes / (file.path.endsWith('.wasm') ? all.length - 1 : 1), 0);
  }

  /** The address of a file of the bundle, with its hash, so that what a browser keeps is never an older one. */
  address(path) {
    const file = this.manifest.files.find((one) => one.path === path);
    const url = new URL(path.split('/').map(encodeURIComponent).join('/'), ROOT);
    if (file) url.searchParams.set('sha256', file.sha256);
    return url.href;
  }

  /** Load the model; `progress` is called with the share, 0 to 1, and the bytes so far. */
  async load(progress = () => {}) {
    this.#worker = new Worker(new URL('worker.js', import.meta.url), { type: 'module', name: 'model' });
    this.#worker.addEventListener('message', ({ data }) => {
      if (data.loaded) progress(Math.min(1, data.loaded / this.bytes), data.loaded);
      else this.#settle(data);
    });
    this.#worker.addEventListener('error', (event) => {
      event.preventDefault();
      const error = { name: 'WorkerError', message: event.message || 'The model could not be started in this browser.' };
      for (const id of [...this.#waiting.keys()]) this.#settle({ id, error });
    });
    await this.#ask({ job: 'load', model: this.address(this.manifest.model), signature: this.manifest.signature });
  }

  /** A Blob or an ImageBitmap (which is used up) to {label, probabilities: {label: p}, inference_ms, prepare_ms}. */
  async classify(source) {
    const { values, ...times } = await this.#ask({ job: 'classify', source }, source instanceof Blob ? [] : [source]);
    const best = values.reduce((top, value, i) => (value > values[top] ? i : top), 0);
    const probabilities = Object.fromEntries(this.labels.map((label, i) => [label, values[i]]));
    return { label: this.labels[best], values, probabilities, ...times };
  }

  #ask(message, moved = []) {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, ...message }, moved);
    });
  }

  #settle({ id, result, error }) {
    const { resolve, reject } = this.#waiting.get(id) ?? {};
    this.#waiting.delete(id);
    if (error) reject?.(Object.assign(new Error(error.message), { name: error.name }));
    else resolve?.(result);
  }
}
