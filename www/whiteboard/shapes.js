// Shapes and their geometry; knows no page. What others wrote is judged here: `readShape` gives what can be drawn, or
// nothing. A record holds type, points, color, stroke_width and text; a shape has the same, checked, with `width`.

export const TYPES = ['line', 'rectangle', 'circle', 'text', 'freehand'];
export const INK = '#1d2126';
/** Points of a stroke as it is stored: about 6 KB, a tenth of what one record may have. */
export const STROKE_POINTS = 500;
/** Points of a stroke of others that are drawn. */
const DRAWN_POINTS = 5_000;
/** No coordinate is further out: one stray shape must not make all others a dot when everything is shown. */
const REACH = 100_000;
const WIDTHS = { least: 0.5, most: 100, usual: 2 };
export const TEXT_LENGTH = 2_000;
const TEXT_LINES = 100;
export const LINE_HEIGHT = 1.3;
export const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', sans-serif";

const clamp = (value, least, most) => Math.min(most, Math.max(least, value));
const isObject = (value) => typeof value === 'object' && value !== null;

/** `{x, y}` of whatever was sent, or undefined. */
export function readPoint(value) {
  if (!isObject(value) || !Number.isFinite(value.x) || !Number.isFinite(value.y)) return undefined;
  return Math.abs(value.x) <= REACH && Math.abs(value.y) <= REACH ? { x: value.x, y: value.y } : undefined;
}

