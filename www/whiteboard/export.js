// The drawing as a PNG, on white, whatever the page looks like.
import { visible } from './colors.js';
import { baseline } from './scene.js';
import { bounds, FONT, fontSize, grow, join, linesOf, pathOf } from './shapes.js';

const MARGIN = 32;
const SCALE = 2;
/** Pixels of a side: what every browser can draw. */
const MOST = 4_096;

/** A Blob of type image/png with all of `shapes`, lowest first; undefined if there are none. */
export async function toPng(shapes) {
  if (shapes.length === 0) return undefined;
  const box = join(shapes.map((shape) => grow(bounds(shape), MARGIN + shape.width / 2)));
  const [wide, high] = [box.right - box.left, box.bottom - box.top];
  const scale = Math.min(SCALE, MOST / wide, MOST / high);
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.floor(wide * scale));
  canvas.height = Math.max(1, Math.floor(high * scale));
  const brush = canvas.getContext('2d');
  brush.fillStyle = '#ffffff';
  brush.fillRect(0, 0, canvas.width, canvas.height);
  brush.scale(scale, scale);
  brush.translate(-box.left, -box.top);
  brush.lineCap = brush.lineJoin = 'round';
  for (const shape of shapes) paint(brush, shape);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('the picture could not be made'))), 'image/png');
  });
}

function paint(brush, shape) {
  const color = visible(shape.color, 'light');
  if (shape.type !== 'text') {
    brush.strokeStyle = color;
    brush.lineWidth = shape.width;
    brush.stroke(new Path2D(pathOf(shape)));
    return;
  }
  const size = fontSize(shape.width);
  const { left, top } = bounds(shape);
  brush.fillStyle = color;
  brush.font = `${size}px ${FONT}`;
  for (const [index, line] of linesOf(shape.text).entries()) brush.fillText(line, left, top + baseline(size, index));
}

/** Gives `blob` to the user as a file. */
export function download(blob, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // Not at once: the download has yet to begin.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
