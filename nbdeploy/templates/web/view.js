// What the page shows: elements by name, answers as bars, the cover over the picture, a line at the bottom.

const SHOWN = 5;
const WIDTHS = ['62%', '44%', '52%', '36%', '48%']; // of the rows before there is an answer

/** Every element with an id, by that id. */
export const $ = Object.fromEntries([...document.querySelectorAll('[id]')].map((element) => [element.id, element]));

function element(tag, css, text = '') {
  const made = document.createElement(tag);
  if (css) made.className = css;
  made.textContent = text;
  return made;
}

/** A share as people read it; a probability that is not quite 0 or 1 is not shown as if it were. */
export function percent(p) {
  if (!Number.isFinite(p)) return '–';
  if (p > 0 && p < 0.001) return '< 0.1 %';
  if (p < 1 && p > 0.999) return '> 99.9 %';
  return `${(100 * p).toFixed(1)} %`;
}

/** The likeliest labels with their probabilities. */
export function top(probabilities, most = SHOWN) {
  return Object.entries(probabilities).sort(([, a], [, b]) => b - a).slice(0, most);
}

/** Bars for the likeliest labels; `null` shows as many empty rows. Rows are kept, so that a bar moves and does not jump. */
export function showAnswers(answer, labels) {
  const count = Math.min(SHOWN, labels.length);
  while ($.answers.children.length < count) {
    const row = element('li', 'empty');
    const track = element('div', 'track');
    track.append(element('i'));
    row.append(element('span', 'label'), element('span', 'share'), track);
    $.answers.append(row);
  }
  const rows = answer ? top(answer.probabilities, count) : [];
  [...$.answers.children].forEach((row, i) => {
    const [label, p] = rows[i] ?? ['', 0];
    const [name, share, track] = row.children;
    row.classList.toggle('empty', !answer);
    row.style.setProperty('--wide', WIDTHS[i]);
    name.textContent = name.title = label;
    share.textContent = answer ? percent(p) : '';
    track.firstChild.style.transform = `scaleX(${Number.isFinite(p) ? p : 0})`;
  });
}

/** Cover the picture with a message; `null` uncovers it. `progress` is 0 to 1, `code` the name of an error. */
export function cover(message) {
  $.cover.hidden = message === null;
  if (message === null) return;
  const { title, text, progress = null, code = '', start = '', choose = false } = message;
  $['cover-title'].textContent = title;
  $['cover-text'].textContent = text;
  $.progress.hidden = progress === null;
  $.progress.value = progress ?? 0;
  $['cover-code'].hidden = !code;
  $['cover-code'].textContent = code;
  $['cover-actions'].hidden = !start && !choose;
  $.start.hidden = !start;
  $.start.textContent = start;
  $['choose-here'].hidden = !choose;
  $['choose-here'].classList.toggle('primary', !start);
}

/** How it stands with the network: `kind` is kept, offline, warned or nothing. */
export function standing(kind, text) {
  $.standing.dataset.kind = kind;
  $.standing.textContent = text;
}

let leaving;

/** A line at the bottom, for a while; longer where there is something to press; until that, where the action `stays`. */
export function toast(text, action = null) {
  clearTimeout(leaving);
  $.toast.hidden = false;
  $['toast-text'].textContent = text;
  $['toast-action'].hidden = !action;
  if (action) {
    $['toast-action'].textContent = action.name;
    $['toast-action'].onclick = () => {
      $.toast.hidden = true;
      action.run();
    };
  }
  if (!action?.stays) leaving = setTimeout(() => { $.toast.hidden = true; }, action ? 15000 : 6000);
}

/** Fill the list of facts about the model. */
export function facts(rows) {
  $.facts.replaceChildren(...rows.flatMap(([name, value]) => [element('dt', '', name), element('dd', '', value)]));
}
