/* The cleaner, 3 of 10: rows and thumbnails, asked for in batches when they come into sight, and kept while there is room. */

const PAUSE_MS = 60;
const KEPT = 600;

class Store {
  /** `visible()` gives the places in sight, `arrived(place)` is called when one can be drawn; `queue()` is for reasons. */
  constructor(link, { visible, queue, arrived }) {
    Object.assign(this, { link, visible, queue, arrived, rows: new Map(), urls: new Map(), asked: new Set(), timer: 0 });
  }

  row(place) {
    return this.rows.get(place);
  }

  url(place) {
    return this.urls.get(place);
  }

  /** Ask for what is in sight and not here, once scrolling pauses. */
  want() {
    this.timer ||= setTimeout(() => {
      this.timer = 0;
      const places = this.visible().filter((place) => !this.#has(place) && !this.asked.has(place));
      if (places.length) this.need(places);
    }, PAUSE_MS);
  }

  /** Take rows, and a picture for each; an empty one is a file that cannot be shown. */
  take(rows, buffers) {
    rows.forEach((row, index) => {
      this.rows.delete(row.i);
      this.rows.set(row.i, row);
      this.#forget(row.i);
      if (buffers[index]?.byteLength) this.urls.set(row.i, URL.createObjectURL(new Blob([buffers[index]])));
      this.arrived(row.i);
    });
    for (const place of this.rows.keys()) {
      if (this.rows.size <= KEPT) break;
      this.rows.delete(place);
      this.#forget(place);
    }
  }

  /** Take what a decision changed; gives the places. */
  change(rows) {
    for (const row of rows) {
      const known = this.rows.get(row.i);
      if (!known) continue;
      Object.assign(known, row);
    }
    this.want();
    return rows.map((row) => row.i);
  }

  /** Forget all rows: in another queue other reasons stand first. Pictures stay. */
  clearRows() {
    this.rows.clear();
    this.asked.clear();
  }

  close() {
    clearTimeout(this.timer);
    for (const url of this.urls.values()) URL.revokeObjectURL(url);
  }

  #has(place) {
    const row = this.rows.get(place);
    return row && (this.urls.has(place) || row.problem);
  }

  #forget(place) {
    if (this.urls.has(place)) URL.revokeObjectURL(this.urls.get(place));
    this.urls.delete(place);
  }

  /** Ask for rows and pictures now; the promise ends when they are here, or the link is gone. */
  async need(ids) {
    for (const place of ids) this.asked.add(place);
    const queue = this.queue();
    try {
      const [message, buffers] = await this.link.ask({ kind: "need", ids, queue });
      if (queue === this.queue()) this.take(message.rows, buffers);
    } catch {
      // The state of the link says it; what is in sight is asked for again when it answers.
    }
    for (const place of ids) this.asked.delete(place);
    this.want();
  }
}
