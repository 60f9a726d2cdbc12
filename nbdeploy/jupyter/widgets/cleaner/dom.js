/* The cleaner, 1 of 10: words and numbers. */

/** Put other children in; nothing is touched where the text is the same already. */
function fill(element, ...children) {
  if (children.length === 1 && typeof children[0] === "string") {
    if (element.textContent !== children[0]) element.textContent = children[0];
  } else {
    element.replaceChildren(...children.filter((child) => child != null && child !== false));
  }
}

const key = (text) => h("kbd", {}, text);
const many = (number, noun, plural = `${noun}s`) => `${whole(number)} ${number === 1 ? noun : plural}`;

/** A probability as people read it; what rounds to certainty is said to be near it. */
function chance(share) {
  if (share >= 0.9995) return "> 99.9 %";
  return share < 0.0005 ? "< 0.1 %" : `${(100 * share).toFixed(share >= 0.995 || share < 0.1 ? 1 : 0)} %`;
}

/** A message's buffer, or one of a trait, as an array of `Kind`. It may lie at any offset, so it is copied. */
function numbers(buffer, Kind) {
  const { buffer: all, byteOffset, byteLength } = ArrayBuffer.isView(buffer) ? buffer : new DataView(buffer);
  return new Kind(all.slice(byteOffset, byteOffset + byteLength));
}

const OPEN = 128; // the bit that says that something is still to be decided in this queue
const stateOf = (flags) => flags & (OPEN - 1);
const isOpen = (flags) => (flags & OPEN) !== 0;
const STATUS = [
  { sign: "", word: "undecided", css: "open" },
  { sign: "✓", word: "kept", css: "kept" },
  { sign: "✕", word: "excluded", css: "excluded" },
  { sign: "→", word: "relabelled", css: "relabelled" },
  { sign: "↻", word: "turned", css: "turned" },
  { sign: "≡", word: "merged", css: "merged" },
];

/** What became of a picture: a shape and a word, never a colour alone. */
function verdict(row) {
  const { sign, word } = STATUS[stateOf(row.status)];
  return stateOf(row.status) === 3 ? `${sign} ${row.label}` : `${sign} ${word}`;
}

const SPLITS = { train: "train", valid: "held out" };
const KIND = (kind) => kind.replaceAll("_", " ");
