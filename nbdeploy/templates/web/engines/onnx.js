// The model in onnxruntime-web: WebAssembly, one thread (phones with threads or WebGPU hang or crash in places).

import * as ort from './runtime/ort.js';

const BINARY = new URL('./runtime/ort-wasm-simd-threaded.wasm', import.meta.url);

/** Load `model` (bytes); gives a function from uint8 [1, H, W, C] to float32 [classes]. `get` fetches with progress. */
export async function load(model, signature, get) {
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.proxy = false;
  ort.env.wasm.wasmBinary = await get(BINARY);
  const session = await ort.InferenceSession.create(model, { executionProviders: ['wasm'] });
  const { input, output } = signature;
  return async (pixels) => {
    const image = new ort.Tensor('uint8', pixels, input.shape);
    const answers = await session.run({ [input.name]: image });
    return answers[output.name].data;
  };
}
