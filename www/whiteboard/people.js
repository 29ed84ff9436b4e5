// Who else is here: cursors with names, what they have selected, and what they are doing before it is stored. All of it
// comes from presence, which anybody can send anything in: nothing is used that was not looked at.
import { onColor, PEOPLE } from './colors.js';
import { readColor, readPoint, readShape } from './shapes.js';

const MOST_SHOWN = 60;
const MOST_IDS = 200;
const NAME_LENGTH = 40;
/** How long what was dragged stays where it was let go, until the stored change comes. */
const SETTLE_MS = 400;
const SVG_ARROW = '<svg viewBox="0 0 16 18" aria-hidden="true"><path d="M1 1v14.2l3.9-3.5 2.6 5.6 2.9-1.3-2.6-5.4h5.4z"/></svg>';

/** A name to show: one line, no control or direction characters. */
export const readName = (value) =>
  typeof value === 'string'
    ? [...value.slice(0, 200).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '')].slice(0, NAME_LENGTH).join('').trim()
    : '';

function readIds(value) {
  if (!Array.isArray(value)) return [];
  return value.slice(0, MOST_IDS).filter((id) => typeof id === 'string');
}

/** `{n, ids, preview}` for shapes that exist, `{n, id, shape}` for one that is drawn; or undefined. */
function readDrag(value) {
  if (typeof value !== 'object' || value === null) return undefined;
  const { by, shape } = value;
  const n = ['string', 'number'].includes(typeof value.n) ? value.n : 0;
  if (typeof shape === 'object' && shape !== null) {
    const drawn = readShape(shape);
    return drawn && typeof shape.id === 'string' ? { n, id: shape.id, shape: drawn } : undefined;
  }
  const ids = readIds(value.ids);
  if (value.faded === true) return { n, ids, preview: { faded: true } };
  const isMatrix = Array.isArray(by) && by.length === 4 && by.every((part) => Number.isFinite(part) && Math.abs(part) < 1e6);
  return isMatrix ? { n, ids, preview: { by } } : undefined;
}

export class People {
  #client;
  #scene;
  #selection;
  #view;
  #layer;
  #people = new Map();
  #onChange;

  /** `layer` holds the cursors; `onChange` is called when somebody comes, goes or changes name. */
  constructor({ client, scene, selection, view, layer, onChange }) {
    [this.#client, this.#scene, this.#selection] = [client, scene, selection];
    [this.#view, this.#layer, this.#onChange] = [view, layer, onChange];
    view.onChange(() => this.#place());
    client.presence.observe(({ peerId, state }) => this.#update(peerId, state));
    for (const [peerId, state] of client.presence.others()) this.#update(peerId, state);
  }

  /** `[{peerId, name, color}]`, those who came first first. */
  get list() {
    return [...this.#people].map(([peerId, { name, color }]) => ({ peerId, name, color }));
  }

  /** A stored change of `author` to shape `id` takes the place of what that author was seen to do with it. */
  settled(id, author) {
    for (const person of this.#people.values()) {
      if (!person.drag || person.author !== author) continue;
      person.done.add(id);
      this.#showDrag(person);
    }
  }

  #update(peerId, state) {
    const known = this.#people.get(peerId);
    if (typeof state !== 'object' || state === null) {
      if (known) this.#leave(peerId, known);
      return;
    }
    if (!known && this.#people.size >= MOST_SHOWN) return;
    const person = known ?? this.#enter(peerId);
    person.author ??= this.#client.peers.find((peer) => peer.peerId === peerId)?.author;
    const [name, color] = [readName(state.name) || 'Somebody', readColor(state.color, person.fallback)];
    if (name !== person.name || color !== person.color) {
      [person.name, person.color] = [name, color];
      person.element.style.setProperty('--color', color);
      person.element.style.setProperty('--on-color', onColor(color));
      person.element.lastElementChild.textContent = name;
      this.#onChange();
    }
    person.cursor = readPoint(state.cursor);
    this.#placeOne(person);
    this.#select(person, readIds(state.selection).slice(0, 50));
    this.#drag(person, readDrag(state.drag));
  }

  #enter(peerId) {
    const element = document.createElement('div');
    element.className = 'cursor';
    element.innerHTML = SVG_ARROW;
    element.append(document.createElement('span'));
    this.#layer.append(element);
    const sum = [...peerId].reduce((total, letter) => total + letter.charCodeAt(0), 0);
    const person = { key: `of ${peerId}`, element, fallback: PEOPLE[sum % PEOPLE.length], ids: [], shown: new Set(), done: new Set() };
    this.#people.set(peerId, person);
    return person;
  }

  #leave(peerId, person) {
    this.#people.delete(peerId);
    this.#endDrag(person);
    person.element.remove();
    this.#frames();
    this.#onChange();
  }

  // ---- cursors and selections ----

  #placeOne({ element, cursor }) {
    element.classList.toggle('away', !cursor);
    if (!cursor) return;
    const { x, y } = this.#view.toScreen(cursor);
    element.style.transform = `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px)`;
  }

  /** The board was moved: cursors go with it at once, not gliding as when their people move them. */
  #place() {
    this.#layer.classList.add('still');
    for (const person of this.#people.values()) this.#placeOne(person);
    requestAnimationFrame(() => this.#layer.classList.remove('still'));
  }

  #select(person, ids) {
    const same = ids.length === person.ids.length && ids.every((id, index) => id === person.ids[index]);
    if (same) return;
    person.ids = ids;
    this.#frames();
  }

  #frames() {
    const selecting = [...this.#people.values()].filter(({ ids }) => ids.length > 0);
    this.#selection.others = selecting.map(({ ids, color }) => ({ ids, color }));
    this.#selection.draw();
  }

  // ---- what they are doing ----

  #drag(person, drag) {
    if (!drag) {
      if (person.drag && !person.timer) person.timer = setTimeout(() => this.#endDrag(person), SETTLE_MS);
      return;
    }
    clearTimeout(person.timer);
    person.timer = undefined;
    if (drag.n !== person.drag?.n) person.done.clear();
    person.drag = drag;
    this.#showDrag(person);
  }

  #endDrag(person) {
    clearTimeout(person.timer);
    [person.drag, person.timer] = [undefined, undefined];
    this.#showDrag(person);
  }

  #showDrag({ key, drag, shown, done }) {
    const live = (id) => this.#scene.has(id) && !done.has(id);
    const now = new Map();
    if (drag?.ids) for (const id of drag.ids) if (live(id)) now.set(id, drag.preview);
    if (drag?.shape && live(drag.id)) now.set(drag.id, { shape: drag.shape });
    const isGhost = drag?.shape && !this.#scene.has(drag.id) && !done.has(drag.id);
    this.#scene.ghost(key, isGhost ? drag.shape : undefined);
    for (const id of shown) if (!now.has(id)) this.#scene.previewOfOthers(id, undefined);
    shown.clear();
    for (const [id, preview] of now) {
      this.#scene.previewOfOthers(id, preview);
      shown.add(id);
    }
  }
}
