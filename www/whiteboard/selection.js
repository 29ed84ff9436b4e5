// What is selected, and its handles. Draws frames and handles in screen pixels, above the drawing.
import { bounds, grow, isUniform, join } from './shapes.js';
import { element } from './scene.js';

const GAP = 6;
const DIRECTIONS = [[-1, -1], [0, -1], [1, -1], [1, 0], [1, 1], [0, 1], [-1, 1], [-1, 0]];
const CURSORS = { '-1,-1': 'nwse', '1,1': 'nwse', '1,-1': 'nesw', '-1,1': 'nesw', '0,-1': 'ns', '0,1': 'ns', '-1,0': 'ew', '1,0': 'ew' };
/** Of a frame narrower than this, the handles in the middle of its sides would hide the corners. */
const ROOM_FOR_MIDDLE = 44;
/** Of many selected shapes, so many have a frame of their own. */
const MOST_FRAMES = 60;

export class Selection {
  #ids = new Set();
  #scene;
  #view;
  #layer;
  #listeners = [];
  #told = '';
  /** A frame being drawn to select what is in it, in board units. */
  marquee;
  /** Frames of others: `{ids, color}`. */
  others = [];
  /** Handles get in the way while something is dragged. */
  busy = false;

  constructor(scene, view, layer) {
    [this.#scene, this.#view, this.#layer] = [scene, view, layer];
    // What was selected may be deleted, and what was selected when it was made is drawn only now.
    scene.onDraw(() => (this.#told === this.ids.join() ? this.draw() : this.#changed()));
    view.onChange(() => this.draw());
  }

  onChange(listener) {
    this.#listeners.push(listener);
  }

  /** Selected ids that can be seen, lowest first. */
  get ids() {
    if (this.#ids.size < 2) return [...this.#ids].filter((id) => this.#scene.stored(id));
    return [...this.#scene.ids()].filter((id) => this.#ids.has(id));
  }

  has(id) {
    return this.#ids.has(id);
  }

  set(ids) {
    this.#ids = new Set(ids);
    this.#changed();
  }

  toggle(id) {
    if (!this.#ids.delete(id)) this.#ids.add(id);
    this.#changed();
  }

  clear() {
    if (this.#ids.size > 0) this.set([]);
  }

  /** The shape is deleted. */
  forget(id) {
    this.#ids.delete(id);
  }

  /** The box around all selected shapes, in board units; undefined if there is none. */
  get box() {
    return this.#around(this.ids);
  }

  /** Handles: `{x, y, cursor, direction}` or, at the ends of a line, `{x, y, cursor, end}`; on the screen. */
  handles(ids = this.ids, box = this.#around(ids)) {
    if (!box) return [];
    const only = ids.length === 1 ? this.#scene.shape(ids[0]) : undefined;
    if (only?.type === 'line') return only.points.map((point, end) => ({ ...this.#view.toScreen(point), end, cursor: 'grab' }));
    const frame = grow(this.#view.boxToScreen(box), GAP);
    const [wide, high] = [frame.right - frame.left, frame.bottom - frame.top];
    const uniform = ids.some((id) => isUniform(this.#scene.stored(id)));
    return DIRECTIONS.filter(([dx, dy]) => {
      if (dx !== 0 && dy !== 0) return true;
      return !uniform && (dx === 0 ? wide : high) >= ROOM_FOR_MIDDLE;
    }).map((direction) => ({
      x: frame.left + (wide * (direction[0] + 1)) / 2,
      y: frame.top + (high * (direction[1] + 1)) / 2,
      direction,
      uniform,
      cursor: `${CURSORS[direction]}-resize`,
    }));
  }

  draw() {
    const parts = [];
    for (const { ids, color } of this.others) {
      const box = this.#around(ids);
      if (box) parts.push(this.#frame(grow(this.#view.boxToScreen(box), GAP - 2), 'theirs', color));
    }
    const { ids } = this;
    const box = this.#around(ids);
    if (ids.length > 1) {
      for (const id of ids.slice(0, MOST_FRAMES)) parts.push(this.#frame(grow(this.#view.boxToScreen(this.#around([id])), 2), 'one'));
    }
    const isLine = ids.length === 1 && this.#scene.stored(ids[0]).type === 'line';
    if (box && !isLine) parts.push(this.#frame(grow(this.#view.boxToScreen(box), GAP), 'frame'));
    if (!this.busy) for (const { x, y } of this.handles(ids, box)) parts.push(element('circle', { cx: x, cy: y, r: 5.5, class: 'handle' }));
    if (this.marquee) parts.push(this.#frame(this.#view.boxToScreen(this.marquee), 'marquee'));
    this.#layer.replaceChildren(...parts);
  }

  #around(ids) {
    const boxes = ids.map((id) => this.#scene.shape(id)).filter(Boolean).map(bounds);
    return boxes.length > 0 ? join(boxes) : undefined;
  }

  #frame({ left, top, right, bottom }, kind, color) {
    const frame = element('rect', { x: left, y: top, width: right - left, height: bottom - top, rx: 3, class: kind });
    if (color) frame.style.stroke = color;
    return frame;
  }

  #changed() {
    this.#told = this.ids.join();
    this.draw();
    for (const listener of this.#listeners) listener();
  }
}
