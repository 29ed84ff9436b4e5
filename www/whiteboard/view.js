// What part of the endless board is seen: position and zoom. Turns screen pixels into board units and back.
import { grow } from './shapes.js';

const ZOOM = { least: 0.1, most: 8 };
const MARGIN = 40;

export class View {
  /** Board units at the top left corner of the element. */
  x = 0;
  y = 0;
  zoom = 1;
  #element;
  #listeners = [];

  constructor(element) {
    this.#element = element;
    new ResizeObserver(() => this.#changed()).observe(element);
  }

  onChange(listener) {
    this.#listeners.push(listener);
  }

  get width() {
    return this.#element.clientWidth;
  }

  get height() {
    return this.#element.clientHeight;
  }

  /** Where a pointer event is on the board. What is drawn begins within the element's border. */
  toBoard({ clientX, clientY }) {
    const { left, top } = this.#element.getBoundingClientRect();
    const { clientLeft, clientTop } = this.#element;
    return { x: this.x + (clientX - left - clientLeft) / this.zoom, y: this.y + (clientY - top - clientTop) / this.zoom };
  }

  toScreen({ x, y }) {
    return { x: (x - this.x) * this.zoom, y: (y - this.y) * this.zoom };
  }

  boxToScreen({ left, top, right, bottom }) {
    const [a, b] = [this.toScreen({ x: left, y: top }), this.toScreen({ x: right, y: bottom })];
    return { left: a.x, top: a.y, right: b.x, bottom: b.y };
  }

  get centre() {
    return { x: this.x + this.width / 2 / this.zoom, y: this.y + this.height / 2 / this.zoom };
  }

  /** Moves the board by screen pixels. */
  pan(dx, dy) {
    this.#set(this.x - dx / this.zoom, this.y - dy / this.zoom, this.zoom);
  }

  /** Zooms by `factor`; the board's point `at` stays where it is. */
  zoomBy(factor, at = this.centre) {
    const zoom = Math.min(ZOOM.most, Math.max(ZOOM.least, this.zoom * factor));
    const kept = this.zoom / zoom;
    this.#set(at.x - (at.x - this.x) * kept, at.y - (at.y - this.y) * kept, zoom);
  }

  /** Shows all of `box`, never enlarged; without one, the beginning. */
  show(box) {
    if (!box) {
      this.#set(0, 0, 1);
      return;
    }
    const { left, top, right, bottom } = grow(box, MARGIN);
    const fitting = Math.min(this.width / (right - left), this.height / (bottom - top), 1);
    const zoom = Math.max(ZOOM.least, fitting);
    this.#set((left + right) / 2 - this.width / 2 / zoom, (top + bottom) / 2 - this.height / 2 / zoom, zoom);
  }

  #set(x, y, zoom) {
    [this.x, this.y, this.zoom] = [x, y, zoom];
    this.#changed();
  }

  #changed() {
    for (const listener of this.#listeners) listener();
  }
}