/** A colour that CSS knows, or `otherwise`. Nothing that could load or refer to something. */
export function readColor(value, otherwise = INK) {
  if (typeof value !== 'string' || value.length > 32) return otherwise;
  if (/^#([0-9a-f]{3}|[0-9a-f]{6})$/i.test(value)) return value;
  return /^(#|[a-z]+$|(rgb|hsl)a?\()/i.test(value) && CSS.supports('color', value) ? value : otherwise;
}

const readWidth = (value) => (Number.isFinite(value) ? clamp(value, WIDTHS.least, WIDTHS.most) : WIDTHS.usual);

/** Lines of a text as they are drawn. */
export const linesOf = (text) => text.split(/\r\n|[\r\n\u2028\u2029]/, TEXT_LINES);

/** The shape of a record, or undefined for what cannot be drawn. */
export function readShape(record) {
  if (!isObject(record) || !TYPES.includes(record.type) || !Array.isArray(record.points)) return undefined;
  const { type } = record;
  const points = record.points.slice(0, type === 'freehand' ? DRAWN_POINTS : 2).map(readPoint);
  const needed = type === 'text' || type === 'freehand' ? 1 : 2;
  if (points.length < needed || points.includes(undefined)) return undefined;
  // NUL and the other control characters have no width and no look.
  const text = typeof record.text === 'string' ? record.text.slice(0, TEXT_LENGTH).replace(/[\0-\x08\x0B\x0C\x0E-\x1F]/g, '') : '';
  if (type === 'text' && text.trim() === '') return undefined;
  return { type, points: type === 'text' ? [points[0]] : points, color: readColor(record.color), width: readWidth(record.stroke_width), text };
}

/** `text` as it can be stored: half a surrogate pair has no UTF-8, and NUL no meaning. */
export const storable = (text) => text.replace(/\p{Surrogate}/gu, '\uFFFD').replaceAll('\0', '');

/** The fields of a record for `shape`. */
export const recordOf = ({ type, points, color, width, text }) => {
  const fields = { type, points, color, stroke_width: width };
  return type === 'text' ? { ...fields, text: storable(text) } : fields;
};

/** Text has no size of its own in a record: it follows the width of the stroke. */
export const fontSize = (width) => 12 + 4 * width;
const widthOfFont = (size) => readWidth((size - 12) / 4);

let ruler;
function textWidth(line, size) {
  ruler ??= document.createElement('canvas').getContext('2d');
  ruler.font = `${size}px ${FONT}`;
  return ruler.measureText(line).width;
}

export const distance = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);

/** The smallest box around points: `{left, top, right, bottom}`. */
export function boxOf(points) {
  const box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  for (const { x, y } of points) {
    box.left = Math.min(box.left, x);
    box.top = Math.min(box.top, y);
    box.right = Math.max(box.right, x);
    box.bottom = Math.max(box.bottom, y);
  }
  return box;
}

export const grow = ({ left, top, right, bottom }, by) => ({ left: left - by, top: top - by, right: right + by, bottom: bottom + by });
export const join = (boxes) => boxOf(boxes.flatMap(({ left, top, right, bottom }) => [{ x: left, y: top }, { x: right, y: bottom }]));
export const inside = (box, { x, y }) => x >= box.left && x <= box.right && y >= box.top && y <= box.bottom;
const covers = (outer, inner) =>
  inner.left >= outer.left && inner.right <= outer.right && inner.top >= outer.top && inner.bottom <= outer.bottom;

/** The box of a shape's geometry; half its stroke lies outside. Remembered: shapes never change. */
export function bounds(shape) {
  shape.box ??= measure(shape);
  return shape.box;
}

function measure({ type, points, width, text }) {
  const [first, second] = points;
  if (type === 'circle') return grow({ left: first.x, top: first.y, right: first.x, bottom: first.y }, distance(first, second));
  if (type !== 'text') return boxOf(points);
  const size = fontSize(width);
  const lines = linesOf(text);
  const wide = Math.max(...lines.map((line) => textWidth(line, size)));
  return { left: first.x, top: first.y, right: first.x + wide, bottom: first.y + lines.length * size * LINE_HEIGHT };
}

function toSegment(at, a, b) {
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const length = dx * dx + dy * dy;
  const along = length === 0 ? 0 : clamp(((at.x - a.x) * dx + (at.y - a.y) * dy) / length, 0, 1);
  return Math.hypot(at.x - a.x - along * dx, at.y - a.y - along * dy);
}

function corners({ points: [a, b] }) {
  return [a, { x: b.x, y: a.y }, b, { x: a.x, y: b.y }, a];
}

/** Whether `at` is on the drawn line of a shape, or at most `slack` away. */
export function touches(shape, at, slack) {
  const reach = shape.width / 2 + slack;
  if (!inside(grow(bounds(shape), reach), at)) return false;
  if (shape.type === 'text') return true;
  if (shape.type === 'circle') {
    const [centre, edge] = shape.points;
    return Math.abs(distance(centre, at) - distance(centre, edge)) <= reach;
  }
  const path = shape.type === 'rectangle' ? corners(shape) : shape.points;
  if (path.length === 1) return distance(path[0], at) <= reach;
  return path.some((point, index) => index > 0 && toSegment(at, path[index - 1], point) <= reach);
}

/** Whether `at` is within a closed shape. */
export function encloses(shape, at) {
  if (shape.type === 'rectangle') return inside(bounds(shape), at);
  return shape.type === 'circle' && distance(shape.points[0], at) <= distance(shape.points[0], shape.points[1]);
}

/** Whether all of a shape is in `box`. */
export const within = (shape, box) => covers(box, bounds(shape));

/** Whether a shape only keeps its form when both directions scale alike. */
export const isUniform = ({ type }) => type === 'circle' || type === 'text';

const round = (step) => (value) => Math.round(value / step) * step;

/** Rounds for storage: as fine as the eye at `zoom`, and whole numbers, which are short, at the usual one. */
export function rounded(points, zoom) {
  const step = zoom <= 1.5 ? 1 : zoom <= 5 ? 0.1 : 0.01;
  const exact = round(step);
  // Without the detour, 0.1 times 3 would be stored as 0.30000000000000004.
  const neat = (value) => clamp(Number(exact(value).toFixed(2)), -REACH, REACH);
  return points.map(({ x, y }) => ({ x: neat(x), y: neat(y) }));
}

/** The shape after x → sx·x + tx, y → sy·y + ty. */
export function transform(shape, [sx, sy, tx, ty]) {
  if (sx === 1 && sy === 1) {
    const { left, top, right, bottom } = bounds(shape);
    const points = shape.points.map(({ x, y }) => ({ x: x + tx, y: y + ty }));
    return { ...shape, points, box: { left: left + tx, top: top + ty, right: right + tx, bottom: bottom + ty } };
  }
  const map = ({ x, y }) => ({ x: sx * x + tx, y: sy * y + ty });
  const [first, second] = shape.points;
  if (shape.type === 'circle') {
    const centre = map(first);
    const scale = Math.sqrt(Math.abs(sx * sy));
    const edge = { x: centre.x + (second.x - first.x) * scale, y: centre.y + (second.y - first.y) * scale };
    return { ...shape, points: [centre, edge], box: undefined };
  }
  const width = shape.type === 'text' ? widthOfFont(fontSize(shape.width) * Math.abs(sx)) : shape.width;
  return { ...shape, points: shape.points.map(map), width, box: undefined };
}

/** Ramer, Douglas and Peucker: drops what lies at most `epsilon` beside the line between its neighbours. */
function reduce(points, epsilon) {
  const keep = new Uint8Array(points.length);
  keep[0] = keep[points.length - 1] = 1;
  const spans = [[0, points.length - 1]];
  while (spans.length > 0) {
    const [from, to] = spans.pop();
    let furthest = 0;
    let split = 0;
    for (let index = from + 1; index < to; index += 1) {
      const away = toSegment(points[index], points[from], points[to]);
      if (away > furthest) [furthest, split] = [away, index];
    }
    if (furthest > epsilon) {
      keep[split] = 1;
      spans.push([from, split], [split, to]);
    }
  }
  return points.filter((_, index) => keep[index]);
}

/** The same stroke with at most `most` points (2 or more), each at most about `epsilon` off while that is enough. */
export function simplify(points, epsilon, most) {
  if (points.length < 3) return points;
  let [fewer, off] = [reduce(points, epsilon), epsilon];
  while (fewer.length > most) fewer = reduce(fewer, (off *= 1.5));
  return fewer;
}

const n = (value) => Number(value.toFixed(2));

/** The path of a shape that is not text, for SVG and Path2D alike. */
export function pathOf({ type, points }) {
  const [a, b] = points;
  if (type === 'circle') {
    const r = n(distance(a, b));
    return `M${n(a.x - r)} ${n(a.y)}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0Z`;
  }
  if (type === 'rectangle') return `M${n(a.x)} ${n(a.y)}H${n(b.x)}V${n(b.y)}H${n(a.x)}Z`;
  if (points.length === 1) return `M${n(a.x)} ${n(a.y)}h0.01`;
  if (points.length === 2) return `M${n(a.x)} ${n(a.y)}L${n(b.x)} ${n(b.y)}`;
  let path = `M${n(a.x)} ${n(a.y)}`;
  for (let index = 1; index < points.length; index += 1) {
    const [from, to] = [points[index - 1], points[index]];
    const leave = handle(points, index - 1, to);
    const arrive = handle(points, index, from);
    path += leave || arrive ? `C${pair(leave ?? from)} ${pair(arrive ?? to)} ${pair(to)}` : `L${pair(to)}`;
  }
  return path;
}

const pair = ({ x, y }) => `${n(x)} ${n(y)}`;

/**
 * Where the curve through `points[index]` is pulled to on its way to `towards`, a neighbour; undefined at the ends and
 * at corners. A stroke has few points where it is straight, so the pull is no longer than the shorter side allows.
 */
function handle(points, index, towards) {
  const [before, at, after] = [points[index - 1], points[index], points[index + 1]];
  if (!before || !after) return undefined;
  const [l1, l2] = [distance(before, at), distance(at, after)];
  if (l1 === 0 || l2 === 0) return undefined;
  const d1 = { x: (at.x - before.x) / l1, y: (at.y - before.y) / l1 };
  const d2 = { x: (after.x - at.x) / l2, y: (after.y - at.y) / l2 };
  const corner = d1.x * d2.x + d1.y * d2.y < 0.6;
  if (corner) return undefined;
  // The tangent of the circle through the three.
  const tangent = { x: d1.x * l2 + d2.x * l1, y: d1.y * l2 + d2.y * l1 };
  const pull = (towards === after ? 1 : -1) * (Math.min(distance(at, towards), 1.5 * Math.min(l1, l2)) / 3 / (Math.hypot(tangent.x, tangent.y) || 1));
  return { x: at.x + tangent.x * pull, y: at.y + tangent.y * pull };
}
