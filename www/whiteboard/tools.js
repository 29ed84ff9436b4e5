// The tools: each turns a pointer on the board into a gesture. What is going on is previewed here and told to others
// through presence; what is done is stored once, at the end.
import { freshId } from './edits.js';
import { bounds, boxOf, distance, encloses, inside, isUniform, join, recordOf, rounded, simplify, STROKE_POINTS, touches, within } from './shapes.js';

export const TOOLS = ['select', 'hand', 'freehand', 'line', 'rectangle', 'circle', 'text', 'eraser'];
/** Screen pixels that a pointer may be beside a line, and that it may move within a click. */
const SLACK = { mouse: 5, pen: 8, touch: 14 };
const STILL = { mouse: 3, pen: 5, touch: 8 };
const HANDLE = { mouse: 9, pen: 12, touch: 20 };
/** Smallest shape that is kept, screen pixels: less is a slip. */
const LEAST = 4;
/** What others see of a stroke while it is drawn, and of a large selection while it is moved: presence is small. */
const LIVE_POINTS = 100;
const LIVE_IDS_LENGTH = 2_000;
const RAW_POINTS = 3_000;

const by = (table, { pointerType }) => table[pointerType] ?? table.mouse;

export class Tools {
  /** `board` has scene, view, selection, edits, say(fields), style {color, width}, type(at | id), pan(). */
  #board;
  #gestures = 0;
  /** Of the gesture in progress: looks whether others have changed what it works on. */
  #follow;
  current = 'freehand';

  constructor(board) {
    this.#board = board;
    board.scene.onDraw(() => this.#follow?.());
  }

  /** The gesture that begins at `at`. */
  begin(at, event) {
    const { current } = this;
    if (current === 'hand') return this.#board.pan();
    if (current === 'select') return this.#select(at, event);
    this.#board.selection.clear();
    if (current === 'eraser') return this.#erase(at, event);
    if (current === 'freehand') return this.#stroke(at);
    if (current === 'text') return this.#text(at, event);
    return this.#draw(current, at, event);
  }

  /** The topmost shape whose line is at `at`. */
  hit(at, event) {
    const { scene, view } = this.#board;
    const slack = by(SLACK, event) / view.zoom;
    for (const id of scene.idsFromTop()) if (touches(scene.shape(id), at, slack)) return id;
    return undefined;
  }

  /** The handle under the pointer. */
  handle(at, event) {
    const { selection, view } = this.#board;
    const here = view.toScreen(at);
    return selection.handles().find((handle) => distance(handle, here) <= by(HANDLE, event));
  }

  /** Where a press would move the selection. */
  onSelection(at) {
    const { box } = this.#board.selection;
    return box !== undefined && inside(box, at);
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

  // ---- selecting ----

  #select(at, event) {
    const { selection } = this.#board;
    const handle = this.handle(at, event);
    if (handle) return handle.end === undefined ? this.#resize(at, handle) : this.#bend(handle.end);
    const id = this.hit(at, event);
    if (id !== undefined && event.shiftKey) {
      selection.toggle(id);
      return undefined;
    }
    if (id !== undefined && !selection.has(id)) selection.set([id]);
    if (id !== undefined || (this.onSelection(at) && !event.shiftKey)) return this.#move(at, event, id);
    return this.#marquee(at, event);
  }

  /** Previews `matrix` for all of `shapes`, here and at the others. */
  #preview(shapes, matrix) {
    const { scene, say } = this.#board;
    for (const [id] of shapes) scene.preview(id, { by: matrix });
    say({ drag: { n: this.#gestures, ids: told(shapes.map(([id]) => id)), by: matrix.map((value) => Number(value.toFixed(4))) } });
  }

  #selected() {
    const { scene, selection } = this.#board;
    return selection.ids.map((id) => [id, scene.stored(id)]);
  }

  /**
   * A gesture that moves or scales what is selected; `matrixAt(at, event, box)` says how. Shapes and their box are those
   * that are stored at that moment: another may change them meanwhile.
   */
  #transform(matrixAt) {
    const { scene, edits, say, selection, view } = this.#board;
    const { ids } = selection;
    const present = () => ids.map((id) => [id, scene.stored(id)]).filter(([, shape]) => shape);
    const boxes = (shapes) => join(shapes.map(([, shape]) => bounds(shape)));
    this.#gestures += 1;
    let last;
    let told = false;
    let seen;
    const matrixOf = (shapes, box = boxes(shapes)) => shapes.length > 0 && last ? matrixAt(...last, box) : undefined;
    const update = () => {
      const shapes = present();
      const box = boxes(shapes);
      seen = JSON.stringify(box);
      const matrix = matrixOf(shapes, box);
      if (!matrix) return;
      told = selection.busy = true;
      this.#preview(shapes, matrix);
    };
    const stop = () => {
      this.#follow = undefined;
      selection.busy = false;
      for (const id of ids) scene.preview(id, undefined);
      if (told) say({ drag: null });
    };
    this.#follow = () => {
      if (told && JSON.stringify(boxes(present())) !== seen) update();
    };
    return {
      move: (at, event) => {
        last = [at, event];
        update();
      },
      end: () => {
        const shapes = present();
        const matrix = matrixOf(shapes);
        if (matrix) edits.transform(shapes, matrix, view.zoom);
        stop();
      },
      cancel: stop,
    };
  }

