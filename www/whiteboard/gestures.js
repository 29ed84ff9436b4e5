// What the gestures of all tools share: how exact a pointer is, what it touches, what others are told, and the points of
// a shape drawn from one place to another.
import { distance, touches } from './shapes.js';

/** Screen pixels that a pointer may be beside a line, and that it may move within a click. */
export const SLACK = { mouse: 5, pen: 8, touch: 14 };
export const STILL = { mouse: 3, pen: 5, touch: 8 };
/** What others see of a large selection while it is moved: presence is small. */
const LIVE_IDS_LENGTH = 2_000;

export const by = (table, { pointerType }) => table[pointerType] ?? table.mouse;

/** The topmost shape whose line is at `at`. */
export function hit({ scene, view }, at, event) {
  const slack = by(SLACK, event) / view.zoom;
  for (const id of scene.idsFromTop()) if (touches(scene.shape(id), at, slack)) return id;
  return undefined;
}

/** As many ids as fit into a presence state, which has 4 KiB for everything. */
export function told(ids) {
  let length = 0;
  return ids.filter((id) => (length += id.length + 2) <= LIVE_IDS_LENGTH);
}

export const sides = ({ left, top, right, bottom }) => [right - left, bottom - top];

/** The two points of a shape drawn from one place to another; with `even`, as Shift wants it. */
export const POINTS = {
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
