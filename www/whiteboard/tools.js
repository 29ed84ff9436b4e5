// The tools: each turns a pointer on the board into a gesture. What is going on is previewed here and told to others
// through presence; what is done is stored once, at the end.
import { freshId } from './edits.js';
import { by, hit, POINTS, SLACK, STILL, told } from './gestures.js';
import { Selecting } from './selecting.js';
import { distance, isUniform, recordOf, rounded, simplify, STROKE_POINTS, touches } from './shapes.js';

/** Smallest shape that is kept, screen pixels: less is a slip. */
const LEAST = 4;
/** What others see of a stroke while it is drawn: presence is small. */
const LIVE_POINTS = 100;
const RAW_POINTS = 3_000;

export class Tools {
  /** `board` has scene, view, selection, edits, say(fields), style {color, width}, type(at | id), pan(). */
  #board;
  #selecting;
  #gestures = 0;
  current = 'freehand';

  constructor(board) {
    this.#board = board;
    this.#selecting = new Selecting(board, () => (this.#gestures += 1));
  }

  /** The gesture that begins at `at`. */
  begin(at, event) {
    const { current } = this;
    if (current === 'hand') return this.#board.pan();
    if (current === 'select') return this.#selecting.begin(at, event);
    this.#board.selection.clear();
    if (current === 'eraser') return this.#erase(at, event);
    if (current === 'freehand') return this.#stroke(at);
    if (current === 'text') return this.#text(at, event);
    return this.#draw(current, at, event);
  }

  /** The topmost shape whose line is at `at`. */
  hit(at, event) {
    return hit(this.#board, at, event);
  }

  /** The handle under the pointer. */
  handle(at, event) {
    return this.#selecting.handle(at, event);
  }

  /** Where a press would move the selection. */
  onSelection(at) {
    return this.#selecting.onSelection(at);
  }

  // ---- drawing ----

  #style() {
    const { color, width } = this.#board.style;
    return { color, width, text: '' };
  }

  /** Shows `shape` here and at the others, who know by its id when it is stored. */
  #show(id, shape, live = shape) {
    const { scene, say, view } = this.#board;
    scene.ghost('own', shape);
    say({ drag: { n: this.#gestures, shape: { id, ...recordOf({ ...live, points: rounded(live.points, view.zoom) }) } } });
  }

  #hide() {
    this.#board.scene.ghost('own', undefined);
    this.#board.say({ drag: null });
  }

  #draw(type, from, event) {
    const { edits, view } = this.#board;
    const id = freshId();
    this.#gestures += 1;
    let shape;
    return {
      move: (at, { shiftKey }) => {
        if (!shape && distance(from, at) * view.zoom < by(STILL, event)) return;
        shape = { type, points: POINTS[type](from, at, shiftKey), ...this.#style() };
        this.#show(id, shape);
      },
      end: () => {
        if (shape && distance(...shape.points) * view.zoom >= LEAST) edits.add(shape, id, view.zoom);
        this.#hide();
      },
      cancel: () => this.#hide(),
    };
  }

  #stroke(from) {
    const { edits, view } = this.#board;
    const id = freshId();
    this.#gestures += 1;
    let points = [from];
    const shape = () => ({ type: 'freehand', points: [...points], ...this.#style() });
    const show = () => this.#show(id, shape(), { ...shape(), points: simplify(points, 1 / view.zoom, LIVE_POINTS) });
    show();
    return {
      move: (_, event) => {
        const events = event.getCoalescedEvents?.() ?? [];
        for (const each of events.length > 0 ? events : [event]) {
          const at = view.toBoard(each);
          if (distance(points.at(-1), at) * view.zoom >= 1) points.push(at);
        }
        if (points.length > RAW_POINTS) points = simplify(points, 0.4 / view.zoom, RAW_POINTS / 2);
        show();
      },
      end: () => {
        edits.add({ ...shape(), points: simplify(points, 0.35 / view.zoom, STROKE_POINTS) }, id, view.zoom);
        this.#hide();
      },
      cancel: () => this.#hide(),
    };
  }

  #text(at, event) {
    const { scene } = this.#board;
    const id = this.hit(at, event);
    // Not before the pointer is up: the press itself would take the focus away again.
    return {
      move: () => {},
      end: () => this.#board.type(scene.stored(id)?.type === 'text' ? { id } : { at }),
      cancel: () => {},
    };
  }

  #erase(from, event) {
    const { scene, edits, say, view } = this.#board;
    const gone = new Set();
    this.#gestures += 1;
    const n = this.#gestures;
    let last = from;
    const wipe = (at) => {
      const slack = by(SLACK, event) / view.zoom;
      const before = gone.size;
      // In steps, so that a quick hand misses nothing.
      const steps = Math.min(200, Math.ceil(distance(last, at) / slack));
      for (let step = 0; step <= steps; step += 1) {
        const part = steps === 0 ? 1 : step / steps;
        const here = { x: last.x + (at.x - last.x) * part, y: last.y + (at.y - last.y) * part };
        for (const id of scene.ids()) if (!gone.has(id) && touches(scene.shape(id), here, slack)) gone.add(id);
      }
      last = at;
      if (gone.size === before) return;
      for (const id of gone) scene.preview(id, { faded: true });
      say({ drag: { n, ids: told([...gone]), faded: true } });
    };
    const stop = () => {
      for (const id of gone) scene.preview(id, undefined);
      say({ drag: null });
    };
    wipe(from);
    return {
      move: wipe,
      end: () => {
        if (gone.size > 0) edits.remove([...gone]);
        stop();
      },
      cancel: stop,
    };
  }
  // ---- by keyboard ----

  /** Puts a shape of usual size into the middle of what is seen. Returns its id. */
  place() {
    const { edits, view } = this.#board;
    const { current } = this;
    const { x, y } = view.centre;
    if (current === 'text') {
      this.#board.type({ at: { x: x - 60, y: y - 20 } });
      return undefined;
    }
    if (!(current in POINTS)) return undefined;
    const points = POINTS[current]({ x: x - 80, y: y - 50 }, { x: x + 80, y: y + 50 }, false);
    return edits.add({ type: current, points, ...this.#style() }, undefined, view.zoom) || undefined;
  }

  #selected() {
    const { scene, selection } = this.#board;
    return selection.ids.map((id) => [id, scene.stored(id)]);
  }

  /** Moves what is selected by board units; quick repetitions are one step of undo. */
  nudge(dx, dy) {
    const shapes = this.#selected();
    if (shapes.length > 0) this.#board.edits.transform(shapes, [1, 1, dx, dy], 10, true);
  }

  /** Makes what is selected wider and higher by board units. */
  stretch(dx, dy) {
    const shapes = this.#selected();
    const { box } = this.#board.selection;
    if (!box) return;
    const scale = (side, more) => (side < 1 ? 1 : Math.max(1, side + more) / side);
    let [sx, sy] = [scale(box.right - box.left, dx), scale(box.bottom - box.top, dy)];
    if (shapes.some(([, shape]) => isUniform(shape))) sx = sy = sx === 1 ? sy : sx;
    this.#board.edits.transform(shapes, [sx, sy, box.left * (1 - sx), box.top * (1 - sy)], 10, true);
  }

  duplicate() {
    const { edits, selection, view } = this.#board;
    const shapes = this.#selected();
    if (shapes.length > 0) selection.set(edits.duplicate(shapes, 20 / view.zoom, view.zoom));
  }
}