  #move(from, { pointerType }, id) {
    const { selection, view } = this.#board;
    let moving = false;
    const gesture = this.#transform((at, { shiftKey }) => {
      moving ||= distance(from, at) * view.zoom >= by(STILL, { pointerType });
      if (!moving) return undefined;
      let [dx, dy] = [at.x - from.x, at.y - from.y];
      if (shiftKey) [dx, dy] = Math.abs(dx) > Math.abs(dy) ? [dx, 0] : [0, dy];
      return [1, 1, dx, dy];
    });
    return {
      ...gesture,
      end: () => {
        gesture.end();
        // A click on one of several means that one.
        if (!moving && selection.ids.length > 1) selection.set(id === undefined ? this.#around(from) : [id]);
      },
    };
  }

  #resize(from, { direction: [dx, dy], uniform }) {
    return this.#transform((at, { shiftKey }, box) => {
      // The side that is dragged moves as far as the pointer did, from wherever the shapes are now.
      const [wide, high] = sides(box);
      const fixed = { x: dx < 0 ? box.right : box.left, y: dy < 0 ? box.bottom : box.top };
      let sx = dx === 0 || wide === 0 ? 1 : 1 + (dx * (at.x - from.x)) / wide;
      let sy = dy === 0 || high === 0 ? 1 : 1 + (dy * (at.y - from.y)) / high;
      if (uniform || (shiftKey && dx !== 0 && dy !== 0)) sx = sy = Math.max(0.05, wide === 0 ? sy : high === 0 ? sx : Math.max(sx, sy));
      return [sx, sy, fixed.x * (1 - sx), fixed.y * (1 - sy)];
    });
  }

  /** Moves one end of a line; the other is wherever it is stored by then. */
  #bend(end) {
    const { scene, edits, say, selection, view } = this.#board;
    const [id] = selection.ids;
    this.#gestures += 1;
    let last;
    let seen;
    const points = (line) => {
      const other = line.points[1 - end];
      const [point] = rounded([POINTS.line(other, last.at, last.shiftKey)[1]], view.zoom);
      return end === 0 ? [point, other] : [other, point];
    };
    const line = () => (last && scene.stored(id)?.type === 'line' ? scene.stored(id) : undefined);
    const update = () => {
      seen = line();
      const shape = seen && { ...seen, points: points(seen), box: undefined };
      scene.preview(id, shape && { shape });
      say({ drag: shape ? { n: this.#gestures, shape: { id, ...recordOf(shape) } } : null });
    };
    const stop = () => {
      this.#follow = undefined;
      scene.preview(id, undefined);
      say({ drag: null });
    };
    this.#follow = () => line() !== seen && update();
    return {
      move: (at, { shiftKey }) => {
        last = { at, shiftKey };
        update();
      },
      end: () => {
        const present = line();
        if (present) edits.reshape(id, points(present));
        stop();
      },
      cancel: stop,
    };
  }

  #marquee(from, event) {
    const { scene, selection, view } = this.#board;
    const before = event.shiftKey ? selection.ids : [];
    let box;
    const stop = () => {
      selection.marquee = undefined;
      selection.draw();
    };
    return {
      move: (at) => {
        if (!box && distance(from, at) * view.zoom < by(STILL, event)) return;
        box = boxOf([from, at]);
        selection.marquee = box;
        selection.set([...before, ...[...scene.ids()].filter((id) => within(scene.shape(id), box))]);
      },
      end: () => {
        // A click into a closed shape means that shape, the smallest if there are several.
        if (!box) selection.set([...before, ...this.#around(from)]);
        stop();
      },
      cancel: stop,
    };
  }

  #around(at) {
    const { scene } = this.#board;
    const size = (id) => Math.hypot(...sides(bounds(scene.shape(id))));
    const around = [...scene.idsFromTop()].filter((id) => encloses(scene.shape(id), at));
    return around.sort((a, b) => size(a) - size(b)).slice(0, 1);
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

/** As many ids as fit into a presence state, which has 4 KiB for everything. */
function told(ids) {
  let length = 0;
  return ids.filter((id) => (length += id.length + 2) <= LIVE_IDS_LENGTH);
}

const sides = ({ left, top, right, bottom }) => [right - left, bottom - top];

/** The two points of a shape drawn from one place to another; with `even`, as Shift wants it. */
const POINTS = {
  line(from, to, even) {
    if (!even) return [from, to];
    const step = Math.PI / 12;
    const angle = Math.round(Math.atan2(to.y - from.y, to.x - from.x) / step) * step;
    const length = distance(from, to);
    return [from, { x: from.x + Math.cos(angle) * length, y: from.y + Math.sin(angle) * length }];
  },
  rectangle(from, to, even) {
    if (!even) return [from, to];
    const side = Math.max(Math.abs(to.x - from.x), Math.abs(to.y - from.y));
    return [from, { x: from.x + side * (Math.sign(to.x - from.x) || 1), y: from.y + side * (Math.sign(to.y - from.y) || 1) }];
  },
  /** A circle in the square from one place to the other, stored as its centre and a point of its edge. */
  circle(from, to) {
    const [, corner] = POINTS.rectangle(from, to, true);
    const centre = { x: (from.x + corner.x) / 2, y: (from.y + corner.y) / 2 };
    return [centre, { x: corner.x, y: centre.y }];
  },
};
