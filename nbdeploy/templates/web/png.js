// PNG to pixels, so that transparency, 16 bits and palettes come out as Pillow reads them: a canvas multiplies colours
// by their alpha, cuts 16 bits down, and applies the file's gamma.

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }; // colour type -> values a pixel
// Left, top, steps across and down of the seven passes of an interlaced picture.
const ADAM7 = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];

/** Whether these bytes are a PNG that this browser can unpack. */
export function isPng(bytes) {
  return SIGNATURE.every((value, i) => bytes[i] === value) && typeof DecompressionStream === 'function';
}

/** The chunks of a PNG, by name, as views of its bytes; an IDAT is one of several. */
export function chunks(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = {};
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    (found[name] ??= []).push(bytes.subarray(at + 8, at + 8 + length));
    if (name === 'IEND') break;
    at += 12 + length;
  }
  return found;
}

export function sizeOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

/**
 * The picture: {width, height, channels, data}, of 1 to 4 channels. `range` are the two values that become 0 and 255 in
 * a gray picture of 16 bits; without it such values are clipped, as Pillow does.
 */
export async function decodePng(bytes, range) {
  const parts = chunks(bytes);
  const { width, height } = sizeOf(bytes);
  const [depth, kind, , , interlaced] = parts.IHDR[0].subarray(8);
  const channels = CHANNELS[kind];
  const bits = channels * depth;
  const raw = await inflate(parts.IDAT);
  const samples = new Uint16Array(width * height * channels);
  let at = 0;
  for (const [left, top, across, down] of interlaced ? ADAM7 : [[0, 0, 1, 1]]) {
    const wide = Math.ceil((width - left) / across);
    const high = Math.ceil((height - top) / down);
    if (wide <= 0 || high <= 0) continue;
    const line = Math.ceil((wide * bits) / 8);
    const near = Math.max(1, bits >> 3);
    let above = new Uint8Array(line);
    for (let y = 0; y < high; y++) {
      const row = raw.subarray(at + 1, at + 1 + line);
      if (row.length < line) throw new RangeError('The PNG is cut short.');
      unfilter(raw[at], row, above, near);
      for (let i = 0; i < wide * channels; i++) {
        const pixel = (top + y * down) * width + left + Math.floor(i / channels) * across;
        samples[pixel * channels + (i % channels)] = value(row, i, depth);
      }
      at += line + 1;
      above = row;
    }
  }
  return inBytes({ width, height, channels }, samples, { depth, kind, palette: parts.PLTE?.[0], range });
}

function value(row, i, depth) {
  if (depth === 8) return row[i];
  if (depth === 16) return (row[2 * i] << 8) | row[2 * i + 1];
  const bit = i * depth;
  return (row[bit >> 3] >> (8 - depth - (bit & 7))) & ((1 << depth) - 1);
}

function unfilter(filter, row, above, near) {
  for (let i = 0; i < row.length; i++) {
    const left = i >= near ? row[i - near] : 0;
    const up = above[i];
    if (filter === 1) row[i] += left;
    else if (filter === 2) row[i] += up;
    else if (filter === 3) row[i] += (left + up) >> 1;
    else if (filter === 4) row[i] += paeth(left, up, i >= near ? above[i - near] : 0);
  }
}

function paeth(left, up, corner) {
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}

function inBytes({ width, height, channels }, samples, { depth, kind, palette, range }) {
  const data = new Uint8Array(samples.length * (kind === 3 ? 3 : 1));
  if (kind === 3) {
    samples.forEach((index, i) => data.set(palette.subarray(3 * index, 3 * index + 3), 3 * i));
    return { width, height, channels: 3, data };
  }
  const [low, high] = range ?? [0, 255];
  for (let i = 0; i < samples.length; i++) {
    if (depth < 8) data[i] = (samples[i] * 255) / ((1 << depth) - 1);
    else if (depth === 8) data[i] = samples[i];
    // Pillow keeps all 16 bits of gray alone; of colour and of gray with alpha it takes the upper eight.
    else if (kind === 0) data[i] = Math.min(255, Math.max(0, even((samples[i] - low) * (255 / (high - low)))));
    else data[i] = samples[i] >> 8;
  }
  return { width, height, channels, data };
}

/** Round half to even, as numpy does. */
function even(x) {
  const down = Math.floor(x);
  if (x - down !== 0.5) return Math.round(x);
  return down % 2 === 0 ? down : down + 1;
}

async function inflate(parts) {
  const stream = new Blob(parts).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
