// The notepad driven as people do.
import { openPage } from './browsers.mjs';
import { eventually } from './runner.mjs';

/** Address of a notepad of `server`, or of anything else that serves the pages: `{ http }`. */
export const notepad = (server, room, backend) =>
  `${server.http}/notepad/?${new URLSearchParams(backend ? { room, backend } : { room })}`;

/** What a person types into. */
export const paper = (page) => page.locator('.cm-content');
/** The whole text: of a long one, CodeMirror keeps only what is visible in the page. */
export const value = (page) =>
  page.evaluate(async () => {
    const { EditorView } = await import('@codemirror/view');
    return EditorView.findFromDOM(document.querySelector('#editor')).state.doc.toString();
  });
export const editable = (page) => paper(page).evaluate((element) => element.isContentEditable);
export const writable = (page, ms = 20_000) => eventually(ms, 'the notepad takes text', () => editable(page));
export const shows = (page, id, pattern, ms = 20_000) =>
  eventually(ms, `#${id} shows ${pattern}`, async () => pattern.test(await page.locator(`#${id}`).innerText()));
export const has = (page, text) => eventually(20_000, `the notepad has '${text}'`, async () => (await value(page)) === text);

export async function openPad(context, name, url, options) {
  const page = await openPage(context, name, url, options);
  await writable(page);
  return page;
}
