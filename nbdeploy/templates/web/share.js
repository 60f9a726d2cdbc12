// Give an answer and its picture to another app; where the browser cannot, copy the words and offer the picture as a file.

import { percent, toast, top } from './view.js';

/** `canvas` shows the picture that `answer` is about. */
export async function share(answer, canvas, name) {
  const lines = top(answer.probabilities, 3).map(([label, p]) => `${label}: ${percent(p)}`);
  const text = `${lines.join('\n')}\n(${name})`;
  const picture = await new Promise((resolve) => { canvas.toBlob(resolve, 'image/png'); });
  const file = new File([picture], `${answer.label.replace(/[^\p{L}\p{N}]+/gu, '-') || 'picture'}.png`, { type: 'image/png' });
  const whole = { files: [file], text, title: name };
  try {
    if (navigator.canShare?.(whole)) return await navigator.share(whole);
    if (navigator.share) return await navigator.share({ text, title: name });
  } catch (error) {
    if (error.name === 'AbortError') return undefined; // the person changed their mind
  }
  const save = { name: 'Save the picture', run: () => download(file) };
  try {
    await navigator.clipboard.writeText(text);
    toast('The answer was copied.', save);
  } catch {
    toast('This browser does not let a page share or copy.', save);
  }
  return undefined;
}

function download(file) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = file.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
