// The whiteboard with others on it: what is seen of them, and what they do to shapes that one works on.
import assert from 'node:assert/strict';
import { click, drag, draw, drawn, noFailures, only, onScreen, openBoard, openBoards, same, set, settled, shows, stored, whiteboard, write } from '../lib/board.mjs';
import { screenshot } from '../lib/browsers.mjs';
import { freshRoom } from '../lib/peer.mjs';
import { eventually, pause, test } from '../lib/runner.mjs';
import { startServer } from '../lib/server.mjs';

test('whiteboard: undo and redo touch only what this browser did, whatever others do meanwhile', async (context) => {
  const server = await startServer(context);
  const [a, b, c] = await openBoards(context, 3, whiteboard(server, freshRoom('board')));
  await draw(a, 'r', [[100, 120], [200, 220]]);
  await eventually(10_000, 'the rectangle is here', async () => (await stored(b)).length === 1);
  await draw(b, 'c', [[400, 120], [500, 220]]);
  await eventually(10_000, 'both are here', async () => (await stored(a)).length === 2);
  for (const page of [a, b]) await page.keyboard.press('v');
  await Promise.all([drag(a, [[100, 140], [100, 240]]), drag(b, [[400, 170], [500, 170]])]);
  await click(b, [200, 300]);
  await same([a, b, c]);
  await click(b, [200, 300]);
  await b.keyboard.press('2');
  await draw(c, 'l', [[100, 400], [300, 400]]);
  await eventually(10_000, 'the colour and the line are here', async () => {
    return (await only(a, 'rectangle')).color === '#e03131' && (await stored(a)).length === 3;
  });

  const is = (page, wanted) =>
    eventually(10_000, `rectangle, circle, colour, line are ${wanted}`, async () => {
      const [rectangle, circle, line] = await Promise.all(['rectangle', 'circle', 'line'].map((type) => only(page, type)));
      return `${rectangle.points[0].y} ${circle.points[0].x} ${rectangle.color} ${line !== undefined}` === wanted;
    });
  await is(c, '220 550 #e03131 true');
  await a.keyboard.press('Control+z');
  await is(c, '120 550 #e03131 true');
  await b.keyboard.press('Control+z');
  await is(c, '120 550 #1d2126 true');
  await a.keyboard.press('Control+Shift+z');
  await is(c, '220 550 #1d2126 true');
  await b.keyboard.press('Control+z');
  await is(c, '220 450 #1d2126 true');
  await b.keyboard.press('Control+y');
  await is(c, '220 550 #1d2126 true');
  await c.keyboard.press('Control+z');
  await is(a, '220 550 #1d2126 false');
  assert.equal(await c.locator('#undo').isDisabled(), true);
  await same([a, b, c]);
  noFailures(a, b, c);
});

test('whiteboard: the cursor of another has a name, and leaves with its browser within a second', async (context) => {
  const server = await startServer(context);
  const [a, b, c] = await openBoards(context, 3, whiteboard(server, freshRoom('board')));
  await a.locator('#who').click();
  await a.locator('#name').fill('Ada <b>Lovelace</b>');
  await a.keyboard.press('Enter');
  await a.keyboard.press('Escape');
  await a.mouse.move(...(await onScreen(a))([300, 200]));
  const cursor = (page, name) => page.locator('.cursor:not(.away)', { hasText: name });
  for (const page of [b, c]) {
    await cursor(page, 'Ada <b>Lovelace</b>').waitFor();
    await eventually(5_000, 'the cursor is where the mouse is', async () => {
      const [box, at] = [await cursor(page, 'Ada').boundingBox(), (await onScreen(page))([300, 200])];
      return Math.abs(box.x - at[0]) < 3 && Math.abs(box.y - at[1]) < 3;
    });
  }
  await screenshot(b, 'whiteboard-cursor');
  await a.mouse.move(5, 5);
  await eventually(5_000, 'a mouse that left the board has no cursor', async () => (await cursor(b, 'Ada').count()) === 0);
  await a.mouse.move(...(await onScreen(a))([320, 220]));
  await cursor(b, 'Ada').waitFor();
  await a.forget();
  await Promise.all([b, c].map((page) => eventually(1_000, 'it is gone', async () => (await page.locator('.cursor', { hasText: 'Ada' }).count()) === 0)));
  await Promise.all([b, c].map((page) => shows(page, 'people', /^2 people here$/)));
  noFailures(b, c);
});

