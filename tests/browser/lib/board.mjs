// The whiteboard driven as people do: opened, drawn on, and read back as it is stored and as it is drawn.
import assert from 'node:assert/strict';
import { openPage } from './browsers.mjs';
import { eventually } from './runner.mjs';

export const whiteboard = (server, room, backend) =>
  `${server.http}/whiteboard/?${new URLSearchParams(backend ? { room, backend } : { room })}`;

export async function openBoard(context, name, url, options) {
  const page = await openPage(context, name, url, options);
  await page.locator('.board.ready').waitFor();
  return page;
}

/** `count` boards in as many browsers, in one room. */
export async function openBoards(context, count, url) {
  const pages = [];
  for (const name of ['A', 'B', 'C'].slice(0, count)) pages.push(await openBoard(context, name, url));
  return pages;
}

export const shows = (page, id, pattern, ms = 20_000) =>
  eventually(ms, `#${id} shows ${pattern}`, async () => pattern.test(await page.locator(`#${id}`).innerText()));
/** Labels of what can be pressed, but is not all within the window. */
export const cutOff = (page) =>
  page.evaluate(() => {
    const pressed = [...document.querySelectorAll('button, label.tool')].filter((each) => each.checkVisibility());
    const outside = pressed.filter((each) => {
      const { left, right } = each.getBoundingClientRect();
      return left < 0 || right > window.innerWidth;
    });
    return outside.map((each) => each.title || each.id || each.textContent);
  });
export const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);

/** Turns board units into pixels of the window, as long as the view is where it was at first. */
export async function onScreen(page) {
  const { x, y } = await page.locator('#board').boundingBox();
  return ([left, top]) => [x + 1 + left, y + 1 + top];
}

export async function drag(page, points, { release = true } = {}) {
  const at = await onScreen(page);
  await page.mouse.move(...at(points[0]));
  await page.mouse.down();
  for (const point of points.slice(1)) await page.mouse.move(...at(point), { steps: 4 });
  if (release) await page.mouse.up();
}

export async function click(page, point, options) {
  await page.mouse.click(...(await onScreen(page))(point), options);
}

/** Draws with the tool of letter `key`. */
export async function draw(page, key, points) {
  await page.keyboard.press(key);
  await drag(page, points);
}

export async function write(page, point, text) {
  await page.keyboard.press('t');
  await click(page, point);
  await page.keyboard.type(text);
  await page.keyboard.press('Escape');
}

/** The records, in order. */
export const stored = (page) => page.evaluate(() => window.peersyncClient.records('shapes').values());
/** Sets fields of the only record. */
export const set = (page, fields) =>
  page.evaluate((fields) => {
    const shapes = window.peersyncClient.records('shapes');
    shapes.set(shapes.ids()[0], fields);
  }, fields);
export const only = async (page, type) => (await stored(page)).find((record) => record.type === type);
/** What is drawn, in order: id, type, box in pixels of the board, colour, text. */
export const drawn = (page, layer = 'shapes') =>
  page.evaluate((layer) => {
    const board = document.querySelector('#board').getBoundingClientRect();
    return [...document.querySelectorAll(`#${layer} > g`)].map((group) => {
      const box = group.getBoundingClientRect();
      const [x, y] = [box.x - board.x - 1, box.y - board.y - 1].map(Math.round);
      const { id, type } = group.dataset;
      const color = getComputedStyle(group.firstElementChild ?? group).stroke;
      return { id, type, x, y, width: Math.round(box.width), height: Math.round(box.height), color, text: group.textContent };
    });
  }, layer);
export const types = async (page) => (await drawn(page)).map(({ type }) => type).join(' ');

/** All pages store and draw the same. */
export async function same(pages) {
  return eventually(20_000, 'all pages have the same shapes', async () => {
    const [first, ...others] = await Promise.all(pages.map(async (page) => JSON.stringify([await stored(page), await drawn(page)])));
    return others.every((other) => other === first) && JSON.parse(first)[0];
  });
}

export const settled = (...pages) => Promise.all(pages.map((page) => shows(page, 'state', /^Saved$/)));
export const noFailures = (...pages) => assert.deepEqual(pages.flatMap(({ failures }) => failures), []);
