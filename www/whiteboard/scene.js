// The drawing: one SVG element per record, in the order of the collection, and what is going on with it before it is
// stored (moves, own and others'). Elements are touched once a frame, and only those that changed.
import { visible } from './colors.js';
import { bounds, FONT, fontSize, LINE_HEIGHT, linesOf, pathOf, readShape, transform } from './shapes.js';

const SVG = 'http://www.w3.org/2000/svg';

export const element = (name, attributes = {}) => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};

/** A preview is `{by: [sx, sy, tx, ty]}`, `{shape}`, `{faded: true}` or `{hidden: true}`. */
export class Scene {
  #layer;
  #ghostLayer;
  #entries = new Map();
  /** By id: what this tab is doing with it, and what others are. */
  #own = new Map();
  #others = new Map();
  /** Shapes that are not stored yet, by any key. */
  #ghosts = new Map();
  #dirty = new Set();
  #frame = 0;
  #listeners = [];
  /** How many can be seen. */
  count = 0;

  constructor(layer, ghostLayer) {
    this.#layer = layer;
    this.#ghostLayer = ghostLayer;
  }

  /** `listener` is called once a frame in which something changed. */
  onDraw(listener) {
    this.#listeners.push(listener);
  }

  // ---- records ----

  /** All records, in order; whatever was there is forgotten. */
  load(records) {
    this.#entries.clear();
    this.count = 0;
    const fragment = document.createDocumentFragment();
    for (const record of records) fragment.append(this.#add(record.id, record).element);
    this.#layer.replaceChildren(fragment);
    this.#draw();
  }

  insert(id, record, before) {
    this.delete(id);
    const entry = this.#add(id, record);
    this.#layer.insertBefore(entry.element, this.#entries.get(before)?.element ?? null);
    this.touch(id);
  }

  update(id, record) {
    const entry = this.#entries.get(id);
    if (!entry) return;
    this.#count(entry, -1);
    entry.shape = readShape(record);
    this.#count(entry, 1);
    this.touch(id);
  }

  move(id, before) {
    const moved = this.#entries.get(id);
    if (moved) this.#layer.insertBefore(moved.element, this.#entries.get(before)?.element ?? null);
    this.touch(id);
  }

  delete(id) {
    const entry = this.#entries.get(id);
    if (!entry) return;
    this.#count(entry, -1);
    entry.element.remove();
    this.#entries.delete(id);
    this.#own.delete(id);
    this.#schedule();
  }

  has(id) {
    return this.#entries.has(id);
  }

  /** The shape as stored. */
  stored(id) {
    return this.#entries.get(id)?.shape;
  }

  /** The shape as it is seen now, undefined for what cannot be drawn. */
  shape(id) {
    const entry = this.#entries.get(id);
    return entry && this.#seen(entry);
  }

  /** Ids of everything that can be seen, lowest first. */
  *ids() {
    for (const child of this.#layer.children) if (child.shapeEntry.shape) yield child.shapeEntry.id;
  }

  /** The same, highest first. */
  *idsFromTop() {
    for (let child = this.#layer.lastElementChild; child; child = child.previousElementSibling) {
      if (child.shapeEntry.shape) yield child.shapeEntry.id;
    }
  }

  // ---- what is not stored ----

  preview(id, preview) {
    if (preview) this.#own.set(id, preview);
    else this.#own.delete(id);
    this.touch(id);
  }

  previewOfOthers(id, preview) {
    if (preview) this.#others.set(id, preview);
    else this.#others.delete(id);
    this.touch(id);
  }

  /** Draws `shape` above all others until it is taken away with undefined. */
  ghost(key, shape) {
    const known = this.#ghosts.get(key);
    if (!shape && !known) return;
    if (!shape) {
      known.element.remove();
      this.#ghosts.delete(key);
    } else if (known) {
      known.shape = shape;
    } else {
      const entry = { id: key, shape, element: element('g') };
      this.#ghosts.set(key, entry);
      this.#ghostLayer.append(entry.element);
    }
    this.touch(key);
  }

  touch(id) {
    this.#dirty.add(id);
    this.#schedule();
  }

  /** Draws everything anew: the colours of the page have changed. */
  repaint() {
    for (const entry of [...this.#entries.values(), ...this.#ghosts.values()]) {
      entry.drawn = undefined;
      this.touch(entry.id);
    }
  }

  // ---- drawing ----

  #add(id, record) {
    const entry = { id, shape: readShape(record), element: element('g'), drawn: undefined };
    entry.element.shapeEntry = entry;
    entry.element.dataset.id = id;
    this.#entries.set(id, entry);
    this.#count(entry, 1);
    this.#dirty.add(id);
    return entry;
  }

  #count(entry, by) {
    if (entry.shape) this.count += by;
  }

  #schedule() {
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const dirty = [...this.#dirty];
    this.#dirty.clear();
    for (const id of dirty) {
      const entry = this.#entries.get(id);
      if (entry) this.#paint(entry, this.#own.get(id) ?? this.#others.get(id));
      const ghost = this.#ghosts.get(id);
      if (ghost) this.#paint(ghost);
    }
    for (const listener of this.#listeners) listener();
  }

  #seen(entry) {
    const preview = this.#own.get(entry.id) ?? this.#others.get(entry.id);
    if (!entry.shape || !preview) return entry.shape;
    if (!preview.by) return preview.shape ?? entry.shape;
    // Asked for several times a frame, and a stroke has many points.
    const { seen } = entry;
    if (seen?.of !== entry.shape || seen.preview !== preview) {
      entry.seen = { of: entry.shape, preview, shape: transform(entry.shape, preview.by) };
    }
    return entry.seen.shape;
  }

  #paint(entry, preview) {
    const { element: group, shape: stored } = entry;
    const [sx, sy, tx, ty] = preview?.by ?? [1, 1, 0, 0];
    // What is only moved keeps its path; a stroke of many points is then as cheap as a line.
    const shifted = sx === 1 && sy === 1;
    const shape = shifted ? stored && (preview?.shape ?? stored) : this.#seen(entry);
    if (entry.drawn !== shape) {
      group.replaceChildren(...(shape ? [draw(shape)] : []));
      group.dataset.type = shape?.type ?? '';
      entry.drawn = shape;
    }
    if (shifted && (tx !== 0 || ty !== 0)) group.setAttribute('transform', `translate(${tx} ${ty})`);
    else group.removeAttribute('transform');
    const look = preview?.faded ? 'faded' : preview?.hidden ? 'gone' : '';
    if (group.className.baseVal !== look) group.className.baseVal = look;
  }
}

function draw(shape) {
  const color = visible(shape.color);
  if (shape.type !== 'text') return element('path', { d: pathOf(shape), stroke: color, 'stroke-width': shape.width });
  const size = fontSize(shape.width);
  const { left, top } = bounds(shape);
  const text = element('text', { fill: color, 'font-size': size, 'font-family': FONT });
  for (const [index, line] of linesOf(shape.text).entries()) {
    const span = element('tspan', { x: left, y: top + baseline(size, index) });
    span.textContent = line;
    text.append(span);
  }
  return text;
}

/** How far below the top of a text the baseline of its line `index` is. */
export const baseline = (size, index) => size * (LINE_HEIGHT * index + LINE_HEIGHT / 2 + 0.35);
