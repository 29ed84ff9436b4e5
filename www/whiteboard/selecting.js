// Selecting, and moving, scaling and bending what is selected. Shapes are those that are stored at that moment: others may
// change them while one works on them.
import { by, hit, POINTS, sides, STILL, told } from './gestures.js';
import { bounds, boxOf, distance, encloses, inside, join, recordOf, rounded, within } from './shapes.js';

const HANDLE = { mouse: 9, pen: 12, touch: 20 };

export class Selecting {
  /** `board`: as for the tools. */
  #board;
  /** Counts the gestures of all tools. */
  #next;
  /** Number of the gesture in progress, by which others know it. */
  #gesture = 0;
  /** Of the gesture in progress: looks whether others have changed what it works on. */
  #follow;

  constructor(board, next) {
    this.#board = board;
    this.#next = next;
    board.scene.onDraw(() => this.#follow?.());
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

  /** The gesture that begins at `at`. */
  begin(at, event) {
    const { selection } = this.#board;
    const handle = this.handle(at, event);
    if (handle) return handle.end === undefined ? this.#resize(at, handle) : this.#bend(handle.end);
    const id = hit(this.#board, at, event);
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
    say({ drag: { n: this.#gesture, ids: told(shapes.map(([id]) => id)), by: matrix.map((value) => Number(value.toFixed(4))) } });
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
    this.#gesture = this.#next();
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
    this.#gesture = this.#next();
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
      say({ drag: shape ? { n: this.#gesture, shape: { id, ...recordOf(shape) } } : null });
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
}
