// Everything that is stored: shapes as records, each gesture one step of undo.
import { recordOf, rounded, transform } from './shapes.js';

const letters = 'abcdefghijkmnpqrstuvwxyz23456789';

/** A record's id: short, for it travels with each change, and unlikely enough to be anybody else's. */
export const freshId = () => Array.from(crypto.getRandomValues(new Uint8Array(10)), (byte) => letters[byte % 32]).join('');

export class Edits {
  #client;
  #records;
  #onError;
  #onPermanent;

  /**
   * `onError` gets what an edit throws; what was done before it stays. `onPermanent` is called when more was deleted at once
   * than is kept for undo.
   */
  constructor(client, records, { onError, onPermanent }) {
    [this.#client, this.#records, this.#onError, this.#onPermanent] = [client, records, onError, onPermanent];
  }

  /** Whether it is there, drawable or not. */
  has(id) {
    return this.#records.has(id);
  }

  add(shape, id = freshId(), zoom = 1) {
    return this.#step(() => this.#records.set(id, recordOf({ ...shape, points: rounded(shape.points, zoom) }))) && id;
  }

  /** Sets the points alone: colour and width may be somebody else's at this moment. */
  reshape(id, points) {
    return this.#step(() => this.#set(id, { points }));
  }

  /** Moves and scales; `shapes` is `[[id, shape as stored], …]`. With `open`, quick repetitions are one step of undo. */
  transform(shapes, by, zoom, open = false) {
    return this.#step(() => {
      for (const [id, shape] of shapes) {
        const { points, width } = transform(shape, by);
        const fields = { points: rounded(points, zoom) };
        if (width !== shape.width) fields.stroke_width = Number(width.toFixed(2));
        this.#set(id, fields);
      }
    }, open);
  }

  /** Sets color, stroke_width or text. */
  restyle(ids, fields) {
    return this.#step(() => ids.forEach((id) => this.#set(id, fields)));
  }

  remove(ids) {
    const present = ids.filter((id) => this.#records.has(id));
    if (present.length === 0) return true;
    const removed = this.#step(() => {
      for (const id of present) this.#records.delete(id);
    });
    // A step that is too large to be kept takes all older ones with it, so nothing at all is left to undo.
    if (removed && !this.#client.canUndo) this.#onPermanent();
    return removed;
  }

  /** Everything, also what cannot be seen. */
  clear() {
    this.remove(this.#records.ids());
  }

  /** Copies, a little aside, on top. Returns their ids. */
  duplicate(shapes, aside, zoom) {
    const copies = shapes.map(([, shape]) => [freshId(), transform(shape, [1, 1, aside, aside])]);
    this.#step(() => {
      for (const [id, shape] of copies) this.#records.set(id, recordOf({ ...shape, points: rounded(shape.points, zoom) }));
    });
    return copies.map(([id]) => id);
  }

  /** `where` is 'front', 'back', 'forward' or 'backward'; `ids` from the lowest to the highest. */
  reorder(ids, where) {
    return this.#step(() => {
      const order = this.#records.ids();
      const rising = where === 'front' || where === 'forward';
      const moving = new Set(ids);
      // The one that goes first makes way for those behind it.
      const queue = (where === 'front' || where === 'backward' ? [...ids] : [...ids].reverse()).filter((id) => this.#records.has(id));
      for (const id of queue) {
        const from = order.indexOf(id);
        const to = where === 'front' ? order.length - 1 : where === 'back' ? 0 : from + (rising ? 1 : -1);
        const stuck = to < 0 || to >= order.length || to === from || (where.endsWith('ward') && moving.has(order[to]));
        if (stuck) continue;
        this.#records.move(id, rising ? { after: order[to] } : { before: order[to] });
        order.splice(from, 1);
        order.splice(to, 0, id);
      }
    });
  }

  undo() {
    return this.#try(() => this.#client.undo());
  }

  redo() {
    return this.#try(() => this.#client.redo());
  }

  /** Only of what is still there: setting fields of a deleted record would make a new one of them alone. */
  #set(id, fields) {
    if (this.#records.has(id)) this.#records.set(id, fields);
  }

  #step(edit, open = false) {
    return this.#try(() => {
      if (!open) this.#client.checkpoint();
      edit();
      if (!open) this.#client.checkpoint();
      return true;
    });
  }

  #try(edit) {
    try {
      return edit();
    } catch (error) {
      this.#onError(error);
      return false;
    }
  }
}
