// Landing page: links to a room of one's own, and the snippet with this server's address in it.

const letters = 'abcdefghijkmnpqrstuvwxyz23456789';
const random = crypto.getRandomValues(new Uint8Array(10));
const room = Array.from(random, (byte) => letters[byte % letters.length]).join('');
document.querySelector('#fresh').href = `/notepad/?room=${room}`;
document.querySelector('#fresh-board').href = `/whiteboard/?room=${room}`;

const snippet = document.querySelector('#snippet');
const secure = location.protocol === 'https:';
snippet.textContent = snippet.textContent
  .replace('http://localhost:8000', location.origin)
  .replace('ws://localhost:8000', `${secure ? 'wss' : 'ws'}://${location.host}`);

const copy = document.querySelector('#copy');
copy.addEventListener('click', async () => {
  try {
    await navigator.clipboard.writeText(snippet.textContent);
    copy.textContent = 'Copied';
  } catch {
    // No clipboard outside a secure context: select it, so that one key copies it.
    getSelection().selectAllChildren(snippet);
    copy.textContent = 'Selected';
  }
  setTimeout(() => (copy.textContent = 'Copy'), 2_000);
});
