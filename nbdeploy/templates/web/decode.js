// A file to pixels, the same in every browser: what a file says of orientation and colour profiles is taken out before
// the browser decodes it, since browsers heed it differently; the orientation is applied here, when the signature says so.

import { chunks, decodePng, isPng, sizeOf } from './png.js';
import { coloured, PictureError, upright } from './preprocess.js';

const MAX_PIXELS = 178956970; // a picture above this is refused before it is decoded, as app/python/predict.py does
const STRIP = 4194304; // pixels that are read off a canvas at once: phones limit a canvas to 16 million

/** A Blob as {width, height, channels, data}. `host` is the manifest's own. Raises PictureError. */
export async function decode(blob, host, channels) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  try {
    const { plain, orientation } = inspect(bytes);
    const picture = isPng(bytes)
      ? await decodePng(bytes, host.ranges?.integers)
      : await drawn(await createImageBitmap(new Blob([plain], { type: blob.type }), AS_STORED));
    return upright(coloured(picture, channels), host.exif ? orientation : 1);
  } catch (error) {
    if (error instanceof PictureError) throw error;
    throw new PictureError(`This file cannot be read as a picture (${error.message || error.name}).`);
  }
}

const AS_STORED = { imageOrientation: 'none', premultiplyAlpha: 'none', colorSpaceConversion: 'none' };

/** The pixels of an ImageBitmap or a video frame, RGBA; the bitmap is closed. */
export async function drawn(bitmap) {
  const { width, height } = bitmap;
  check(width, height);
  const rows = Math.max(1, Math.min(height, Math.floor(STRIP / width)));
  const canvas = new OffscreenCanvas(width, rows);
  const ink = canvas.getContext('2d', { willReadFrequently: true, colorSpace: 'srgb' });
  ink.imageSmoothingEnabled = false;
  const data = new Uint8Array(width * height * 4);
  for (let top = 0; top < height; top += rows) {
    const count = Math.min(rows, height - top);
    ink.clearRect(0, 0, width, rows);
    ink.drawImage(bitmap, 0, top, width, count, 0, 0, width, count);
    data.set(ink.getImageData(0, 0, width, count).data, top * width * 4);
  }
  bitmap.close();
  return { width, height, channels: 4, data };
}

function check(width, height) {
  if (width * height > MAX_PIXELS) throw new PictureError(`The picture has ${width} x ${height} pixels: too many.`);
}

/** {plain, orientation}: the bytes without EXIF, XMP and colour profiles, and the EXIF orientation (1 where none). */
export function inspect(bytes) {
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return jpeg(bytes);
  if (isPng(bytes)) {
    const { width, height } = sizeOf(bytes);
    check(width, height);
    const exif = chunks(bytes).eXIf?.[0];
    return { plain: bytes, orientation: exif ? orientationOf(exif) : 1 };
  }
  if (text(bytes, 0, 4) === 'RIFF' && text(bytes, 8, 4) === 'WEBP') return webp(bytes);
  return { plain: bytes, orientation: 1 };
}

const text = (bytes, at, length) => String.fromCharCode(...bytes.subarray(at, at + length));

function jpeg(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kept = [bytes.subarray(0, 2)];
  let orientation = 0;
  let at = 2;
  while (at + 4 <= bytes.length && bytes[at] === 0xff) {
    const marker = bytes[at + 1];
    if (marker === 0xff) { // padding
      at += 1;
      continue;
    }
    if (marker === 0xda) break; // the picture itself
    const end = at + 2 + view.getUint16(at + 2);
    const frame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (frame) check(view.getUint16(at + 7), view.getUint16(at + 5));
    if (marker === 0xe1 && text(bytes, at + 4, 6) === 'Exif\0\0') {
      orientation ||= orientationOf(bytes.subarray(at + 10, end));
    }
    if (marker !== 0xe1 && marker !== 0xe2) kept.push(bytes.subarray(at, end)); // EXIF and XMP; ICC
    at = end;
  }
  kept.push(bytes.subarray(at));
  return { plain: joined(kept), orientation: orientation || 1 };
}

function webp(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kept = [];
  let orientation = 1;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const name = text(bytes, at, 4);
    const size = view.getUint32(at + 4, true);
    const end = at + 8 + size + (size & 1);
    const part = bytes.slice(at, end);
    if (name === 'VP8X') part[8] &= ~0x2c; // says no more that a profile, EXIF and XMP follow
    if (name === 'EXIF') {
      const inside = bytes.subarray(at + 8, at + 8 + size);
      orientation = orientationOf(text(inside, 0, 4) === 'Exif' ? inside.subarray(6) : inside);
    }
    if (!['EXIF', 'XMP ', 'ICCP'].includes(name)) kept.push(part);
    at = end;
  }
  const plain = joined([bytes.slice(0, 12), ...kept]);
  new DataView(plain.buffer).setUint32(4, plain.length - 8, true);
  return { plain, orientation };
}

/** The orientation (1 to 8) in a block of EXIF, which is a small TIFF file; 1 where it has none or is broken. */
function orientationOf(tiff) {
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  try {
    const little = text(tiff, 0, 2) === 'II';
    const first = view.getUint32(4, little);
    const entries = view.getUint16(first, little);
    for (let i = 0, at = first + 2; i < entries; i++, at += 12) {
      if (view.getUint16(at, little) === 0x0112) {
        const found = view.getUint16(at + 8, little);
        return found >= 1 && found <= 8 ? found : 1;
      }
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // a block that is cut short says nothing
  }
  return 1;
}

function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