test('whiteboard: what is being drawn, moved and written is seen before it is stored', async (context) => {
  const server = await startServer(context);
  const [a, b] = await openBoards(context, 2, whiteboard(server, freshRoom('board')));
  const ghosts = (page, count) => eventually(5_000, `${count} ghosts`, async () => (await drawn(page, 'ghosts')).length === count);

  await a.keyboard.press('r');
  await drag(a, [[100, 120], [250, 220]], { release: false });
  await ghosts(b, 1);
  await eventually(5_000, 'the ghost has its size', async () => (await drawn(b, 'ghosts'))[0].width === 150);
  assert.deepEqual(await stored(b), []);
  await a.mouse.up();
  await eventually(5_000, 'it is stored', async () => (await stored(b)).length === 1);
  await ghosts(b, 0);

  await a.keyboard.press('v');
  await drag(a, [[100, 150], [300, 350]], { release: false });
  await eventually(5_000, 'it is seen where it is dragged', async () => (await drawn(b))[0].x === 300);
  assert.deepEqual((await only(b, 'rectangle')).points[0], { x: 100, y: 120 });
  await screenshot(b, 'whiteboard-drag');
  // From now on neither may see it anywhere else: not back where it was, not moved twice.
  const watch = (page) =>
    page.evaluate(() => {
      window.places = new Set();
      const look = () => {
        window.places.add(Math.round(document.querySelector('#shapes > g').getBoundingClientRect().x));
        requestAnimationFrame(look);
      };
      look();
    });
  await Promise.all([watch(a), watch(b)]);
  await a.mouse.up();
  await eventually(5_000, 'it is stored there', async () => (await only(b, 'rectangle')).points[0].x === 300);
  await pause(700);
  for (const page of [a, b]) assert.equal(await page.evaluate(() => window.places.size), 1);

  // Escape takes it back, for others too.
  await drag(a, [[300, 350], [500, 350]], { release: false });
  await eventually(5_000, 'it is dragged', async () => (await drawn(b))[0].x === 500);
  await a.keyboard.press('Escape');
  await a.mouse.up();
  await eventually(5_000, 'it is back', async () => (await drawn(b))[0].x === 300);

  await a.keyboard.press('t');
  await click(a, [100, 500]);
  await a.keyboard.type('half a sen');
  await eventually(5_000, 'the text is seen', async () => (await drawn(b, 'ghosts'))[0]?.text === 'half a sen');
  await a.keyboard.press('Escape');
  await eventually(5_000, 'and stored', async () => (await only(b, 'text'))?.text === 'half a sen');
  await ghosts(b, 0);

  // Who leaves in the middle leaves nothing behind.
  await a.keyboard.press('p');
  await drag(a, [[400, 400], [500, 500]], { release: false });
  await ghosts(b, 1);
  await a.forget();
  await ghosts(b, 0);
  assert.equal((await stored(b)).length, 2);
  noFailures(b);
});

test('whiteboard: the end of a line is all that dragging it changes, whatever others do to the line meanwhile', async (context) => {
  const server = await startServer(context);
  const [a, b] = await openBoards(context, 2, whiteboard(server, freshRoom('board')));
  await draw(a, 'l', [[100, 120], [300, 120]]);
  await eventually(10_000, 'the line is there', async () => (await stored(b)).length === 1);
  await a.keyboard.press('v');
  await click(a, [200, 120]);
  await drag(a, [[300, 120], [320, 200]], { release: false });
  await set(b, { color: '#e03131', stroke_width: 16, points: [{ x: 100, y: 320 }, { x: 300, y: 320 }] });
  await eventually(10_000, 'the other end is seen where it was moved to', async () => {
    const { y, height, color } = (await drawn(a))[0];
    return Math.abs(y + height - 320) <= 10 && color === 'rgb(224, 49, 49)';
  });
  await a.mouse.up();
  await settled(a, b);
  const [line] = await same([a, b]);
  assert.deepEqual([line.color, line.stroke_width], ['#e03131', 16]);
  assert.deepEqual(line.points, [{ x: 100, y: 320 }, { x: 320, y: 200 }]);
  noFailures(a, b);
});

