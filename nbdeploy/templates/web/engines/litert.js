// The model in LiteRT.js, its answer as a TensorFlow.js tensor: WebAssembly, one thread.

import { Tensor, loadAndCompile, loadLiteRt, supportsFeature } from './runtime/litert.js';
import { litertToTfjs } from './runtime/tfjs-interop.js';
import * as tf from './runtime/tf-core.js';
import './runtime/tf-backend-cpu.js';

/** Load `model` (bytes); gives a function from uint8 [1, H, W, C] to float32 [classes]. `get` fetches with progress. */
export async function load(model, signature, get) {
  await tf.setBackend('cpu'); // only holds the tensors: the arithmetic is LiteRT's
  // Safari and older engines lack relaxed SIMD; the second build does without.
  const build = (await supportsFeature('relaxedSimd')) ? 'litert_wasm_internal' : 'litert_wasm_compat_internal';
  // LiteRT loads its own script with importScripts, which a module worker refuses: give it what the script would leave.
  const script = new URL(`./runtime/${build}.js`, import.meta.url);
  self.ModuleFactory = (await import(script)).default;
  const wasmBinary = await get(new URL(`./runtime/${build}.wasm`, import.meta.url));
  self.Module = { wasmBinary, print: console.debug, printErr: console.debug }; // it tells a lot that is no error
  self.importScripts = () => undefined;
  // It would ask for a WebGPU device even to run on the processor, and that crashes some phones.
  Object.defineProperty(navigator, 'gpu', { value: undefined });
  await loadLiteRt(script.href);
  const compiled = await loadAndCompile(new Uint8Array(model), { accelerator: 'wasm' });
  const { input, output } = signature;
  return async (pixels) => {
    const image = new Tensor(pixels, input.shape); // uint8, which TensorFlow.js has no type for
    const answers = await compiled.run({ [input.name]: image });
    const probabilities = litertToTfjs(answers[output.name]);
    const values = await probabilities.data();
    for (const tensor of [image, answers[output.name]]) tensor.delete();
    probabilities.dispose();
    return values;
  };
}
