// From a decoded picture to the bytes that the model takes, by the steps of the bundle's manifest.
// The same rules as app/python/predict.py. A picture is {width, height, channels, data}, a byte a value, row by row.

import { resize } from './resize.js';

/** Raised for a picture that this model cannot take; the message is for people. */
export class PictureError extends Error {
  name = 'PictureError';
}

const STEPS = {
  crop_resize: (picture, step) => fit(picture, step, Math.min(picture.width / step.width, picture.height / step.height)),
  pad_resize: (picture, step) => fit(picture, step, Math.max(picture.width / step.width, picture.height / step.height)),
  squish_resize: (picture, step) => resize(picture, step.width, step.height, step.resample),
  center_crop: (picture, step) => {
    const left = Math.floor((picture.width - step.width) / 2);
    const top = Math.floor((picture.height - step.height) / 2);
    return region(picture, left, top, step.width, step.height, step.pad);
  },
  exact_size: (picture, step) => {
    if (picture.width === step.width && picture.height === step.height) return picture;
    throw new PictureError(
      `The picture is ${picture.width} x ${picture.height}; this model was trained without a resize and takes only ` +
        `${step.width} x ${step.height}.`,
    );
  },
};

/** The picture after `steps`, of the size that the model takes. */
export function preprocess(picture, steps) {
  return steps.reduce((seen, step) => {
    if (!(step.op in STEPS)) throw new PictureError(`This app does not know the step ${step.op}.`);
    return STEPS[step.op](seen, step);
  }, picture);
}

function fit(picture, step, scale) {
  // The region keeps the wanted shape; trunc cuts towards zero, also for the negative corner of a padded region.
  const width = Math.trunc(scale * step.width);
  const height = Math.trunc(scale * step.height);
  const left = Math.trunc(0.5 * (picture.width - width));
  const top = Math.trunc(0.5 * (picture.height - height));
  return resize(region(picture, left, top, width, height, step.pad), step.width, step.height, step.resample);
}

const PADS = {
  zeros: () => -1,
  border: (at, size) => Math.min(Math.max(at, 0), size - 1),
  reflection: (at, size) => {
    if (size === 1) return 0;
    const period = 2 * (size - 1);
    const within = ((at % period) + period) % period;
    return within < size ? within : period - within;
  },
};

/** The rectangle of that corner and size; what lies outside the picture is padded. */
export function region({ width: wide, height: high, channels, data }, left, top, width, height, pad) {
  const out = new Uint8Array(width * height * channels);
  const inside = (at, size) => (at >= 0 && at < size ? at : PADS[pad](at, size));
  const columns = Array.from({ length: width }, (_, x) => inside(left + x, wide));
  const whole = left >= 0 && left + width <= wide;
  for (let y = 0; y < height; y++) {
    const row = inside(top + y, high);
    if (row < 0) continue;
    let p = y * width * channels;
    if (whole) {
      const from = (row * wide + left) * channels;
      out.set(data.subarray(from, from + width * channels), p);
      continue;
    }
    for (const column of columns) {
      for (let channel = 0; channel < channels; channel++, p++) {
        if (column >= 0) out[p] = data[(row * wide + column) * channels + channel];
      }
    }
  }
  return { width, height, channels, data: out };
}

/** RGB or RGBA bytes as the model's own number of channels: alpha is dropped, gray is Pillow's weighing of RGB. */
export function coloured({ width, height, channels: from, data }, channels) {
  if (from === channels) return { width, height, channels, data };
  const count = width * height;
  const out = new Uint8Array(count * channels);
  for (let i = 0, p = 0, q = 0; i < count; i++, q += from) {
    if (from < 3) { // gray, with or without alpha
      for (let channel = 0; channel < channels; channel++) out[p++] = data[q];
    } else if (channels === 1) {
      out[p++] = (data[q] * 19595 + data[q + 1] * 38470 + data[q + 2] * 7471 + 0x8000) >> 16;
    } else {
      out[p++] = data[q];
      out[p++] = data[q + 1];
      out[p++] = data[q + 2];
    }
  }
  return { width, height, channels, data: out };
}

/** Turn or mirror as an EXIF orientation (1 to 8) says. */
export function upright(picture, orientation) {
  const { width, height, channels, data } = picture;
  if (!(orientation >= 2 && orientation <= 8)) return picture;
  const swapped = orientation >= 5;
  const wide = swapped ? height : width;
  const high = swapped ? width : height;
  const out = new Uint8Array(data.length);
  for (let y = 0, p = 0; y < high; y++) {
    for (let x = 0; x < wide; x++) {
      let [u, v] = swapped ? [y, x] : [x, y];
      if ([2, 3, 7, 8].includes(orientation)) u = width - 1 - u;
      if ([3, 4, 6, 7].includes(orientation)) v = height - 1 - v;
      const q = (v * width + u) * channels;
      for (let channel = 0; channel < channels; channel++) out[p++] = data[q + channel];
    }
  }
  return { width: wide, height: high, channels, data: out };
}