test('whiteboard: a shape that others move while it is resized grows where it is then', async (context) => {
  const server = await startServer(context);
  const [a, b] = await openBoards(context, 2, whiteboard(server, freshRoom('board')));
  await draw(a, 'r', [[100, 120], [200, 220]]);
  await eventually(10_000, 'the rectangle is there', async () => (await stored(b)).length === 1);
  await a.keyboard.press('v');
  await click(a, [100, 160]);
  await drag(a, [[206, 226], [256, 276]], { release: false });
  await set(b, { points: [{ x: 400, y: 320 }, { x: 500, y: 420 }] });
  for (const page of [a, b]) {
    await eventually(10_000, 'it is seen larger at its new place', async () => {
      const { x, y, width } = (await drawn(page))[0];
      return x === 400 && y === 320 && width === 150;
    });
  }
  await a.mouse.up();
  await settled(a, b);
  const [rectangle] = await same([a, b]);
  assert.deepEqual(rectangle.points, [{ x: 400, y: 320 }, { x: 550, y: 470 }]);
  noFailures(a, b);
});

test('whiteboard: undo, redo, deleting and clearing give up what is being dragged', async (context) => {
  const server = await startServer(context);
  const page = await openBoard(context, 'A', whiteboard(server, freshRoom('board')));
  await draw(page, 'r', [[100, 120], [200, 220]]);
  await page.keyboard.press('v');
  await drag(page, [[100, 160], [140, 160]]);
  const x = async () => (await stored(page))[0]?.points[0].x;
  await drag(page, [[140, 160], [340, 160]], { release: false });
  await page.keyboard.press('Control+z');
  await page.mouse.up();
  assert.equal(await x(), 100);
  await drag(page, [[100, 160], [340, 160]], { release: false });
  await page.keyboard.press('Control+y');
  await page.mouse.up();
  assert.equal(await x(), 140);
  await drag(page, [[140, 160], [340, 160]], { release: false });
  await page.keyboard.press('Delete');
  await page.mouse.up();
  assert.equal(await x(), undefined);
  await page.keyboard.press('Control+z');
  assert.equal(await x(), 140);
  await click(page, [140, 160]);
  await drag(page, [[140, 160], [340, 160]], { release: false });
  await page.evaluate(() => document.querySelector('#clear').click());
  await page.locator('#clearing[open]').waitFor();
  await eventually(5_000, 'it is back', async () => (await drawn(page))[0].x === 140);
  await page.mouse.up();
  assert.equal(await x(), 140);
  noFailures(page);
});

test('whiteboard: words are stored or stay in their field, whatever becomes of the text they were for', async (context) => {
  const server = await startServer(context);
  const [a, b] = await openBoards(context, 2, whiteboard(server, freshRoom('board')));
  await write(a, [100, 120], 'first');
  await eventually(10_000, 'the text is there', async () => (await stored(b)).length === 1);
  await a.keyboard.press('v');
  await a.keyboard.press('n');
  await a.keyboard.press('Enter');
  await a.keyboard.press('End');
  await a.keyboard.type(' and more');
  await b.evaluate(() => {
    const shapes = window.peersyncClient.records('shapes');
    shapes.delete(shapes.ids()[0]);
  });
  await eventually(10_000, 'it is deleted', async () => (await stored(a)).length === 0);
  await a.keyboard.press('Control+Enter');
  await shows(a, 'toast', /deleted this text meanwhile/);
  await eventually(10_000, 'the words are a new text', async () => (await only(b, 'text'))?.text === 'first and more');

  // What has no UTF-8 is stored as what it would arrive as.
  await a.keyboard.press('t');
  await click(a, [100, 300]);
  await a.locator('#writing').evaluate((area) => (area.value = 'half \uD83D and \0 none \u{1F600}'));
  await a.keyboard.press('Control+Enter');
  await eventually(10_000, 'it is stored', async () => (await stored(b))[1]?.text === 'half \uFFFD and  none \u{1F600}');

  // Refused, it stays to be tried again.
  await a.evaluate(() => {
    const shapes = window.peersyncClient.records('shapes');
    shapes.set = () => {
      throw new Error('no room left');
    };
  });
  await a.keyboard.press('t');
  await click(a, [100, 400]);
  await a.keyboard.type('kept');
  await a.keyboard.press('Control+Enter');
  await shows(a, 'toast', /no room left/);
  await click(a, [400, 400]);
  assert.deepEqual([await a.locator('#writing').inputValue(), (await stored(a)).length], ['kept', 2]);
  await a.evaluate(() => delete window.peersyncClient.records('shapes').set);
  await a.keyboard.press('Escape');
  await eventually(10_000, 'it is stored after all', async () => (await stored(b))[2]?.text === 'kept');
  assert.equal(await a.locator('#writing').isVisible(), false);
  await same([a, b]);
  noFailures(a, b);
});
