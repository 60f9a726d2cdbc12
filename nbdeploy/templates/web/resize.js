// The resize that every nbdeploy app shares: antialiased, in whole numbers, the same pixels as Pillow's.
// docs/resize.md of nbdeploy says it in words. A picture is {width, height, channels, data}, a byte a value, row by row.

const BITS = 22; // of a weight's fraction: 255 times the sum of the weights still fits in 31 bits

const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

/** name -> [how far it reaches, the weight at a distance]; both for a picture that is not made smaller */
const FILTERS = {
  box: [0.5, (x) => (x > -0.5 && x <= 0.5 ? 1 : 0)],
  bilinear: [1, (x) => Math.max(0, 1 - Math.abs(x))],
  hamming: [1, (x) => (Math.abs(x) < 1 ? sinc(x) * (0.54 + 0.46 * Math.cos(Math.PI * x)) : 0)],
  bicubic: [2, (x) => cubic(Math.abs(x))],
  lanczos: [3, (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0)],
};

function cubic(x) {
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? -0.5 * (((x - 5) * x + 8) * x - 4) : 0;
}

/**
 * For each of `to` places on a line of `from` values: where its window begins, how long it is, and its weights.
 * The weights of one window stand at [place * widest ...] and sum to about 2 ** BITS.
 */
export function windows(from, to, filter) {
  const [reach, weight] = FILTERS[filter];
  const scale = from / to;
  const stretch = Math.max(scale, 1); // making smaller widens the filter: that is the antialiasing
  const support = reach * stretch;
  const widest = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(to);
  const length = new Int32Array(to);
  const weights = new Int32Array(to * widest);
  const exact = new Float64Array(widest);
  for (let place = 0; place < to; place++) {
    const centre = (place + 0.5) * scale;
    const begin = Math.max(0, Math.trunc(centre - support + 0.5));
    const count = Math.min(from, Math.trunc(centre + support + 0.5)) - begin;
    let sum = 0;
    for (let i = 0; i < count; i++) {
      exact[i] = weight((i + begin - centre + 0.5) * (1 / stretch));
      sum += exact[i];
    }
    for (let i = 0; i < count; i++) {
      const share = (sum === 0 ? exact[i] : exact[i] / sum) * 2 ** BITS;
      weights[place * widest + i] = Math.trunc(share < 0 ? share - 0.5 : share + 0.5);
    }
    first[place] = begin;
    length[place] = count;
  }
  return { first, length, weights, widest };
}

/** Shrink or stretch one axis. `step` is how far neighbours on that axis lie apart in `source`, `line` how far lines do. */
function pass(source, target, { from, to, filter, lines, channels, step, line, stepOut, lineOut }) {
  const { first, length, weights, widest } = windows(from, to, filter);
  for (let row = 0; row < lines; row++) {
    for (let place = 0; place < to; place++) {
      const begin = row * line + first[place] * step;
      const at = place * widest;
      const out = row * lineOut + place * stepOut;
      for (let channel = 0; channel < channels; channel++) {
        let sum = 1 << (BITS - 1); // a half, so that cutting off the fraction rounds
        for (let i = 0, p = begin + channel; i < length[place]; i++, p += step) sum += source[p] * weights[at + i];
        const value = sum >> BITS;
        target[out + channel] = value < 0 ? 0 : value > 255 ? 255 : value;
      }
    }
  }
}

/**
 * `picture` as width x height: one axis, rounded to bytes, then the other; an axis that keeps its size is left. Columns
 * come first, but where more than twice as many rows go as columns.
 */
export function resize(picture, width, height, filter) {
  if (filter === 'nearest') return nearest(picture, width, height);
  if (!(filter in FILTERS)) throw new Error(`There is no resize called ${filter}.`);
  const lostRows = picture.height - height;
  const lostColumns = picture.width - width;
  const across = (from) => columns(from, width, filter);
  const down = (from) => rows(from, height, filter);
  return lostRows > 0 && lostRows > 2 * lostColumns ? across(down(picture)) : down(across(picture));
}

function columns(picture, width, filter) {
  const { height, channels, data } = picture;
  if (width === picture.width) return picture;
  const out = new Uint8Array(width * height * channels);
  pass(data, out, {
    from: picture.width, to: width, filter, lines: height, channels,
    step: channels, line: picture.width * channels, stepOut: channels, lineOut: width * channels,
  });
  return { width, height, channels, data: out };
}

function rows(picture, height, filter) {
  const { width, channels, data } = picture;
  if (height === picture.height) return picture;
  const out = new Uint8Array(width * height * channels);
  pass(data, out, {
    from: picture.height, to: height, filter, lines: width, channels,
    step: width * channels, line: channels, stepOut: width * channels, lineOut: channels,
  });
  return { width, height, channels, data: out };
}

/** The pixel under each place's centre. The positions are summed up, not multiplied: the last bits count at the edges. */
function nearest({ width: wide, height: high, channels, data }, width, height) {
  const places = (from, to) => {
    const found = new Int32Array(to);
    for (let i = 0, at = (from / to) * 0.5; i < to; i++, at += from / to) found[i] = Math.min(from - 1, Math.trunc(at));
    return found;
  };
  const columns = places(wide, width);
  const rows = places(high, height);
  const out = new Uint8Array(width * height * channels);
  let p = 0;
  for (const row of rows) {
    for (const column of columns) {
      const q = (row * wide + column) * channels;
      for (let channel = 0; channel < channels; channel++) out[p++] = data[q + channel];
    }
  }
  return { width, height, channels, data: out };
}
