// The README's start page, exactly as printed, served by another origin than the backend's.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { openPage } from '../lib/browsers.mjs';
import { eventually, test } from '../lib/runner.mjs';
import { startServer } from '../lib/server.mjs';

const readme = new URL('../../../README.md', import.meta.url);
const landing = new URL('../../../www/index.html', import.meta.url);
const unescape = (html) => html.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');

/** The first HTML block of the README. */
function startPage() {
  assert.ok(existsSync(readme), 'README.md is missing');
  const [, block] = readFileSync(readme, 'utf8').match(/^```html\n([^]*?)^```$/m) ?? [];
  assert.ok(block, 'README.md has no ```html block');
  return block;
}

/** Serves `html` at every path. */
async function servePage(context, html) {
  const server = http.createServer((_, response) => response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(html));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.defer(() => new Promise((resolve) => {
    server.closeAllConnections();
    server.close(resolve);
  }));
  return `http://127.0.0.1:${server.address().port}/`;
}

test('readme: the start page works as printed, but for the port', async (context) => {
  const block = startPage();
  assert.ok(block.trimEnd().split('\n').length <= 20, 'it has more than 20 lines');
  assert.ok(block.includes('localhost:8000'), 'it names the default port');
  const server = await startServer(context);
  const url = await servePage(context, block.replaceAll('localhost:8000', `127.0.0.1:${server.port}`));
  const a = await openPage(context, 'A', url);
  const b = await openPage(context, 'B', url);
  const field = 'textarea, input, [contenteditable]';
  const ready = (page) => eventually(20_000, 'the page takes text', () => page.evaluate((field) => {
    const element = document.querySelector(field);
    return element && !element.disabled && !element.readOnly;
  }, field));
  await Promise.all([ready(a), ready(b)]);
  const text = (page) => page.evaluate((field) => document.querySelector(field).value ?? document.querySelector(field).textContent, field);
  await a.locator(field).first().pressSequentially('Hello from the README');
  await eventually(10_000, 'the other page has it', async () => (await text(b)) === 'Hello from the README');
  await b.locator(field).first().press('Control+End');
  await b.locator(field).first().pressSequentially(', and back');
  await eventually(10_000, 'the first page has the answer', async () => (await text(a)) === 'Hello from the README, and back');
  assert.deepEqual([a.failures, b.failures], [[], []]);
});

test('readme: the landing page shows the same start page', async () => {
  const [, shown] = readFileSync(landing, 'utf8').match(/<code id="snippet">([^]*?)<\/code>/);
  assert.equal(unescape(shown).trim(), startPage().trim());
});
